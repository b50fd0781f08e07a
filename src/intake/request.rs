//! A valid request, and the form in which senders write it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ids::TenantId,
    tenant::{Action, Extent, External, Reason, Spec},
};

/// A request that passed every check which needs no state.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where in the message the request stands: empty, or `/data` of a CloudEvent; pointers to faults begin so.
    pub at: &'static str,
    /// The idempotency key, 1 to 128 characters.
    pub request_id: String,
    /// The operation that it becomes: derived from the deployment and the request's id.
    pub operation_id: String,
    /// Whom it is about.
    pub tenant_id: TenantId,
    /// Not to be begun after this instant.
    pub deadline: Option<Timestamp>,
    /// Refuse if the tenant has another version.
    pub expected_version: Option<u64>,
    /// Only plan.
    pub dry_run: bool,
    /// Copied through; with system and operation a second idempotency key.
    pub external: Option<External>,
    /// The version that the blueprint is to have; whichever the deployment has when absent.
    pub blueprint_version: Option<String>,
    /// What is asked.
    pub wish: Wish,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Make a tenant.
    Signup(Spec),
    /// Change a tenant.
    Update(Changes),
    /// Remove a tenant.
    Deprovision,
    /// Take a tenant's access away: why, and how much of it goes.
    Suspend(Reason, Extent),
    /// Give it back.
    Resume,
    /// Try again what halted.
    Retry,
    /// Look at every step, and put right what differs.
    Reconcile,
}

impl Wish {
    /// The action that asks for it.
    pub fn action(&self) -> Action {
        match self {
            Self::Signup(_) => Action::Signup,
            Self::Update(_) => Action::Update,
            Self::Deprovision => Action::Deprovision,
            Self::Suspend(..) => Action::Suspend,
            Self::Resume => Action::Resume,
            Self::Retry => Action::Retry,
            Self::Reconcile => Action::Reconcile,
        }
    }
}

/// What an update changes; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Another name for people.
    pub display_name: Option<String>,
    /// Another tier.
    pub tier: Option<String>,
    /// Another quantity.
    pub quantity: Option<u64>,
    /// Another blueprint.
    pub blueprint: Option<String>,
    /// Another contact.
    pub admin_contact: Option<String>,
    /// Parameters to set; `null` removes one.
    pub parameters: Map<String, Value>,
    /// Tags to set.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether resources of the tenant may be removed and made anew.
    pub allow_replace: bool,
}

impl Changes {
    /// The changed spec.
    pub(super) fn apply(&self, mut spec: Spec) -> Spec {
        let set = |new: &Option<String>, old: &mut String| {
            if let Some(new) = new {
                old.clone_from(new);
            }
        };
        set(&self.display_name, &mut spec.display_name);
        set(&self.tier, &mut spec.tier);
        spec.quantity = self.quantity.or(spec.quantity);
        spec.blueprint = self.blueprint.clone().or(spec.blueprint);
        spec.admin_contact = self.admin_contact.clone().or(spec.admin_contact);
        if let Some(tags) = &self.tags {
            spec.tags.clone_from(tags);
        }
        for (name, value) in &self.parameters {
            match value {
                Value::Null => _ = spec.parameters.remove(name),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    spec.parameters.insert(name.clone(), value.clone());
                }
            }
        }
        spec
    }
}

/// A request as a sender writes it: the source of the published JSON Schema. Unknown members are ignored; unknown
/// values of closed lists are refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "tenantry request")]
pub struct RequestDocument {
    /// `tenantry.request/1`.
    #[schemars(extend("const" = "tenantry.request/1"))]
    pub schema: String,
    /// Idempotency key: the same id with the same body gets the same answer again.
    #[schemars(length(min = 1, max = 128))]
    pub request_id: String,
    /// What is asked. May be left out of a CloudEvent, whose type says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Whom it is about; optional for a sign-up, which then gets an id derived from the request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"))]
    pub tenant_id: Option<String>,
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RequestedBy>,
    /// Refused as `expired` if not taken in by then, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Refused as `stale` if the tenant has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
    /// Only plan; the answer is the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Another system's view of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// What exactly is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<SpecDocument>,
}

/// Who made a request; opaque to tenantry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RequestedBy {
    /// What kind of requester, e.g. `user` or `system`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id; no personal data, please.
    pub id: String,
}

/// The `spec` of a request: which members count depends on the action.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpecDocument {
    /// signup (required), update: the customer's name, 1 to 120 characters.
    pub display_name: Option<String>,
    /// signup (required), update: one of the blueprint's tiers.
    pub tier: Option<String>,
    /// signup: the Azure region; the first stamp's when absent.
    pub region: Option<String>,
    /// signup: the customer's Entra tenant, a GUID.
    pub home_tenant_id: Option<String>,
    /// signup, update: whom to write to.
    pub admin_contact: Option<String>,
    /// signup, update: which blueprint, by name.
    pub blueprint: Option<BlueprintChoice>,
    /// signup, update: seats or units.
    pub quantity: Option<u64>,
    /// signup, update: the blueprint's parameters; in an update `null` removes one.
    pub parameters: Option<Map<String, Value>>,
    /// signup, update: tags for the tenant's resources.
    pub tags: Option<BTreeMap<String, String>>,
    /// update: whether resources may be removed and made anew.
    pub allow_replace: Option<bool>,
    /// suspend (required): `billing`, `abuse`, `customer` or `operator`; deprovision, resume: why.
    pub reason: Option<String>,
    /// suspend: how much goes; only access when absent.
    pub mode: Option<Extent>,
    /// deprovision: ISO 8601; only `PT0S` (at once) is supported, which is also what its absence means.
    pub grace_period: Option<String>,
}

/// Which blueprint.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintChoice {
    /// Its name.
    pub name: String,
    /// Its version; refused if the deployment has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
