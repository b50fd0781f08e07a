//! What a role lets its holder do to a tenant's objects: the table of actions that count as access to them.
//!
//! Sources: Microsoft, "Azure permissions" (the names of the actions), "Authenticate clients for online endpoints"
//! (`score`, `listKeys` and `token` are actions, not data actions), "Understand Azure role definitions" (wildcards,
//! excluded actions).
//!
//! A role counts in two cases: it allows one of the actions listed here, or it names an action that resembles one, such
//! as `*/write` or a new action that this table does not have. A harmless action counted by mistake costs a line in a
//! report; a missed one would make the verdict wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evidence::{Permission, RoleDefinition};
use crate::permissions::actions::matches;

/// What someone can do to a tenant's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// Call the service.
    Score,
    /// Read or regenerate keys.
    ListKeys,
    /// Get a token for the service.
    Token,
    /// Create, change or delete.
    Write,
    /// Grant roles, also to oneself.
    Grant,
    /// Read or change data.
    Data,
    /// Act as an identity.
    ActAs,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Score => "call it",
            Self::ListKeys => "read its keys",
            Self::Token => "get tokens for it",
            Self::Write => "change or delete it",
            Self::Grant => "grant roles",
            Self::Data => "read or change its data",
            Self::ActAs => "act as its identity",
        })
    }
}

/// One row: the resource type, the capability, and the actions that give it.
struct Power {
    /// The resource type that the actions are for; empty for all types.
    of: &'static str,
    can: Capability,
    /// Actions that give the capability.
    actions: &'static [&'static str],
    /// Patterns: a role's action that matches one gives the capability too, unless the table has the action.
    like: &'static [&'static str],
    /// Data actions that give the capability.
    data: &'static [&'static str],
    /// Patterns for data actions, with the same effect as those in `like`.
    data_like: &'static [&'static str],
}

const NONE: Power =
    Power { of: "", can: Capability::Write, actions: &[], like: &[], data: &[], data_like: &[] };

pub(super) const ENDPOINT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
pub(super) const WORKSPACE: &str = "Microsoft.MachineLearningServices/workspaces";
pub(super) const STORAGE: &str = "Microsoft.Storage/storageAccounts";
pub(super) const VAULT: &str = "Microsoft.KeyVault/vaults";
pub(super) const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
pub(super) const PRIVATE_ENDPOINT: &str = "Microsoft.Network/privateEndpoints";
pub(super) const ACCOUNT: &str = "Microsoft.CognitiveServices/accounts";
const GROUP: &str = "Microsoft.Resources/resourceGroups";

