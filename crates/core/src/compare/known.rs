//! The table of special comparison rules, per type and path.
//!
//! Sources: Microsoft's API descriptions of each type (read-only members, defaults, sets), the pages of Microsoft
//! Graph, and public issues in which a tool reported false differences. Paths are JSON pointers, compared without case;
//! `*` stands for any one segment, and `**/x` for a member `x` at any depth.

use serde_json::{Value, json};

/// How the values at one path compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Texts are compared with case.
    Exact,
    /// An enum value: compared without case, also where other texts are compared with case.
    Token,
    /// The id of a role definition: only its GUID counts.
    Role,
    /// An Azure region: `West Europe` equals `westeurope`.
    Region,
    /// A URL: a slash that the service adds at the end does not matter.
    Address,
    /// A list in which order and repetitions do not matter.
    Set,
    /// A list whose items are identified by the member of this name.
    Keyed(&'static str),
    /// A map that is desired as a whole: an extra member is a difference.
    Whole,
    /// Read-only or write-only: never compared.
    Never,
    /// If the service leaves the member out, it has this default value.
    Absent(Implied),
}

/// The default value that a service uses for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Implied {
    /// A Boolean.
    Is(bool),
    /// An enum value.
    Token(&'static str),
    /// A number.
    Number(i64),
}

impl Implied {
    pub(super) fn value(self) -> Value {
        match self {
            Self::Is(is) => json!(is),
            Self::Token(token) => json!(token),
            Self::Number(number) => json!(number),
        }
    }
}

use Implied::{Is, Number, Token};
use Rule::{Absent, Address, Exact, Keyed, Never, Region, Role, Set, Whole};

