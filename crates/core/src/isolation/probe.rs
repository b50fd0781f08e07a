//! Probes as plain data: what is called, with which credential, and the result. Judged here, never sent.
//!
//! A refusal counts only together with a positive control: a service that answers nobody refuses everyone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::TenantId;

/// How many random pairs of tenants one run tries, besides the ring (see [`pairs`]).
pub const RANDOM_PAIRS: usize = 16;

/// How a tenant's service is called: the probe of its blueprint, with the outputs of steps filled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeTarget {
    /// The scoring URL.
    pub url: String,
    /// The OAuth scope of a token for the service.
    pub scope: String,
    /// The client id of the tenant's application.
    pub client_id: String,
    /// The id of the Entra directory of the tenant's application.
    pub directory_id: String,
    /// The JSON body of the request; null if the blueprint declares none.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The probe target of a tenant, from its document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// The probe target is known.
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
    /// The kind's name in reports.
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

    /// The required outcome of such a call to the service of a tenant that is not suspended.
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
    /// The call was refused: HTTP 401 or 403, or Entra issued no token for it.
    Refused,
    /// Any other answer, or none: the call proves nothing.
    Unclear,
}

impl ProbeOutcome {
    /// The outcome's name in reports.
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
    /// The credential of the call.
    pub kind: ProbeKind,
    /// The tenant whose token the call had; `None` if it had no tenant's token.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub by: Option<TenantId>,
    /// The HTTP status of the answer; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The required outcome of the call.
    pub expected: ProbeOutcome,
    /// The outcome of the call.
    pub outcome: ProbeOutcome,
    /// Why the outcome is unclear, or why Entra issued no token; `None` for other outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Probe {
    /// A call that was answered. `from_service` says that the code behind the endpoint gave the answer; then the
    /// service was reached, whatever the status.
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

    /// A call that can't be made because Entra issues no token to its caller. It counts as refused.
    pub fn without_token(kind: ProbeKind, by: Option<TenantId>, why: impl Into<String>) -> Self {
        Self { outcome: ProbeOutcome::Refused, ..Self::unanswered(kind, by, why) }
    }

    /// Marks the call as one to the service of a suspended tenant, which has to refuse every caller.
    #[must_use]
    pub fn while_suspended(mut self) -> Self {
        self.expected = ProbeOutcome::Refused;
        self
    }

    /// The credential of the call, as a phrase for people.
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
    /// No call can be made, for this reason.
    NotPossible(String),
}

/// All calls of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Live {
    /// The network location of the caller, as configured by the operator.
    pub location: String,
    /// The seed of the random pairs of tenants (see [`pairs`]).
    pub seed: u64,
    /// The calls, by the tenant whose service was called.
    pub tenants: BTreeMap<TenantId, Calls>,
}

/// Chooses whose token is tried at whose service: pairs of indexes into a list of tenants, the token's tenant first.
/// `good` has for each tenant whether its own service accepts its token.
///
/// The pairs are a ring, in which each service is tried with the nearest preceding good token, and [`RANDOM_PAIRS`]
/// random pairs from the seed; or all pairs, if there are no more than that. Only good tokens are used, because the
/// refusal of another token proves nothing.
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
