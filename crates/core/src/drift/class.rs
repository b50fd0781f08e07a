//! The table of drift classes: what a change may do, by its JSON pointer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::Kind;

/// What a change that nobody requested may do to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// The change may give someone access, or remove a protection.
    Isolation,
    /// The service may be missing, failing, smaller or slower.
    Availability,
    /// Only a label or a name differs.
    Cosmetic,
}

impl DriftClass {
    /// All classes, the most severe first.
    pub const ALL: [Self; 3] = [Self::Isolation, Self::Availability, Self::Cosmetic];

    /// The class's name in settings, events and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Availability => "availability",
            Self::Cosmetic => "cosmetic",
        }
    }
}

/// The class of a difference, by a pattern of its JSON pointer. `*` stands for any one segment; a pattern also covers
/// what is below it; the first matching row counts. A pointer without a row is of the class `isolation`: who has
/// access, by what, as whom, over which network, with which key, whose code runs, who owns it.
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
    // Whether the service runs, and its size.
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

/// Prefixes of resource types that protect a tenant. If such an object is missing, someone else may get access, or
/// access may not be logged. A missing object of any other type only affects the availability of the service.
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

/// Like [`class_of`], but takes the desired value into account: a principal that should be disabled and is enabled
/// gives access to a suspended tenant, which is of the class `isolation`.
pub fn class_of_difference(pointer: &str, desired: Option<&Value>) -> DriftClass {
    match desired {
        Some(Value::Bool(false)) if fits("/accountEnabled", pointer) => DriftClass::Isolation,
        _ => class_of(pointer),
    }
}

/// The class of a missing object, by the kind of its step and its resource type (`of`; `None` if it has none).
pub fn class_of_absence(kind: Kind, of: Option<&str>) -> DriftClass {
    match kind {
        // Identities, their rights, and who may act as them.
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
