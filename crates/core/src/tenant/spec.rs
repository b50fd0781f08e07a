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
    /// It has not paid.
    Billing,
    /// It misuses the service.
    Abuse,
    /// Its owner has requested it.
    Customer,
    /// The operator has requested it.
    Operator,
}

/// How much of a suspended tenant is deleted or disabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Only its access: `tenant.suspended` is true.
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
    /// How much is deleted or disabled.
    pub mode: Extent,
    /// Since when; suspending a suspended tenant does not change it.
    pub since: Timestamp,
}

/// A marketplace's or CRM's view of the same request; copied to events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// The system, e.g. `azure-marketplace`; with `operationId` it is a second idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The subscription in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// The operation in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// The offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<String>,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// Seats or units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// Who bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchaser: Option<Value>,
    /// Who benefits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary: Option<Value>,
}

/// The desired state as requested. The plan is made from it, the blueprint and the placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The customer's name for people.
    pub display_name: String,
    /// One of the blueprint's tiers.
    pub tier: String,
    /// The Azure region asked for; the stamp's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The customer's own Entra tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_tenant_id: Option<String>,
    /// Whom to contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_contact: Option<String>,
    /// The blueprint's name; the default one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<String>,
    /// Seats or units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// The blueprint's parameters.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Tags for the tenant's resources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it is suspended, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
}

/// Where a tenant is provisioned. Fixed at sign-up: Azure limits what fits into one subscription and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The stamp's name.
    pub stamp: String,
    /// Its subscription.
    pub subscription_id: String,
    /// Its region.
    pub region: String,
}
