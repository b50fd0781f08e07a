//! Probes as plain data: what is called, with which credential, and the result. Judged here, never sent.
//!
//! A refusal counts only together with a positive control: a service that answers nobody refuses everyone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::TenantId;

/// How many random pairs of tenants are tried in one run, besides the ring.
pub const RANDOM_PAIRS: usize = 16;

/// What a tenant's blueprint declares as probe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeTarget {
    /// The scoring URL.
    pub url: String,
    /// The scope of a token for it.
    pub scope: String,
    /// The client id of the tenant's application.
    pub client_id: String,
    /// The directory of that application.
    pub directory_id: String,
    /// The request body.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The probe target of a tenant, from its document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// What to call.
    At(ProbeTarget),
    /// A probe is declared, but its target is not known, for this reason.
    Unknown(String),
}

/// The credential of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// The tenant's own token: the positive control.
    Own,
    /// Another tenant's token, which is valid at its own service.
    OtherTenant,
    /// No credential at all.
    NoToken,
    /// The tenant's own token for another audience.
    WrongAudience,
    /// The tenant's own token with its expiry moved into the past, which makes its signature invalid.
    Expired,
    /// A well-formed key that was never issued.
    Key,
}

impl ProbeKind {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::OtherTenant => "other-tenant",
            Self::NoToken => "no-token",
            Self::WrongAudience => "wrong-audience",
            Self::Expired => "expired",
            Self::Key => "key",
        }
    }

    /// The outcome that is required.
    pub fn expected(self) -> ProbeOutcome {
        if self == Self::Own { ProbeOutcome::Reached } else { ProbeOutcome::Refused }
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeOutcome {
    /// The service itself answered.
    Reached,
    /// The call was refused: 401 or 403.
    Refused,
    /// Anything else: it proves nothing.
    Unclear,
}

impl ProbeOutcome {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Refused => "refused",
            Self::Unclear => "unclear",
        }
    }
}

/// One call and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Probe {
    /// The credential.
    pub kind: ProbeKind,
    /// Whose token; `None` without a token.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub by: Option<TenantId>,
    /// The HTTP status; `None` without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The required outcome.
    pub expected: ProbeOutcome,
    /// The outcome.
    pub outcome: ProbeOutcome,
    /// Why the outcome is unclear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Probe {
    /// A call that was answered. `from_service` means that the code behind the endpoint gave the answer, whatever it
    /// is.
    pub fn answered(kind: ProbeKind, by: Option<TenantId>, status: u16, from_service: bool) -> Self {
        let outcome = match status {
            200..=299 => ProbeOutcome::Reached,
            _ if from_service => ProbeOutcome::Reached,
            401 | 403 => ProbeOutcome::Refused,
            _ => ProbeOutcome::Unclear,
        };
        let why = (outcome == ProbeOutcome::Unclear).then(|| format!("HTTP {status}"));
        Self { kind, by, status: Some(status), expected: kind.expected(), outcome, why }
    }

    /// A call that got no answer, or could not be made.
    pub fn unanswered(kind: ProbeKind, by: Option<TenantId>, why: impl Into<String>) -> Self {
        let why = Some(why.into());
        Self { kind, by, status: None, expected: kind.expected(), outcome: ProbeOutcome::Unclear, why }
    }

    /// A call that can't be made because Entra issues no token to its caller: refused before anything was called.
    pub fn without_token(kind: ProbeKind, by: Option<TenantId>, why: impl Into<String>) -> Self {
        Self { outcome: ProbeOutcome::Refused, ..Self::unanswered(kind, by, why) }
    }

    /// Marks the call as one to the service of a suspended tenant, which has to refuse every caller.
    #[must_use]
    pub fn while_suspended(mut self) -> Self {
        self.expected = ProbeOutcome::Refused;
        self
    }

    /// The credential, for people.
    pub fn with(&self) -> String {
        let whose = || self.by.as_ref().map_or("somebody", TenantId::as_str);
        match self.kind {
            ProbeKind::Own => "its own token".to_owned(),
            ProbeKind::OtherTenant => format!("the token of {}", whose()),
            ProbeKind::NoToken => "no token".to_owned(),
            ProbeKind::WrongAudience => "its own token for another service".to_owned(),
            ProbeKind::Expired => "its own token made out as expired".to_owned(),
            ProbeKind::Key => "a made-up key".to_owned(),
        }
    }
}

/// The calls to one tenant's service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Calls {
    /// These calls were made.
    Made(Vec<Probe>),
    /// None can be made, for this reason.
    NotPossible(String),
}

/// All calls of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Live {
    /// The network location of the caller, as configured by the operator.
    pub location: String,
    /// The seed of the random pairs.
    pub seed: u64,
    /// By the tenant whose service was called.
    pub tenants: BTreeMap<TenantId, Calls>,
}

/// Whose token is tried at whose service: pairs of indexes into a list of tenants, the token's first.
///
/// A ring (each service is tried with the nearest preceding token that is known to be good), plus random pairs from the
/// seed; all pairs if there are no more than that. Only good tokens are used: the refusal of a bad one proves nothing.
pub fn pairs(good: &[bool], seed: u64) -> Vec<(usize, usize)> {
    let count = good.len();
    let is_good = |at: &usize| good.get(*at).copied().unwrap_or_default();
    let before = |at: usize| (1..count).map(move |back| (at + count - back) % count).find(is_good);
    let mut taken: BTreeSet<(usize, usize)> = (0..count).filter_map(|at| Some((before(at)?, at))).collect();
    let callers: Vec<usize> = (0..count).filter(is_good).collect();
    let ring = taken.len();
    if callers.len() * count.saturating_sub(1) <= ring + RANDOM_PAIRS {
        let all = callers.iter().flat_map(|by| (0..count).map(move |at| (*by, at)));
        return all.filter(|(by, at)| by != at).collect();
    }
    let mut draw = Draw(seed);
    while taken.len() < ring + RANDOM_PAIRS {
        let by = callers.get(draw.below(callers.len())).copied().unwrap_or_default();
        let at = draw.below(count);
        if by != at {
            taken.insert((by, at));
        }
    }
    taken.into_iter().collect()
}

/// SplitMix64 (Steele, Lea and Flood, 2014): good enough to draw pairs.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        usize::try_from(mixed % limit).unwrap_or_default()
    }
}
