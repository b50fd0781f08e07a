//! A valid request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tenantry_core::{
    ids::TenantId,
    tenant::{Action, Channel, Extent, External, PastRequest, Reason, Spec},
};

/// A request that passed every check which needs no state.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where in the message the request stands: empty, or a CloudEvent's `/data` or `/data_base64`; pointers to faults begin so.
    pub at: &'static str,
    /// How it came.
    pub channel: Channel,
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
    /// Copied through.
    pub external: Option<External>,
    /// The other system's operation that it is for, if it names one: a second idempotency key.
    pub external_key: Option<ExternalKey>,
    /// The version that the blueprint is to have; whichever the deployment has when absent.
    pub blueprint_version: Option<String>,
    /// What is asked.
    pub wish: Wish,
}

impl Request {
    /// What a tenant remembers of it once it has become this operation.
    pub(super) fn past(&self, operation_id: &str) -> PastRequest {
        PastRequest {
            request_id: self.request_id.clone(),
            operation_id: operation_id.to_owned(),
            publisher: self.channel.publisher(),
            external: self.external_key.as_ref().map(|external| external.key.clone()),
        }
    }
}

/// Another system's operation, and what a request asks for in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalKey {
    /// A hash of the system and its operation's id.
    pub key: String,
    /// A hash of the tenant, the action and the spec.
    pub content: String,
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
    Retry {
        /// Whether what is blocked and was in use may be deleted and made anew.
        allow_replace: bool,
    },
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
            Self::Retry { .. } => Action::Retry,
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
