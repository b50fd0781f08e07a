//! A valid request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tenantry_core::{
    ids::TenantId,
    tenant::{Action, Channel, Extent, External, PastRequest, Reason, Spec},
};

/// A request that has passed every check which needs no state.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The pointer of the request within the message: empty, or a CloudEvent's `/data` or `/data_base64`; pointers of
    /// faults begin with it.
    pub at: &'static str,
    /// The channel that it came from.
    pub channel: Channel,
    /// The idempotency key, 1 to 128 characters.
    pub request_id: String,
    /// The id of its operation, derived from the deployment and the request id.
    pub operation_id: String,
    /// The tenant that it is about.
    pub tenant_id: TenantId,
    /// It must not be started after this instant.
    pub deadline: Option<Timestamp>,
    /// The tenant's expected version; with another one the request is refused.
    pub expected_version: Option<u64>,
    /// Only plan.
    pub dry_run: bool,
    /// Copied to events.
    pub external: Option<External>,
    /// A second idempotency key, if `external` names another system and its operation.
    pub external_key: Option<ExternalKey>,
    /// The blueprint version; `None`: the one that the deployment offers.
    pub blueprint_version: Option<String>,
    /// The command.
    pub command: Command,
}

impl Request {
    /// What a tenant's document remembers of it.
    pub(super) fn past(&self, operation_id: &str) -> PastRequest {
        PastRequest {
            request_id: self.request_id.clone(),
            operation_id: operation_id.to_owned(),
            publisher: self.channel.publisher(),
            external: self.external_key.as_ref().map(|external| external.key.clone()),
        }
    }
}

/// Another system's operation, and the content that a request has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalKey {
    /// A hash of the system and its operation's id.
    pub key: String,
    /// A hash of the tenant, the action and the spec.
    pub content: String,
}

/// The command of a request, with its content.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Create a tenant.
    Signup(Spec),
    /// Change a tenant.
    Update(Changes),
    /// Delete a tenant.
    Deprovision,
    /// Cut a tenant's access: the reason and the extent.
    Suspend(Reason, Extent),
    /// Restore the access.
    Resume,
    /// Retry what is blocked.
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

/// What an update changes; absent members keep their value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Another display name.
    pub display_name: Option<String>,
    /// Another tier.
    pub tier: Option<String>,
    /// Another quantity.
    pub quantity: Option<u64>,
    /// Another blueprint.
    pub blueprint: Option<String>,
    /// Another contact.
    pub admin_contact: Option<String>,
    /// Parameters to set; `null` deletes one.
    pub parameters: Map<String, Value>,
    /// Tags to set.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether resources of the tenant may be deleted and recreated.
    pub allow_replace: bool,
}

impl Changes {
    /// Returns the changed spec.
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
