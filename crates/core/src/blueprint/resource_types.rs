//! The table of resource types: what tenantry has to know of a type and a blueprint does not say.
//!
//! Sources: Microsoft's API descriptions of the versions named here, and the service documentation of each type (naming
//! rules, soft deletion, properties that can't change). Actions are those of Microsoft's list "Azure permissions"; a
//! role that names another one is refused. Linked resources need rights: for private endpoints and zone groups see
//! "Azure RBAC permissions for Private Link", for managed identities "Managed Identity Operator", for a workspace's
//! parts "Manage access to Azure Machine Learning workspaces". A type that is not listed can still be used: the
//! blueprint then has to give `apiVersion` and, if the default rule does not fit, `name`.

use crate::ids::ResourceId;

/// The rule for the derived names of a resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// The shortest and the longest length, in characters.
    pub length: (usize, usize),
    /// Whether hyphens are allowed. If not, the parts of a name are joined without a separator.
    pub hyphen: bool,
    /// The prefix of the names, e.g. `st` for storage accounts.
    pub prefix: &'static str,
}

/// How a resource shows its owner, so that another owner's resource is never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Resource tags `tenantry-deployment`, `tenantry-tenant`, `tenantry-incarnation`.
    Tags,
    /// The resource can't have tags; its derived name or its parent proves ownership.
    Identity,
}

/// The request that purges a soft-deleted resource; `{path}` is [`SoftDeletion::path`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// `POST {path}/purge`.
    Action,
    /// `DELETE {path}`.
    Delete,
}

/// Where Azure keeps a soft-deleted resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftDeletion {
    /// The path of the soft-deleted resource, relative to the subscription; `{location}`, `{group}` and `{name}` are
    /// filled in.
    pub path: &'static str,
    /// The request that purges the resource.
    pub purge: Purge,
}

/// Another resource that a body names by its id, and the right that the sender needs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// JSON pointer into the body to the id; `*` stands for every item of a list.
    pub at: &'static str,
    /// The end of the action that the sender needs, after the other resource's type, e.g. `join/action`.
    pub needs: &'static str,
}

impl SoftDeletion {
    /// The prefix of the actions on soft-deleted resources: the path without `providers` and placeholders, e.g.
    /// `Microsoft.KeyVault/locations/deletedVaults`.
    pub fn actions(&self) -> String {
        let fixed = self.path.split('/').skip(1).filter(|segment| !segment.starts_with('{'));
        fixed.collect::<Vec<_>>().join("/")
    }
}

/// A row of the table: what tenantry knows of one resource type.
#[derive(Debug, Clone, Copy)]
pub struct ResourceType {
    /// The name of the type, as `Namespace/type/subtype` in Azure's spelling.
    pub name: &'static str,
    /// The API version that is used if the blueprint gives none.
    pub api_version: &'static str,
    /// The rule for derived names; `None` if the blueprint has to name each resource, e.g. because the name is always
    /// `default`.
    pub names: Option<NameRule>,
    /// Whether the body has a `location`. If the blueprint gives none, the stamp's region is filled in.
    pub location: bool,
    /// How a resource of this type shows its owner.
    pub marker: Marker,
    /// JSON pointers into the body that can't change after creation: a new value there requires a replacement.
    pub immutable: &'static [&'static str],
    /// JSON pointers into the body. If the desired body does not set one, a write of an existing resource sends the
    /// observed value again.
    pub carry: &'static [&'static str],
    /// The query parameter with which a DELETE purges the resource at once, e.g. `forceToPurge=true`; `None` if there
    /// is none.
    pub purge_query: Option<&'static str>,
    /// Where a soft-deleted resource is read and purged; `None` if this type is not kept after deletion.
    pub soft_deletion: Option<SoftDeletion>,
    /// JSON pointer into the body to a subnet's id. A write of the resource changes the virtual network of this subnet,
    /// and Azure allows one change of a network at a time: parallel ones are refused with codes such as
    /// `RetryableErrorDueToAnotherOperation`.
    pub serialise: Option<&'static str>,
    /// The prefix of the type's actions; `None` if it is the name of the type.
    pub actions: Option<&'static str>,
    /// Other resources that the body names, and the rights that the sender needs on them.
    pub links: &'static [Link],
    /// The action that is needed to poll a running write; `None` if Azure publishes none.
    pub asks_write: Option<&'static str>,
    /// The action that is needed to poll a running deletion or purge; `None` if Azure publishes none.
    pub asks_delete: Option<&'static str>,
}

const PLAIN: ResourceType = ResourceType {
    name: "",
    api_version: "",
    names: None,
    location: true,
    marker: Marker::Tags,
    immutable: &["/location"],
    carry: &[],
    purge_query: None,
    soft_deletion: None,
    serialise: None,
    actions: None,
    links: &[],
    asks_write: None,
    asks_delete: None,
};

const fn rule(prefix: &'static str, min: usize, max: usize, hyphen: bool) -> Option<NameRule> {
    Some(NameRule { length: (min, max), hyphen, prefix })
}

