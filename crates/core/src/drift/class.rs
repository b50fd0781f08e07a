//! What a change may do, by where it is: one table.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::Kind;

/// What a change that nobody asked tenantry for may do to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// It may let somebody in, or take a protection away.
    Isolation,
    /// The service may be missing, broken, smaller or slower.
    Availability,
    /// A label or a name is another.
    Cosmetic,
}

impl DriftClass {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::Isolation, Self::Availability, Self::Cosmetic];

    /// The word in settings, events and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Availability => "availability",
            Self::Cosmetic => "cosmetic",
        }
    }
}

/// Where a difference is less than a matter of isolation: a pattern of a JSON pointer, and the class. `*` stands for any
/// one segment; what is below a pattern belongs to it. The first row that fits counts. Everything else is a matter of
/// isolation: who is let in, by what, as whom, over which network, with which key, whose code runs, whose it is.
const ROWS: [(&str, DriftClass); 30] = [
    // Whose it is.
    ("/tags/tenantry-deployment", DriftClass::Isolation),
    ("/tags/tenantry-tenant", DriftClass::Isolation),
    ("/tags/tenantry-incarnation", DriftClass::Isolation),
    ("/tags/*", DriftClass::Cosmetic),
    // How it is called.
    ("/displayName", DriftClass::Cosmetic),
    ("/description", DriftClass::Cosmetic),
    ("/notes", DriftClass::Cosmetic),
    ("/info/logoUrl", DriftClass::Cosmetic),
    ("/info/marketingUrl", DriftClass::Cosmetic),
    ("/properties/friendlyName", DriftClass::Cosmetic),
    ("/properties/displayName", DriftClass::Cosmetic),
    ("/properties/description", DriftClass::Cosmetic),
    // Whether it runs, and how much of it.
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

/// What is missing takes the service away, but for these: without them somebody else may get in, or nobody would notice.
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

/// The class of a difference at a JSON pointer, where it matters which way it goes: a principal that is to be disabled and
/// is not lets in whom a suspension keeps out.
pub fn class_of_difference(pointer: &str, wanted: Option<&Value>) -> DriftClass {
    match wanted {
        Some(Value::Bool(false)) if fits("/accountEnabled", pointer) => DriftClass::Isolation,
        _ => class_of(pointer),
    }
}

/// The class of a step whose object is not there: its kind, and its resource's type where it has one.
pub fn class_of_absence(kind: Kind, of: Option<&str>) -> DriftClass {
    match kind {
        // Identities, what they may do, and who may become them.
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
    pattern.split('/').all(|wanted| {
        segments.next().is_some_and(|segment| wanted == "*" || wanted.eq_ignore_ascii_case(segment))
    })
}
