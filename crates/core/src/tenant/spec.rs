//! The desired state of a tenant as requested: the part of a request that is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Provision a new tenant.
    Signup,
    /// Change an existing tenant's desired state.
    Update,
    /// Delete a tenant and all its objects.
    Deprovision,
    /// Revoke a tenant's access until it is resumed.
    Suspend,
    /// Restore a suspended tenant's access.
    Resume,
    /// Retry blocked steps.
    Retry,
    /// Read every step, and repair what differs from the plan.
    Reconcile,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] = [
        Self::Signup,
        Self::Update,
        Self::Deprovision,
        Self::Suspend,
        Self::Resume,
        Self::Retry,
        Self::Reconcile,
    ];

    /// The noun of this action's events: `tenant.<noun>.started` and so on.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Signup | Self::Retry => "provision",
            Self::Update => "update",
            Self::Deprovision => "deprovision",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Reconcile => "reconcile",
        }
    }

    /// The name in requests and views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Update => "update",
            Self::Deprovision => "deprovision",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Reconcile => "reconcile",
        }
    }
}

/// Why a tenant is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The customer has not paid.
    Billing,
    /// The customer misuses the service.
    Abuse,
    /// The customer has requested the suspension.
    Customer,
    /// The operator has requested the suspension.
    Operator,
}

/// How much of a suspended tenant is deleted or disabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Only the tenant's access: `tenant.suspended` is true.
    #[default]
    Access,
    /// Also what costs money while unused: `tenant.stopped` is true too.
    Compute,
}

/// A suspension is part of the desired state: the plan is made with it, and what stays of the tenant is in that plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// Why the tenant is suspended.
    pub reason: Reason,
    /// How much of the tenant is deleted or disabled.
    pub mode: Extent,
    /// Since when the tenant is suspended; another suspension of a suspended tenant does not change it.
    pub since: Timestamp,
}

/// The ids that an external system, e.g. a marketplace or a CRM, has for the same request; copied to events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// The system, e.g. `azure-marketplace`; with `operationId` it is a second idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The subscription's id in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// The operation's id in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// The offer's id in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<String>,
    /// The plan's id in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// The number of seats or units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// Who has bought the subscription, as that system describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchaser: Option<Value>,
    /// Who uses the subscription, as that system describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary: Option<Value>,
}

/// The desired state as requested. The plan is made from it, the blueprint and the placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The customer's display name.
    pub display_name: String,
    /// One of the blueprint's tiers.
    pub tier: String,
    /// The requested Azure region; without one, the stamp's own region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The id of the customer's own Entra tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_tenant_id: Option<String>,
    /// The customer's contact for administration, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_contact: Option<String>,
    /// The name of the blueprint; without one, the default blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<String>,
    /// The number of seats or units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// The values of the blueprint's parameters.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Tags for the tenant's resources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The suspension; `None` if the tenant is not suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
}

/// Where a tenant is provisioned. Fixed at sign-up: Azure limits what fits into one subscription and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The stamp's name.
    pub stamp: String,
    /// The id of the stamp's Azure subscription.
    pub subscription_id: String,
    /// The stamp's Azure region.
    pub region: String,
}
