//! The format in which senders write a request. The published JSON Schema and the known members of a request are
//! derived from it.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenantry_core::tenant::{Action, Extent, External, Reason};

/// A request as a sender writes it. Unknown members, and unknown values of closed lists, are refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "tenantry request", transform = spec_by_action)]
pub struct RequestDocument {
    /// `tenantry.request/1`.
    #[schemars(extend("const" = "tenantry.request/1"))]
    pub schema: String,
    /// The idempotency key: the same id with the same body is the same request.
    #[schemars(length(min = 1, max = 128))]
    pub request_id: String,
    /// The action. It may be absent in a CloudEvent, whose type names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The tenant's id. A sign-up may omit it, and gets an id that is derived from the operation that `external` names,
    /// or from the request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"))]
    pub tenant_id: Option<String>,
    /// When the request was made, as in RFC 3339. It is checked and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<String>,
    /// Who made the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RequestedBy>,
    /// After this instant (RFC 3339) the request is refused as `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The expected version of the tenant. If the tenant has another version, the request is refused as `stale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
    /// Whether to make only the plan: the answer has the plan, and nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// What another system, such as a marketplace, knows about the request; copied to events. Members that are not
    /// named here are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The details of the request; its members depend on the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<SpecDocument>,
}

/// Who made a request. It is checked and not used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedBy {
    /// The kind of requester, e.g. `user` or `system`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The requester's id. It should contain no personal data.
    pub id: String,
}

/// The `spec` of a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SpecDocument {
    /// The `spec` of a sign-up.
    Signup(SignupSpec),
    /// The `spec` of an update.
    Update(UpdateSpec),
    /// The `spec` of a suspension.
    Suspend(SuspendSpec),
    /// The `spec` of a resumption.
    Resume(ResumeSpec),
    /// The `spec` of a removal.
    Deprovision(DeprovisionSpec),
    /// The `spec` of a retry.
    Retry(RetrySpec),
    /// The `spec` of a reconciliation.
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
    /// The Azure region; if absent, that of the deployment's first stamp.
    #[serde(default)]
    pub region: Option<String>,
    /// The customer's Entra tenant, a GUID.
    #[serde(default)]
    pub home_tenant_id: Option<String>,
    /// The customer's contact address.
    #[serde(default)]
    pub admin_contact: Option<String>,
    /// The blueprint; if absent, the deployment's default one.
    #[serde(default)]
    pub blueprint: Option<BlueprintChoice>,
    /// The number of seats or units.
    #[serde(default)]
    pub quantity: Option<u64>,
    /// Values for the blueprint's parameters.
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
    /// The customer's contact address.
    pub admin_contact: Option<String>,
    /// The blueprint to move to. The tenant keeps its own if this is absent, or names the same one without another
    /// version.
    pub blueprint: Option<BlueprintChoice>,
    /// The number of seats or units.
    pub quantity: Option<u64>,
    /// Values for the blueprint's parameters; `null` removes one.
    pub parameters: Option<Map<String, Value>>,
    /// Tags for the tenant's resources, which replace all earlier ones.
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
    /// The extent of the suspension; if absent, only access is cut.
    #[serde(default)]
    pub mode: Option<Extent>,
}

/// The `spec` of a resumption.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResumeSpec {
    /// Why the tenant is resumed. It is checked and not used.
    pub reason: Option<String>,
}

/// The `spec` of a removal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeprovisionSpec {
    /// Why the tenant is removed. It is checked and not used.
    pub reason: Option<String>,
    /// How long to wait before the deletion, as a duration in ISO 8601. Only `PT0S` (at once), the default, is
    /// supported.
    pub grace_period: Option<String>,
    /// What to retain. Only an empty list is supported.
    pub retain: Option<Vec<String>>,
}

/// The `spec` of a retry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetrySpec {
    /// Whether objects whose steps are blocked as `needs-consent` may be deleted and recreated, with everything that
    /// depends on them.
    pub allow_replace: Option<bool>,
}

/// The `spec` of a reconciliation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReconcileSpec {}

/// The name and the version of a blueprint.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlueprintChoice {
    /// The blueprint's name.
    pub name: String,
    /// The blueprint's version; if absent, the newest that the deployment offers. A version that it does not offer is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The name in the schema of the type of an action's `spec`, and whether the spec is required.
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

/// Adds rules to the schema that say which `spec` belongs to which action.
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
