//! The report on a judged tenant.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{powers::Capability, probe::Probe, rules::lets_others_in};
use crate::{ids::TenantId, tenant::IsolationVerdict};

/// One violated rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The code of the violated rule; stable.
    pub code: Cow<'static, str>,
    /// The object that violates the rule: a resource id, an application's unique name, or the URL that was called.
    pub about: String,
    /// What was found at the object.
    pub says: String,
    /// What the holder of a role can do; empty if the finding is not about a role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can: Vec<Capability>,
    /// What a violation of the rule means.
    pub means: Cow<'static, str>,
    /// What to do about it.
    pub next: Cow<'static, str>,
    /// The access that a quarantine can revoke without changing anything else; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// Access to a tenant that a quarantine can revoke.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Given {
    /// A role assignment at one of the tenant's own resources.
    #[serde(rename_all = "camelCase")]
    RoleAssignment {
        /// The resource id of the assignment.
        id: String,
        /// The object id of the principal that has the role.
        principal_id: String,
    },
    /// A federated credential of the tenant's own application.
    #[serde(rename_all = "camelCase")]
    FederatedCredential {
        /// The application's object id.
        application_id: String,
        /// The credential's name, which can't be changed.
        name: String,
        /// The `subject` that the credential trusts.
        subject: String,
    },
}

/// Missing evidence that could hide a violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What the missing evidence is about: a resource id, the name of an application, the id of a principal, role or
    /// tenant, or the URL of the service.
    pub about: String,
    /// What is not known, and why.
    pub why: String,
}

/// A principal that reaches the tenant, is not the tenant's own, and is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The object id of the principal or group.
    pub principal: String,
    /// The name of the principal's role, or its GUID if the name is not known.
    pub role: String,
    /// The scope of the role assignment.
    pub scope: String,
    /// What the role lets the principal do to the tenant's objects.
    pub can: Vec<Capability>,
    /// Why the principal is allowed, e.g. the reason in the allow list.
    pub why: String,
}

/// The result of revoking access in a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The access that was to be revoked.
    pub what: Given,
    /// [`Self::REMOVED`], or why the access was not revoked.
    pub outcome: String,
}

/// Whether the tenant's service was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// The service was called.
    Made,
    /// The service has to be called and could not be; the report's gaps say why.
    NotPossible,
    /// The tenant's blueprint declares no probe, so the verdict is about settings alone.
    #[default]
    NotDeclared,
}

impl Probing {
    /// A sentence for people: whether the service was called, and what the report proves without calls.
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
    /// The schema of the report: [`Self::SCHEMA`].
    pub schema: Cow<'static, str>,
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// Whether isolation is verified, violated or inconclusive.
    pub verdict: IsolationVerdict,
    /// The violated rules, sorted by code.
    pub findings: Vec<Finding>,
    /// Missing evidence that could hide a violation.
    pub gaps: Vec<Gap>,
    /// Principals that reach the tenant, are not the tenant's own, and are allowed.
    pub accepted: Vec<Accepted>,
    /// The access that a quarantine revoked, or tried to revoke, in the run that made this report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<TakenBack>,
    /// Whether the tenant's service was called.
    #[serde(default)]
    pub probing: Probing,
    /// The calls to the tenant's service; empty if none were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// The network location of the caller, as configured by the operator; `None` if no call was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The seed of the run's random pairs of tenants, in hexadecimal digits; `None` if no call was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// SHA-256, as `sha256:<hex>`, over all evidence that the verdict depends on. Equal digests mean equal verdicts.
    pub digest: String,
}

impl TakenBack {
    /// The `outcome` of access that was revoked.
    pub const REMOVED: &str = "removed";
}

impl IsolationReport {
    /// The schema that this program writes.
    pub const SCHEMA: &str = "tenantry.isolation/1";

    /// Whether a finding means that others reach the tenant or can act as it. Access in `taken` that was revoked does
    /// not count, because a stale list may still show it.
    pub fn lets_others_in(&self, taken: &[TakenBack]) -> bool {
        let is_over = |finding: &Finding| {
            let removed = taken.iter().filter(|one| one.outcome == TakenBack::REMOVED);
            finding.given.as_ref().is_some_and(|given| removed.into_iter().any(|one| one.what == *given))
        };
        self.findings.iter().any(|finding| lets_others_in(&finding.code) && !is_over(finding))
    }

    /// The inconclusive report on a tenant about which nothing could be read, for the reason `why`.
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