/// The table. It has at most 64 rows, because [`Powers`] is a set of 64 bits.
const POWERS: [Power; 19] = [
    Power {
        of: ENDPOINT,
        can: Capability::Score,
        actions: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"],
        data: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"],
        ..NONE
    },
    Power {
        of: ENDPOINT,
        can: Capability::ListKeys,
        actions: &[
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/regenerateKeys/action",
        ],
        ..NONE
    },
    Power {
        of: ENDPOINT,
        can: Capability::Token,
        actions: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/token/action"],
        ..NONE
    },
    Power {
        of: ENDPOINT,
        can: Capability::Write,
        actions: &[
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/delete",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/delete",
        ],
        like: &[
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*write",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*delete",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*action",
        ],
        data_like: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*"],
        ..NONE
    },
    Power {
        of: ENDPOINT,
        can: Capability::Data,
        actions: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/getLogs/action"],
        ..NONE
    },
    Power {
        of: WORKSPACE,
        can: Capability::ListKeys,
        actions: &[
            "Microsoft.MachineLearningServices/workspaces/listKeys/action",
            "Microsoft.MachineLearningServices/workspaces/resyncKeys/action",
            "Microsoft.MachineLearningServices/workspaces/listStorageAccountKeys/action",
            "Microsoft.MachineLearningServices/workspaces/datastores/listSecrets/action",
            "Microsoft.MachineLearningServices/workspaces/connections/listSecrets/action",
        ],
        ..NONE
    },
    Power {
        of: WORKSPACE,
        can: Capability::Write,
        actions: &[
            "Microsoft.MachineLearningServices/workspaces/write",
            "Microsoft.MachineLearningServices/workspaces/delete",
            "Microsoft.MachineLearningServices/workspaces/datastores/write",
            "Microsoft.MachineLearningServices/workspaces/models/versions/write",
            "Microsoft.MachineLearningServices/workspaces/environments/versions/write",
            "Microsoft.MachineLearningServices/workspaces/jobs/write",
            "Microsoft.MachineLearningServices/workspaces/computes/write",
            "Microsoft.MachineLearningServices/workspaces/privateEndpointConnections/write",
            "Microsoft.MachineLearningServices/workspaces/privateEndpointConnectionsApproval/action",
        ],
        like: &[
            "Microsoft.MachineLearningServices/workspaces/*write",
            "Microsoft.MachineLearningServices/workspaces/*delete",
        ],
        ..NONE
    },
    Power {
        of: STORAGE,
        can: Capability::ListKeys,
        actions: &[
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/regenerateKey/action",
            "Microsoft.Storage/storageAccounts/listAccountSas/action",
            "Microsoft.Storage/storageAccounts/listServiceSas/action",
            "Microsoft.Storage/storageAccounts/localUsers/listKeys/action",
            "Microsoft.Storage/storageAccounts/localUsers/regeneratePassword/action",
        ],
        ..NONE
    },
    Power {
        of: STORAGE,
        can: Capability::Write,
        actions: &[
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/delete",
            "Microsoft.Storage/storageAccounts/localUsers/write",
            "Microsoft.Storage/storageAccounts/privateEndpointConnections/write",
            "Microsoft.Storage/storageAccounts/privateEndpointConnectionsApproval/action",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
        ],
        like: &["Microsoft.Storage/storageAccounts/*write", "Microsoft.Storage/storageAccounts/*delete"],
        ..NONE
    },
    Power {
        of: STORAGE,
        can: Capability::Data,
        data: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/read",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
            "Microsoft.Storage/storageAccounts/tableServices/tables/entities/read",
        ],
        data_like: &["Microsoft.Storage/storageAccounts/*"],
        ..NONE
    },
    Power {
        of: VAULT,
        can: Capability::Write,
        actions: &[
            "Microsoft.KeyVault/vaults/write",
            "Microsoft.KeyVault/vaults/delete",
            "Microsoft.KeyVault/vaults/accessPolicies/write",
            "Microsoft.KeyVault/vaults/secrets/write",
            "Microsoft.KeyVault/vaults/privateEndpointConnections/write",
            "Microsoft.KeyVault/vaults/privateEndpointConnectionsApproval/action",
        ],
        like: &["Microsoft.KeyVault/vaults/*write", "Microsoft.KeyVault/vaults/*delete"],
        ..NONE
    },
    // Reading a vault's properties gives no access to its secrets.
    Power {
        of: VAULT,
        can: Capability::Data,
        data: &[
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/setSecret/action",
            "Microsoft.KeyVault/vaults/secrets/delete",
            "Microsoft.KeyVault/vaults/keys/decrypt/action",
            "Microsoft.KeyVault/vaults/keys/sign/action",
            "Microsoft.KeyVault/vaults/certificates/create/action",
        ],
        data_like: &[
            "Microsoft.KeyVault/vaults/*action",
            "Microsoft.KeyVault/vaults/*write",
            "Microsoft.KeyVault/vaults/*delete",
        ],
        ..NONE
    },
    Power {
        of: IDENTITY,
        can: Capability::ActAs,
        actions: &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        ],
        like: &["Microsoft.ManagedIdentity/userAssignedIdentities/*action"],
        ..NONE
    },
    Power {
        of: IDENTITY,
        can: Capability::Write,
        actions: &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
        ],
        like: &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/*write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*delete",
        ],
        ..NONE
    },
    Power {
        of: PRIVATE_ENDPOINT,
        can: Capability::Write,
        actions: &[
            "Microsoft.Network/privateEndpoints/write",
            "Microsoft.Network/privateEndpoints/delete",
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/write",
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/delete",
        ],
        like: &["Microsoft.Network/privateEndpoints/*write", "Microsoft.Network/privateEndpoints/*delete"],
        ..NONE
    },
    Power {
        of: ACCOUNT,
        can: Capability::Score,
        data_like: &["Microsoft.CognitiveServices/*"],
        data: &["Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"],
        ..NONE
    },
    Power {
        of: ACCOUNT,
        can: Capability::Write,
        actions: &[
            "Microsoft.CognitiveServices/accounts/listKeys/action",
            "Microsoft.CognitiveServices/accounts/regenerateKey/action",
            "Microsoft.CognitiveServices/accounts/write",
            "Microsoft.CognitiveServices/accounts/delete",
            "Microsoft.CognitiveServices/accounts/deployments/write",
        ],
        like: &[
            "Microsoft.CognitiveServices/accounts/*write",
            "Microsoft.CognitiveServices/accounts/*delete",
        ],
        ..NONE
    },
    // Setting tags includes the ownership marks by which tenantry recognizes its own resources.
    Power {
        of: GROUP,
        can: Capability::Write,
        actions: &[
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            "Microsoft.Resources/tags/write",
        ],
        ..NONE
    },
    Power {
        of: "",
        can: Capability::Grant,
        actions: &[
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
            "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
            "Microsoft.Authorization/roleManagementPolicies/write",
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.Authorization/elevateAccess/action",
        ],
        like: &["Microsoft.Authorization/role*write", "Microsoft.Authorization/elevate*"],
        ..NONE
    },
];

/// Actions that match a pattern of the table but give no access.
const HARMLESS: [&str; 2] = [
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.MachineLearningServices/workspaces/metrics/*/write",
];