const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "Microsoft.Resources/resourceGroups",
        api_version: "2024-07-01",
        names: rule("rg", 1, 90, true),
        actions: Some("Microsoft.Resources/subscriptions/resourceGroups"),
        asks_delete: Some("Microsoft.Resources/subscriptions/operationresults/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities",
        api_version: "2023-01-31",
        names: rule("id", 3, 128, true),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.Storage/storageAccounts",
        api_version: "2023-05-01",
        names: rule("st", 3, 24, false),
        immutable: &["/location", "/kind"],
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.KeyVault/vaults",
        api_version: "2023-07-01",
        names: rule("kv", 3, 24, true),
        immutable: &["/location", "/properties/tenantId"],
        soft_deletion: Some(SoftDeletion {
            path: "providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}",
            purge: Purge::Action,
        }),
        asks_delete: Some("Microsoft.KeyVault/locations/operationResults/read"),
        ..PLAIN
    },
    // Azure keeps a deleted account for 48 hours with its name and subdomain. Purging it needs a permission in the
    // subscription.
    ResourceType {
        name: "Microsoft.CognitiveServices/accounts",
        api_version: "2024-10-01",
        names: rule("ai", 2, 64, true),
        immutable: &["/location", "/kind", "/properties/customSubDomainName"],
        soft_deletion: Some(SoftDeletion {
            path: "providers/Microsoft.CognitiveServices/locations/{location}/resourceGroups/{group}/deletedAccounts/{name}",
            purge: Purge::Delete,
        }),
        asks_delete: Some("Microsoft.CognitiveServices/locations/operationresults/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.Insights/components",
        api_version: "2020-02-02",
        names: rule("appi", 1, 255, true),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.MachineLearningServices/workspaces",
        api_version: "2024-10-01",
        names: rule("mlw", 3, 33, true),
        immutable: &["/location", "/properties/storageAccount", "/properties/keyVault"],
        purge_query: Some("forceToPurge=true"),
        links: &[
            Link { at: "/properties/storageAccount", needs: "read" },
            Link { at: "/properties/keyVault", needs: "read" },
            Link { at: "/properties/applicationInsights", needs: "read" },
        ],
        asks_write: Some("Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read"),
        asks_delete: Some("Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        api_version: "2024-10-01",
        names: rule("ep", 3, 32, true),
        immutable: &["/location", "/identity/type", "/properties/authMode"],
        carry: &["/properties/traffic"],
        asks_write: Some("Microsoft.MachineLearningServices/locations/mfeOperationsStatus/read"),
        asks_delete: Some("Microsoft.MachineLearningServices/locations/mfeOperationResults/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
        api_version: "2024-10-01",
        names: rule("dep", 3, 32, true),
        immutable: &["/location", "/properties/endpointComputeType"],
        asks_write: Some("Microsoft.MachineLearningServices/locations/mfeOperationsStatus/read"),
        asks_delete: Some("Microsoft.MachineLearningServices/locations/mfeOperationResults/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.Network/privateEndpoints",
        api_version: "2024-03-01",
        names: rule("pe", 2, 64, true),
        immutable: &["/location", "/properties/subnet/id"],
        serialise: Some("/properties/subnet/id"),
        links: &[
            Link { at: "/properties/subnet/id", needs: "join/action" },
            Link {
                at: "/properties/privateLinkServiceConnections/*/properties/privateLinkServiceId",
                needs: "privateEndpointConnectionsApproval/action",
            },
        ],
        asks_write: Some("Microsoft.Network/locations/operations/read"),
        asks_delete: Some("Microsoft.Network/locations/operationResults/read"),
        ..PLAIN
    },
    ResourceType {
        name: "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        api_version: "2024-03-01",
        location: false,
        marker: Marker::Identity,
        immutable: &[],
        links: &[Link {
            at: "/properties/privateDnsZoneConfigs/*/properties/privateDnsZoneId",
            needs: "join/action",
        }],
        asks_write: Some("Microsoft.Network/locations/operations/read"),
        asks_delete: Some("Microsoft.Network/locations/operationResults/read"),
        ..PLAIN
    },
];

impl ResourceType {
    /// The row of a type; the name is compared without case, as Azure does.
    pub fn find(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|row| row.name.eq_ignore_ascii_case(name))
    }

    /// The row of the type of the resource with this ARM id; `None` if the text is no id, or the table does not have
    /// its type.
    pub fn of_id(id: &str) -> Option<&'static Self> {
        Self::find(&Self::type_of_id(id)?)
    }

    /// The resource type of an ARM id, e.g. `Microsoft.Network/privateEndpoints`; `None` if the text is not the id of a
    /// resource.
    pub fn type_of_id(id: &str) -> Option<String> {
        id.parse::<ResourceId>().ok()?.resource_type()
    }

    /// The prefix of a type's actions: its name, with few exceptions.
    pub fn actions_of(name: &str) -> &str {
        Self::find(name).map_or(name, |row| row.actions.unwrap_or(row.name))
    }

    /// Every row of the table.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TYPES.iter()
    }
}
