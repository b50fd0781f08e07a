//! Revokes undeclared grants on a tenant's own resources. Each grant is read again first: it is deleted only if it is
//! still the one that was judged, and only by its own id, so that nothing else can be deleted.

use serde_json::Value;
use tenantry_core::{
    compare::{eq_ignore_case, text_at},
    ids::{BadId, ResourceId},
    isolation::{Given, IsolationReport, Reading, TakenBack},
    steps::{GraphPath, Method, ObjectId, Request, failure::classify},
};

use super::read::{AUTHORIZATION, one};
use crate::ports::Transport;

/// Revokes the grants that the report's findings name. Returns each with the outcome; empty if there were none.
pub(super) async fn take_back(transport: &dyn Transport, report: &IsolationReport) -> Vec<TakenBack> {
    let mut taken = Vec::new();
    for given in report.findings.iter().filter_map(|finding| finding.given.as_ref()) {
        if taken.iter().any(|past: &TakenBack| past.what == *given) {
            continue;
        }
        let outcome = match remove(transport, given).await {
            Ok(()) => TakenBack::REMOVED.to_owned(),
            Err(why) => why,
        };
        tracing::warn!(tenant.id = %report.tenant_id, outcome, "quarantine: revoked undeclared access");
        taken.push(TakenBack { what: given.clone(), outcome });
    }
    taken
}

async fn remove(transport: &dyn Transport, given: &Given) -> Result<(), String> {
    let read = request(given, Method::Get)?;
    match one(transport, read).await {
        Reading::Absent => return Ok(()),
        Reading::Unread(why) => return Err(format!("not removed: {why}")),
        Reading::Shown(shown) if !is_still(given, &shown) => {
            return Err("not removed: it has changed since".to_owned());
        }
        Reading::Shown(_) => {}
    }
    match transport.send(request(given, Method::Delete)?).await {
        Ok(reply) if reply.is_success() || reply.status == 404 => Ok(()),
        Ok(reply) => Err(format!("not removed: {}", classify(&reply).cause.message)),
        Err(failure) => Err(format!("perhaps not removed: {}", failure.cause.message)),
    }
}

fn request(given: &Given, method: Method) -> Result<Request, String> {
    match given {
        Given::RoleAssignment { id, .. } => {
            let id: ResourceId = id.parse().map_err(|why: BadId| format!("not removed: {why}"))?;
            Ok(Request::arm(method, &id, &AUTHORIZATION))
        }
        Given::FederatedCredential { application_id, name, .. } => {
            let application =
                ObjectId::read(application_id).ok_or("not removed: the application has no id")?;
            let path = GraphPath::of("/v1.0/applications").item(&application);
            Ok(Request::graph(method, path.then("/federatedIdentityCredentials").keyed("name", name)))
        }
    }
}

/// Whether the object that was read is still the grant that was judged.
fn is_still(given: &Given, shown: &Value) -> bool {
    let (pointer, desired, same): (_, _, fn(&str, &str) -> bool) = match given {
        Given::RoleAssignment { principal_id, .. } => {
            ("/properties/principalId", principal_id, eq_ignore_case)
        }
        // Case-sensitive, as Entra compares subjects.
        Given::FederatedCredential { subject, .. } => ("/subject", subject, |one, other| one == other),
    };
    !desired.is_empty() && same(text_at(shown, pointer), desired)
}
