//! The format in which senders write a request: the source of the published JSON Schema, and of the known members.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenantry_core::tenant::{Action, Extent, External, Reason};

/// A request as a sender writes it. Unknown members and unknown values of closed lists are refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "tenantry request", transform = spec_by_action)]
pub struct RequestDocument {
    /// `tenantry.request/1`.
    #[schemars(extend("const" = "tenantry.request/1"))]
    pub schema: String,
    /// Idempotency key: the same id with the same body is the same request.
    #[schemars(length(min = 1, max = 128))]
    pub request_id: String,
    /// The action. It may be absent in a CloudEvent, whose type names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The tenant; optional for a sign-up, which then gets an id derived from the request's, or from the operation that
    /// `external` names.
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
    /// Another system's view of it. Members that are not named here are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The details of the request; its members depend on the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<SpecDocument>,
}

/// Who made a request; opaque to tenantry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedBy {
    /// What kind of requester, e.g. `user` or `system`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id; no personal data, please.
    pub id: String,
}

/// The `spec` of a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SpecDocument {
    /// Of a sign-up.
    Signup(SignupSpec),
    /// Of an update.
    Update(UpdateSpec),
    /// Of a suspension.
    Suspend(SuspendSpec),
    /// Of a resumption.
    Resume(ResumeSpec),
    /// Of a removal.
    Deprovision(DeprovisionSpec),
    /// Of a retry.
    Retry(RetrySpec),
    /// Of a reconciliation.
    Reconcile(ReconcileSpec),
}

/// The `spec` of a sign-up.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignupSpec {
    /// The customer's name, 1 to 120 characters.
    pub display_name: String,
    /// One of the blueprint's tiers.
    pub tier: String,
    /// The Azure region; the first stamp's when absent.
    #[serde(default)]
    pub region: Option<String>,
    /// The customer's Entra tenant, a GUID.
    #[serde(default)]
    pub home_tenant_id: Option<String>,
    /// The contact address.
    #[serde(default)]
    pub admin_contact: Option<String>,
    /// Which blueprint, by name.
    #[serde(default)]
    pub blueprint: Option<BlueprintChoice>,
    /// Seats or units.
    #[serde(default)]
    pub quantity: Option<u64>,
    /// The blueprint's parameters.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    /// Tags for the tenant's resources.
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
}

/// The `spec` of an update; absent members keep their value.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpdateSpec {
    /// The customer's name, 1 to 120 characters.
    pub display_name: Option<String>,
    /// One of the blueprint's tiers.
    pub tier: Option<String>,
    /// The contact address.
    pub admin_contact: Option<String>,
    /// Which blueprint, by name.
    pub blueprint: Option<BlueprintChoice>,
    /// Seats or units.
    pub quantity: Option<u64>,
    /// The blueprint's parameters; `null` removes one.
    pub parameters: Option<Map<String, Value>>,
    /// Tags for the tenant's resources.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether resources that were in use may be deleted and recreated; the answer lists them, and so does a dry run
    /// beforehand.
    pub allow_replace: Option<bool>,
}

/// The `spec` of a suspension.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuspendSpec {
    /// Why the tenant is suspended; published with the event.
    pub reason: Reason,
    /// The extent of the suspension; only access when absent.
    #[serde(default)]
    pub mode: Option<Extent>,
}

/// The `spec` of a resumption.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResumeSpec {
    /// Why the tenant is resumed; published with the event.
    pub reason: Option<String>,
}

/// The `spec` of a removal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeprovisionSpec {
    /// Why the tenant is removed; published with the event.
    pub reason: Option<String>,
    /// ISO 8601; only `PT0S` (at once) is supported, which is also the default.
    pub grace_period: Option<String>,
    /// What is to be retained; nothing can be, so only an empty list is accepted.
    pub retain: Option<Vec<String>>,
}

/// The `spec` of a retry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetrySpec {
    /// Whether what is blocked as `needs-consent` may be deleted and recreated, with everything that depends on it.
    pub allow_replace: Option<bool>,
}

/// The `spec` of a reconciliation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReconcileSpec {}

/// Which blueprint.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlueprintChoice {
    /// Its name.
    pub name: String,
    /// Its version; refused if the deployment has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The schema name of the type of an action's `spec`, and whether the spec is required.
pub(super) fn spec_of(action: Action) -> (Cow<'static, str>, bool) {
    match action {
        Action::Signup => (SignupSpec::schema_name(), true),
        Action::Update => (UpdateSpec::schema_name(), false),
        Action::Suspend => (SuspendSpec::schema_name(), true),
        Action::Resume => (ResumeSpec::schema_name(), false),
        Action::Deprovision => (DeprovisionSpec::schema_name(), false),
        Action::Retry => (RetrySpec::schema_name(), false),
        Action::Reconcile => (ReconcileSpec::schema_name(), false),
    }
}

/// Adds to the schema which `spec` belongs to which action.
fn spec_by_action(schema: &mut Schema) {
    let rule = |action: Action| {
        let (name, required) = spec_of(action);
        let of = json!({"$ref": format!("#/$defs/{name}")});
        let spec = if required { of } else { json!({"anyOf": [of, {"type": "null"}]}) };
        let mut then = json!({"properties": {"spec": spec}});
        if required {
            then["required"] = json!(["spec"]);
        }
        json!({"if": {"properties": {"action": {"const": action.as_str()}}, "required": ["action"]}, "then": then})
    };
    schema.insert("allOf".to_owned(), Action::ALL.into_iter().map(rule).collect());
}
