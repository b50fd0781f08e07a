//! The type of a valid request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tenantry_core::{
    ids::TenantId,
    tenant::{Action, Channel, Extent, External, PastRequest, Reason, Spec},
};

/// A request that has passed every check that needs no stored state.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The pointer of the request within the message: empty, or a CloudEvent's `/data` or `/data_base64`. The pointers
    /// of faults begin with it.
    pub at: &'static str,
    /// The channel on which the request arrived.
    pub channel: Channel,
    /// The idempotency key, 1 to 128 characters.
    pub request_id: String,
    /// The id of the operation that the request starts, derived from the deployment, the sender and the request id.
    pub operation_id: String,
    /// The tenant that the request is about.
    pub tenant_id: TenantId,
    /// After this instant the request is refused as `expired`.
    pub deadline: Option<Timestamp>,
    /// The expected version of the tenant. If the tenant has another version, the request is refused as `stale`.
    pub expected_version: Option<u64>,
    /// Whether to make only the plan, and change nothing.
    pub dry_run: bool,
    /// What another system, such as a marketplace, knows about the request; copied to events.
    pub external: Option<External>,
    /// A second idempotency key, if `external` names another system and its operation.
    pub external_key: Option<ExternalKey>,
    /// The version of the blueprint. `None` means the newest that is offered, or for an update of the tenant's own
    /// blueprint, the version that the tenant is pinned to.
    pub blueprint_version: Option<String>,
    /// What the request asks for.
    pub command: Command,
}

impl Request {
    /// What the tenant's document remembers of the request, to recognize a repeat.
    pub(super) fn past(&self, operation_id: &str) -> PastRequest {
        PastRequest {
            request_id: self.request_id.clone(),
            operation_id: operation_id.to_owned(),
            publisher: self.channel.publisher(),
            external: self.external_key.as_ref().map(|external| external.key.clone()),
        }
    }
}

/// The other system's operation that a request names, and the content that the request has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalKey {
    /// The key of the operation's record: a hash of the system, the operation's id, the deployment and the sender.
    pub key: String,
    /// A hash of the tenant, the action and the spec.
    pub content: String,
}

/// The command of a request, with its content.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Create a tenant with this spec.
    Signup(Spec),
    /// Change a tenant's spec.
    Update(Changes),
    /// Delete a tenant and everything that is provisioned for it.
    Deprovision,
    /// Cut a tenant's access, for a reason and to an extent.
    Suspend(Reason, Extent),
    /// Restore the access of a suspended tenant.
    Resume,
    /// Retry the steps that are blocked or in back-off.
    Retry {
        /// Whether blocked objects that were in use may be deleted and recreated.
        allow_replace: bool,
    },
    /// Read every step and correct what differs.
    Reconcile,
}

impl Command {
    /// The action of the command.
    pub fn action(&self) -> Action {
        match self {
            Self::Signup(_) => Action::Signup,
            Self::Update(_) => Action::Update,
            Self::Deprovision => Action::Deprovision,
            Self::Suspend(..) => Action::Suspend,
            Self::Resume => Action::Resume,
            Self::Retry { .. } => Action::Retry,
            Self::Reconcile => Action::Reconcile,
        }
    }
}

/// What an update changes; absent members keep their values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The new display name.
    pub display_name: Option<String>,
    /// The new tier.
    pub tier: Option<String>,
    /// The new quantity, in seats or units.
    pub quantity: Option<u64>,
    /// The name of the blueprint to move to.
    pub blueprint: Option<String>,
    /// The new contact.
    pub admin_contact: Option<String>,
    /// Parameters to set. The value `null` removes a parameter; parameters that are not named keep their values.
    pub parameters: Map<String, Value>,
    /// The new tags, which replace all earlier ones.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether objects of the tenant that were in use may be deleted and recreated.
    pub allow_replace: bool,
}

impl Changes {
    /// Returns a spec with the changes applied.
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