type Row = (&'static str, Rule);

/// The rules for every type of Resource Manager.
const ARM: &[Row] = &[
    // Only Azure sets these members.
    ("/id", Never),
    ("/name", Never),
    ("/type", Never),
    ("/etag", Never),
    ("/systemData", Never),
    ("/properties/provisioningState", Never),
    ("/identity/principalId", Never),
    ("/identity/tenantId", Never),
    // Names of tags are compared without case, their values with case.
    ("/tags/*", Exact),
    // Texts for people are compared with case.
    ("/properties/displayName", Exact),
    ("/properties/friendlyName", Exact),
    ("/properties/description", Exact),
    ("**/location", Region),
    ("**/roleDefinitionId", Role),
    ("/zones", Set),
    ("/properties/networkAcls/bypass", Rule::Token),
    ("/properties/networkAcls/ipRules", Keyed("value")),
    ("/properties/networkAcls/virtualNetworkRules", Keyed("id")),
];

/// The rules for every type of Microsoft Graph.
const GRAPH: &[Row] = &[
    ("/id", Never),
    ("/appId", Never),
    ("/createdDateTime", Never),
    ("/deletedDateTime", Never),
    ("/publisherDomain", Never),
    // Steps check ownership tags by themselves; others may add tags.
    ("/tags", Never),
];

/// The rules of one type.
struct Known {
    kind: &'static str,
    rows: &'static [Row],
}

const KNOWN: &[Known] = &[
    Known {
        kind: "Microsoft.Storage/storageAccounts",
        rows: &[
            ("/properties/publicNetworkAccess", Absent(Token("Enabled"))),
            ("/properties/supportsHttpsTrafficOnly", Absent(Is(true))),
            ("/properties/allowSharedKeyAccess", Absent(Is(true))),
            ("/properties/isHnsEnabled", Absent(Is(false))),
            ("/properties/isSftpEnabled", Absent(Is(false))),
            ("/properties/isLocalUserEnabled", Absent(Is(true))),
            ("/properties/isNfsV3Enabled", Absent(Is(false))),
            ("/properties/defaultToOAuthAuthentication", Absent(Is(false))),
            ("/properties/allowCrossTenantReplication", Absent(Is(false))),
            ("/properties/networkAcls/resourceAccessRules", Set),
        ],
    },
    Known {
        kind: "Microsoft.KeyVault/vaults",
        rows: &[
            ("/properties/createMode", Never),
            ("/properties/accessPolicies", Keyed("objectId")),
            ("/properties/accessPolicies/*/permissions/*", Set),
            ("/properties/vaultUri", Address),
            ("/properties/publicNetworkAccess", Absent(Token("Enabled"))),
            ("/properties/enableSoftDelete", Absent(Is(true))),
            ("/properties/softDeleteRetentionInDays", Absent(Number(90))),
            ("/properties/enablePurgeProtection", Absent(Is(false))),
            ("/properties/enableRbacAuthorization", Absent(Is(false))),
            ("/properties/enabledForDeployment", Absent(Is(false))),
            ("/properties/enabledForDiskEncryption", Absent(Is(false))),
            ("/properties/enabledForTemplateDeployment", Absent(Is(false))),
        ],
    },
    Known {
        kind: "Microsoft.CognitiveServices/accounts",
        rows: &[
            ("/properties/restore", Never),
            ("/properties/migrationToken", Never),
            ("/properties/endpoint", Address),
            ("/properties/allowedFqdnList", Set),
            ("/properties/publicNetworkAccess", Absent(Token("Enabled"))),
            ("/properties/disableLocalAuth", Absent(Is(false))),
            ("/properties/restrictOutboundNetworkAccess", Absent(Is(false))),
            ("/properties/allowProjectManagement", Absent(Is(false))),
        ],
    },
    Known {
        kind: "Microsoft.CognitiveServices/accounts/deployments",
        rows: &[("/properties/versionUpgradeOption", Absent(Token("OnceCurrentVersionExpired")))],
    },
    Known {
        kind: "Microsoft.MachineLearningServices/workspaces",
        rows: &[
            ("/properties/v1LegacyMode", Absent(Is(false))),
            ("/properties/hbiWorkspace", Absent(Is(false))),
            ("/properties/provisionNetworkNow", Never),
        ],
    },
    Known {
        kind: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        rows: &[
            ("/properties/traffic", Whole),
            ("/properties/keys", Never),
            ("/properties/publicNetworkAccess", Absent(Token("Enabled"))),
        ],
    },
    Known {
        kind: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
        rows: &[
            ("/properties/environmentVariables/*", Exact),
            ("/properties/codeConfiguration/scoringScript", Exact),
            ("/properties/modelMountPath", Exact),
            ("/properties/appInsightsEnabled", Absent(Is(false))),
            ("/properties/egressPublicNetworkAccess", Absent(Token("Enabled"))),
        ],
    },
    Known {
        kind: "Microsoft.Network/privateEndpoints",
        rows: &[
            ("/properties/privateLinkServiceConnections", Keyed("name")),
            ("/properties/privateLinkServiceConnections/*/properties/groupIds", Set),
            ("/properties/privateLinkServiceConnections/*/properties/requestMessage", Never),
            ("/properties/manualPrivateLinkServiceConnections", Keyed("name")),
            ("/properties/manualPrivateLinkServiceConnections/*/properties/groupIds", Set),
            ("/properties/manualPrivateLinkServiceConnections/*/properties/requestMessage", Never),
            ("/properties/applicationSecurityGroups", Keyed("id")),
            ("/properties/customDnsConfigs", Never),
            ("/properties/networkInterfaces", Never),
        ],
    },
    Known {
        kind: "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        rows: &[("/properties/privateDnsZoneConfigs", Keyed("name"))],
    },
    Known {
        kind: "Microsoft.Network/virtualNetworks",
        rows: &[("/properties/addressSpace/addressPrefixes", Set)],
    },
    Known {
        kind: "Microsoft.Network/networkSecurityGroups",
        rows: &[
            ("/properties/securityRules/*/properties/sourceAddressPrefixes", Set),
            ("/properties/securityRules/*/properties/destinationAddressPrefixes", Set),
            ("/properties/securityRules/*/properties/sourcePortRanges", Set),
            ("/properties/securityRules/*/properties/destinationPortRanges", Set),
        ],
    },
    Known {
        kind: "Microsoft.Insights/components",
        rows: &[
            ("/properties/DisableIpMasking", Absent(Is(false))),
            ("/properties/DisableLocalAuth", Absent(Is(false))),
        ],
    },
    Known {
        kind: "Microsoft.Insights/diagnosticSettings",
        rows: &[("/properties/logs", Set), ("/properties/metrics", Set)],
    },
    Known {
        kind: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        rows: &[
            ("/properties/issuer", Exact),
            ("/properties/subject", Exact),
            ("/properties/audiences", Set),
            ("/properties/audiences/*", Exact),
        ],
    },
    Known {
        kind: super::graph::APPLICATION,
        rows: &[
            ("/signInAudience", Rule::Token),
            ("/isFallbackPublicClient", Absent(Is(false))),
            ("/isDeviceOnlyAuthSupported", Absent(Is(false))),
            ("/identifierUris", Set),
            ("/web/redirectUris", Set),
            ("/web/redirectUriSettings", Keyed("uri")),
            ("/spa/redirectUris", Set),
            ("/publicClient/redirectUris", Set),
            ("/requiredResourceAccess", Keyed("resourceAppId")),
            ("/requiredResourceAccess/*/resourceAccess", Keyed("id")),
            ("/appRoles", Keyed("id")),
            ("/appRoles/*/allowedMemberTypes", Set),
            ("/api/knownClientApplications", Set),
            ("/api/oauth2PermissionScopes", Keyed("id")),
            ("/api/preAuthorizedApplications", Keyed("appId")),
            ("/api/preAuthorizedApplications/*/delegatedPermissionIds", Set),
            ("/optionalClaims/*", Keyed("name")),
            ("/passwordCredentials", Keyed("keyId")),
            ("/keyCredentials", Keyed("keyId")),
        ],
    },
    Known {
        kind: super::graph::SERVICE_PRINCIPAL,
        rows: &[
            ("/appRoleAssignmentRequired", Absent(Is(false))),
            ("/alternativeNames", Set),
            ("/servicePrincipalNames", Set),
            ("/replyUrls", Set),
            ("/notificationEmailAddresses", Set),
            ("/passwordCredentials", Keyed("keyId")),
            ("/keyCredentials", Keyed("keyId")),
        ],
    },
    Known { kind: super::graph::FEDERATED_CREDENTIAL, rows: &[("/audiences", Set)] },
];

/// The rules of one type, together with those of all types.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    own: &'static [Row],
    common: &'static [Row],
    graph: bool,
}

impl Rules {
    pub(super) fn of(kind: &str) -> Self {
        let graph = kind.starts_with("microsoft.graph.");
        let own = KNOWN.iter().find(|known| known.kind.eq_ignore_ascii_case(kind));
        let common = if graph { GRAPH } else { ARM };
        Self { own: own.map_or(&[], |known| known.rows), common, graph }
    }

    pub(super) fn is_graph(&self) -> bool {
        self.graph
    }

    /// The rule at a JSON pointer; the type's own rules come first.
    pub(super) fn at(&self, pointer: &str) -> Option<Rule> {
        self.own.iter().chain(self.common).find(|(pattern, _)| fits(pattern, pointer)).map(|(_, rule)| *rule)
    }
}

fn fits(pattern: &str, pointer: &str) -> bool {
    if let Some(name) = pattern.strip_prefix("**/") {
        return pointer.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name));
    }
    let (mut desired, mut segments) = (pattern.split('/'), pointer.split('/'));
    loop {
        match (desired.next(), segments.next()) {
            (None, None) => return true,
            (Some(desired), Some(segment)) if desired == "*" || desired.eq_ignore_ascii_case(segment) => {}
            _ => return false,
        }
    }
}
