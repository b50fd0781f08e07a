//! The table of drift classes: what a change may do, by its JSON pointer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::Kind;

/// What a change that nobody requested may do to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// It may give someone access, or remove a protection.
    Isolation,
    /// The service may be missing, failing, smaller or slower.
    Availability,
    /// Only a label or a name differs.
    Cosmetic,
}

impl DriftClass {
    /// All classes, the worst first.
    pub const ALL: [Self; 3] = [Self::Isolation, Self::Availability, Self::Cosmetic];

    /// The name in settings, events and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Availability => "availability",
            Self::Cosmetic => "cosmetic",
        }
    }
}

/// Differences that are less than a matter of isolation: a pattern of a JSON pointer, and the class. `*` stands for any
/// one segment; a pattern covers what is below it; the first matching row counts. Everything else is a matter of
/// isolation: who has access, by what, as whom, over which network, with which key, whose code runs, who owns it.
const ROWS: [(&str, DriftClass); 30] = [
    // Ownership.
    ("/tags/tenantry-deployment", DriftClass::Isolation),
    ("/tags/tenantry-tenant", DriftClass::Isolation),
    ("/tags/tenantry-incarnation", DriftClass::Isolation),
    ("/tags/*", DriftClass::Cosmetic),
    // Names.
    ("/displayName", DriftClass::Cosmetic),
    ("/description", DriftClass::Cosmetic),
    ("/notes", DriftClass::Cosmetic),
    ("/info/logoUrl", DriftClass::Cosmetic),
    ("/info/marketingUrl", DriftClass::Cosmetic),
    ("/properties/friendlyName", DriftClass::Cosmetic),
    ("/properties/displayName", DriftClass::Cosmetic),
    ("/properties/description", DriftClass::Cosmetic),
    // Whether it runs, and its size.
    ("/accountEnabled", DriftClass::Availability),
    ("/location", DriftClass::Availability),
    ("/sku", DriftClass::Availability),
    ("/zones", DriftClass::Availability),
    ("/properties/provisioningState", DriftClass::Availability),
    ("/properties/traffic", DriftClass::Availability),
    ("/properties/instanceType", DriftClass::Availability),
    ("/properties/instanceCount", DriftClass::Availability),
    ("/properties/scaleSettings", DriftClass::Availability),
    ("/properties/requestSettings", DriftClass::Availability),
    ("/properties/livenessProbe", DriftClass::Availability),
    ("/properties/readinessProbe", DriftClass::Availability),
    ("/properties/sku", DriftClass::Availability),
    ("/properties/capacity", DriftClass::Availability),
    ("/properties/accessTier", DriftClass::Availability),
    ("/properties/softDeleteRetentionInDays", DriftClass::Availability),
    ("/properties/retentionInDays", DriftClass::Availability),
    ("/properties/Application_Type", DriftClass::Availability),
];

/// Types that protect: a missing object of any other type only takes the service away, but without these someone else
/// may get access, or it would go unseen.
const PROTECTING: [&str; 6] = [
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Authorization",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Security",
];

/// The class of a difference at a JSON pointer into a resource.
pub fn class_of(pointer: &str) -> DriftClass {
    let row = ROWS.iter().find(|(pattern, _)| fits(pattern, pointer));
    row.map_or(DriftClass::Isolation, |(_, class)| *class)
}

/// The class of a difference whose direction matters: a principal that should be disabled and is enabled gives access
/// to a suspended tenant.
pub fn class_of_difference(pointer: &str, desired: Option<&Value>) -> DriftClass {
    match desired {
        Some(Value::Bool(false)) if fits("/accountEnabled", pointer) => DriftClass::Isolation,
        _ => class_of(pointer),
    }
}

/// The class of a missing object: by its step's kind, and its resource type if it has one.
pub fn class_of_absence(kind: Kind, of: Option<&str>) -> DriftClass {
    match kind {
        // Identities, their rights, and who may become them.
        Kind::RoleAssignment
        | Kind::EntraApplication
        | Kind::ServicePrincipal
        | Kind::FederatedCredential
        | Kind::Isolation => DriftClass::Isolation,
        Kind::Arm | Kind::ArmUpdate | Kind::Check => {
            let begins = |root: &str| {
                of.and_then(|of| of.get(..root.len())).is_some_and(|head| head.eq_ignore_ascii_case(root))
            };
            match PROTECTING.iter().any(|root| begins(root)) {
                true => DriftClass::Isolation,
                false => DriftClass::Availability,
            }
        }
    }
}

fn fits(pattern: &str, pointer: &str) -> bool {
    let mut segments = pointer.split('/');
    pattern.split('/').all(|desired| {
        segments.next().is_some_and(|segment| desired == "*" || desired.eq_ignore_ascii_case(segment))
    })
}
