//! The settings of the isolation check: who may reach tenants besides themselves, and what is done about a violation.

use tenantry_core::isolation::Allowed;
use uuid::Uuid;

use super::Reader;

/// The settings of the isolation check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Who may reach tenants besides themselves.
    pub allow: Vec<Allowed>,
    /// What is done about a tenant that others reach.
    pub quarantine: Quarantine,
}

/// What the timer of the isolation check does about a tenant that others reach. The violation is published in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quarantine {
    /// Nothing is changed; a person decides.
    #[default]
    Off,
    /// The timer revokes the access that others were granted on the tenant's own resources, where it can be revoked
    /// separately: role assignments, and federated credentials of the tenant's application.
    TakeBack,
    /// As [`Self::TakeBack`]. In addition, a tenant that others still reach is suspended together with its service.
    Suspend,
}

const NAME: &str = "TENANTRY_ISOLATION_ALLOW";

pub(super) fn isolation(reader: &mut Reader<'_>) -> Isolation {
    const QUARANTINE: &str = "TENANTRY_QUARANTINE";
    let quarantine = match reader.text(QUARANTINE).as_deref() {
        None | Some("off") => Quarantine::Off,
        Some("take-back") => Quarantine::TakeBack,
        Some("suspend") => Quarantine::Suspend,
        Some(_) => {
            reader.refuse(QUARANTINE, "it is `off`, `take-back` or `suspend`");
            Quarantine::Off
        }
    };
    Isolation { allow: allowed(reader), quarantine }
}

/// Reads who may reach tenants besides themselves. The setting is a JSON array, or the path of a file that contains
/// one.
fn allowed(reader: &mut Reader<'_>) -> Vec<Allowed> {
    let Some(given) = reader.text(NAME) else { return Vec::new() };
    let text = match given.starts_with('[') {
        true => Ok(given),
        false => std::fs::read_to_string(&given),
    };
    let entries: Vec<Allowed> = match text.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => {
            reader.refuse(NAME, format!("it is not a JSON array of declarations: {error}"));
            return Vec::new();
        }
        Err(error) => {
            reader.refuse(NAME, format!("that file can't be read: {error}"));
            return Vec::new();
        }
    };
    for (at, entry) in entries.iter().enumerate() {
        if let Some(fault) = fault(entry) {
            reader.refuse(NAME, format!("/{at}: {fault}"));
        }
    }
    entries
}

fn fault(entry: &Allowed) -> Option<&'static str> {
    match (&entry.principal, &entry.private_endpoints) {
        _ if entry.why.trim().is_empty() => Some("why is empty, and reports show it"),
        (Some(id), None) if Uuid::try_parse(id).is_err() => Some("principal is no GUID"),
        // The entry allows every private endpoint whose id begins with this text, so the text must name a subscription
        // at least.
        (None, Some(root)) if !root.starts_with("/subscriptions/") || root.len() < 20 => {
            Some("privateEndpoints is no id within a subscription")
        }
        (Some(_), None) | (None, Some(_)) => None,
        (Some(_), Some(_)) | (None, None) => Some("it names either principal or privateEndpoints"),
    }
}