/// A set of rows of the table, such as those that a role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Powers(u64);

impl Powers {
    /// Every row: for a role that could not be read.
    pub const ALL: Self = Self(u64::MAX);

    /// The rows that a role allows.
    pub fn of_role(role: &RoleDefinition) -> Self {
        let rows = POWERS.iter().enumerate();
        let held = rows.filter(|(_, power)| role.permissions.iter().any(|entry| power.is_in(entry)));
        Self(held.fold(0, |bits, (at, _)| bits | 1 << at))
    }

    /// The rows for resources of the type `kind`.
    pub fn on(kind: &str) -> Self {
        let rows = POWERS.iter().enumerate();
        let about = rows.filter(|(_, power)| power.of.is_empty() || power.of.eq_ignore_ascii_case(kind));
        Self(about.fold(0, |bits, (at, _)| bits | 1 << at))
    }

    /// The rows that are in both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rows that are in at least one of the sets.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set has no rows.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The capabilities that the rows give, sorted, without duplicates.
    pub fn capabilities(self) -> Vec<Capability> {
        let rows = POWERS.iter().enumerate().filter(|(at, _)| self.0 & (1 << at) != 0);
        let mut can: Vec<Capability> = rows.map(|(_, power)| power.can).collect();
        can.sort_unstable();
        can.dedup();
        can
    }
}

impl Power {
    fn is_in(&self, entry: &Permission) -> bool {
        granted(self.actions, self.like, &entry.actions, &entry.not_actions)
            || granted(self.data, self.data_like, &entry.data_actions, &entry.not_data_actions)
    }
}

/// Whether a role with these `patterns` and excluded patterns (`not`) allows a `known` action, or has an action that
/// matches `like` and is not in the table.
///
/// Excluded patterns are matched with allowed patterns as text. Only a `*` matches a `*`, so an excluded pattern that
/// matches excludes everything that the allowed pattern allows.
fn granted(known: &[&str], like: &[&str], patterns: &[String], not: &[String]) -> bool {
    let left_out = |text: &str| not.iter().any(|pattern| matches(pattern, text));
    let allows = |action: &str| patterns.iter().any(|pattern| matches(pattern, action)) && !left_out(action);
    known.iter().any(|action| allows(action))
        || patterns.iter().any(|pattern| {
            like.iter().any(|shape| matches(shape, pattern)) && !is_known(pattern) && !left_out(pattern)
        })
}

/// Whether the table or [`HARMLESS`] has this action itself.
fn is_known(pattern: &str) -> bool {
    let named = POWERS.iter().flat_map(|power| power.actions.iter().chain(power.data));
    named.chain(&HARMLESS).any(|action| action.eq_ignore_ascii_case(pattern))
}
