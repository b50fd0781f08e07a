//! The report on a judged tenant.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{powers::Capability, probe::Probe, rules::lets_others_in};
use crate::{ids::TenantId, tenant::IsolationVerdict};

/// One violated rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's code; stable.
    pub code: Cow<'static, str>,
    /// The id of the object.
    pub about: String,
    /// What was found.
    pub says: String,
    /// For access, what the holder can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can: Vec<Capability>,
    /// What the violation means.
    pub means: Cow<'static, str>,
    /// What to do about it.
    pub next: Cow<'static, str>,
    /// What can be revoked by itself, without touching anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// Access that can be revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Given {
    /// A role assignment at one of the tenant's own resources.
    #[serde(rename_all = "camelCase")]
    RoleAssignment {
        /// Its resource id.
        id: String,
        /// The principal that has it.
        principal_id: String,
    },
    /// A federated credential of the tenant's own application.
    #[serde(rename_all = "camelCase")]
    FederatedCredential {
        /// The application's object id.
        application_id: String,
        /// The credential's name, which can't be changed.
        name: String,
        /// The `subject` that it trusts.
        subject: String,
    },
}

/// Missing evidence that could hide a violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The id of the object.
    pub about: String,
    /// Why it is not known.
    pub why: String,
}

/// Someone else who reaches the tenant and is allowed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The principal.
    pub principal: String,
    /// Its role.
    pub role: String,
    /// The scope of the assignment.
    pub scope: String,
    /// What it allows there.
    pub can: Vec<Capability>,
    /// Why it is allowed.
    pub why: String,
}

/// The result of revoking access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// What was revoked.
    pub what: Given,
    /// `removed`, or why not.
    pub outcome: String,
}

/// Whether the tenant's service was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// It was called.
    Made,
    /// It was to be called and could not be; the gaps say why.
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
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// The verdict.
    pub verdict: IsolationVerdict,
    /// The violated rules, in order.
    pub findings: Vec<Finding>,
    /// Missing evidence.
    pub gaps: Vec<Gap>,
    /// Who else reaches it and is allowed to.
    pub accepted: Vec<Accepted>,
    /// What was revoked just before the evidence was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<TakenBack>,
    /// Whether its service was called.
    #[serde(default)]
    pub probing: Probing,
    /// The calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// The network location of the caller, as configured by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The seed of the run's random pairs, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// SHA-256, as `sha256:<hex>`, over all that the verdict depends on: equal digest, equal verdict.
    pub digest: String,
}

impl TakenBack {
    /// The outcome of access that was revoked.
    pub const REMOVED: &str = "removed";
}

impl IsolationReport {
    /// The schema that this program writes.
    pub const SCHEMA: &str = "tenantry.isolation/1";

    /// Whether others reach the tenant or can become it, by anything other than the access in `taken` that was just
    /// revoked: a stale list still shows that.
    pub fn lets_others_in(&self, taken: &[TakenBack]) -> bool {
        let is_over = |finding: &Finding| {
            let removed = taken.iter().filter(|one| one.outcome == TakenBack::REMOVED);
            finding.given.as_ref().is_some_and(|given| removed.into_iter().any(|one| one.what == *given))
        };
        self.findings.iter().any(|finding| lets_others_in(&finding.code) && !is_over(finding))
    }

    /// A report on a tenant about which nothing could be read.
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
            location: None,
            seed: None,
            digest,
        }
    }
}
