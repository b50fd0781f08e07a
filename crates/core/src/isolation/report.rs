//! What came of judging a tenant.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{powers::Capability, probe::Probe, rules::lets_others_in};
use crate::{ids::TenantId, tenant::IsolationVerdict};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which rule; stable.
    pub code: Cow<'static, str>,
    /// What it is about: an id.
    pub about: String,
    /// What was seen.
    pub says: String,
    /// What somebody can do by it, where it is about access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can: Vec<Capability>,
    /// What that means.
    pub means: Cow<'static, str>,
    /// What to do about it.
    pub next: Cow<'static, str>,
    /// What can be taken back by itself, without touching anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// What somebody was given, so that it can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Given {
    /// A role assignment at one of the tenant's own resources.
    #[serde(rename_all = "camelCase")]
    RoleAssignment {
        /// Its resource id.
        id: String,
        /// Who has it.
        principal_id: String,
    },
    /// A federated credential of the tenant's own application.
    #[serde(rename_all = "camelCase")]
    FederatedCredential {
        /// The application's object id.
        application_id: String,
        /// The credential's name, which can't be changed.
        name: String,
        /// Whom it trusts.
        subject: String,
    },
}

/// Something that is not known and could hide a broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What: an id.
    pub about: String,
    /// Why it is not known.
    pub why: String,
}

/// Somebody else who reaches the tenant and may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Who.
    pub principal: String,
    /// By which role.
    pub role: String,
    /// Where it holds.
    pub scope: String,
    /// What it allows there.
    pub can: Vec<Capability>,
    /// Why that may be.
    pub why: String,
}

/// What became of taking something back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// What.
    pub what: Given,
    /// `removed`, or why not.
    pub outcome: String,
}

/// Whether the tenant's service was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// It was.
    Made,
    /// It was to be and could not; the gaps say why.
    NotPossible,
    /// The tenant's blueprint declares no probe, so the verdict is about settings alone.
    #[default]
    NotDeclared,
}

impl Probing {
    /// What it means, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Made => "Its service was called.",
            Self::NotPossible => "Its service could not be called: this report proves nothing about calls.",
            Self::NotDeclared => "Its blueprint declares no probe: this report is about settings alone.",
        }
    }
}

/// The report on one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsolationReport {
    /// [`Self::SCHEMA`].
    pub schema: Cow<'static, str>,
    /// Who.
    pub tenant_id: TenantId,
    /// The verdict.
    pub verdict: IsolationVerdict,
    /// The broken rules, in order.
    pub findings: Vec<Finding>,
    /// What is not known.
    pub gaps: Vec<Gap>,
    /// Who else reaches it and may.
    pub accepted: Vec<Accepted>,
    /// What was taken back just before this look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<TakenBack>,
    /// Whether its service was called.
    #[serde(default)]
    pub probing: Probing,
    /// The calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// Where they came from, in the words of the setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the pairs of the run were drawn by, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// SHA-256, as `sha256:<hex>`, over all that the verdict rests on: equal digest, equal verdict.
    pub digest: String,
}

impl TakenBack {
    /// The outcome of what is gone.
    pub const REMOVED: &str = "removed";
}

impl IsolationReport {
    /// The schema that this program writes.
    pub const SCHEMA: &str = "tenantry.isolation/1";

    /// Whether others reach the tenant or can become it, by something else than what was just taken back from them: a list
    /// that is behind still shows that.
    pub fn lets_others_in(&self, taken: &[TakenBack]) -> bool {
        let is_over = |finding: &Finding| {
            let removed = taken.iter().filter(|one| one.outcome == TakenBack::REMOVED);
            finding.given.as_ref().is_some_and(|given| removed.into_iter().any(|one| one.what == *given))
        };
        self.findings.iter().any(|finding| lets_others_in(&finding.code) && !is_over(finding))
    }

    /// A report on a tenant of which nothing could be found out.
    pub fn unknown(tenant_id: TenantId, why: String) -> Self {
        let gap = Gap { about: tenant_id.to_string(), why };
        let digest = format!("sha256:{}", crate::ids::sha256_hex(gap.why.as_bytes()));
        Self {
            schema: Self::SCHEMA.into(),
            tenant_id,
            verdict: IsolationVerdict::Inconclusive,
            findings: Vec::new(),
            gaps: vec![gap],
            accepted: Vec::new(),
            quarantined: Vec::new(),
            probing: Probing::NotPossible,
            probes: Vec::new(),
            place: None,
            seed: None,
            digest,
        }
    }
}
