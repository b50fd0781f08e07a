//! The least rights that a deployment needs, derived from its blueprints and split over three identities, so that one
//! leaked credential does not give all rights. The host receives messages; the provisioner reads, creates and changes;
//! the remover deletes. What the isolation check reads is a separate role, held by the provisioner's identity.
//!
//! Pure. [`derive()`](derive()) converts what blueprints do in Azure to actions, each with its reason. [`Condition`]
//! limits which roles may be assigned, and to whom. [`data_plane`] has the rights outside of Resource Manager.
//! [`document`] and [`bicep`] write the roles as JSON and Bicep. [`compare()`] compares needed with held rights.

pub mod actions;
pub mod bicep;
mod compare;
mod condition;
pub mod data_plane;
mod derive;
pub mod document;

use std::collections::{BTreeMap, BTreeSet};

pub use compare::{Held, RoleComparison, compare};
pub use condition::Condition;
pub use derive::{derive, derive_placed};

/// An optional action: without it drift is reported, but not who caused it. Source: Microsoft, "Roles, permissions, and
/// security in Azure Monitor".
pub const OPTIONAL: &str = "Microsoft.Insights/eventtypes/values/read";

/// What an identity may do in Azure Resource Manager.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Role {
    /// The allowed actions, each with its reasons: the steps that need it, and what for.
    pub actions: BTreeMap<String, BTreeSet<String>>,
}

/// The scope at which tenantry's custom roles are assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The stamp's resource group.
    StampGroup,
    /// The stamp's subscription, for these reasons.
    Subscription(BTreeSet<String>),
}

/// The rights that a deployment needs in Azure Resource Manager and Microsoft Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// The role that reads, creates and changes tenants' objects.
    pub provisioner: Role,
    /// The role that deletes and purges tenants' objects.
    pub remover: Role,
    /// The role with what the isolation check reads and the provisioner's role does not allow.
    pub auditor: Role,
    /// The scope at which the three roles are assigned.
    pub reach: Reach,
    /// The GUIDs of the roles that the provisioner assigns to tenants' principals.
    pub granted: BTreeSet<String>,
    /// Whether a blueprint creates objects in Entra, which needs permissions of Microsoft Graph.
    pub entra: bool,
    /// The resource providers that have to be registered in the subscription.
    pub providers: BTreeSet<String>,
}

impl Role {
    /// The names of the role's actions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    fn add(&mut self, action: String, why: String) {
        self.actions.entry(action).or_default().insert(why);
    }
}
