//! The least power that a deployment needs, derived from what its blueprints do: for three identities, so that one leak
//! is not all. The host receives messages, the provisioner looks, makes and changes, the remover deletes.
//! What the proof of isolation reads is a role of its own, held by the provisioner's identity.
//!
//! Pure. The way is [`derive()`](derive()) (uses of Azure become actions, each with its reason), [`Condition`] (which roles
//! may be granted, and to whom), [`data_plane`] (what is not Resource Manager's), and then a [`document`] or [`bicep`]
//! that grants it. [`compare()`] holds what is needed against what is held.

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

/// What may be left out: without it drift is told of all the same, but not who caused it. Source: Microsoft, "Roles,
/// permissions, and security in Azure Monitor".
pub const OPTIONAL: &str = "Microsoft.Insights/eventtypes/values/read";

/// What an identity may do in Azure Resource Manager.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Role {
    /// Each action, and the steps that need it, with what for.
    pub actions: BTreeMap<String, BTreeSet<String>>,
}

/// Where a role is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// In the stamp's resource group.
    StampGroup,
    /// In the stamp's subscription, for these reasons.
    Subscription(BTreeSet<String>),
}

/// What a deployment needs to be allowed in Azure Resource Manager and Microsoft Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Looks, makes and changes.
    pub provisioner: Role,
    /// Deletes and purges.
    pub remover: Role,
    /// Reads what the proof of isolation needs and the provisioner's role has not.
    pub auditor: Role,
    /// Where both roles are assigned.
    pub reach: Reach,
    /// The GUIDs of the roles that the provisioner grants to tenants' principals.
    pub granted: BTreeSet<String>,
    /// Whether there are objects of Entra.
    pub entra: bool,
    /// The resource providers that have to be registered in the subscription.
    pub providers: BTreeSet<String>,
}

impl Role {
    /// The names of the actions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    fn add(&mut self, action: String, why: String) {
        self.actions.entry(action).or_default().insert(why);
    }
}
