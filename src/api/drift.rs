//! Whether a tenant is still as it was left, looked at now.

use serde_json::{Value, json};

use super::Response;
use crate::{audit::Scanner, ids::TenantId, ports::World};

/// Tenants per page unless asked otherwise, and at most: each costs a question per step.
const PAGE: (usize, usize) = (20, 50);

/// One tenant's report.
pub async fn drift(world: &World, scanner: &Scanner, id: &str) -> Response {
    let Ok(id) = id.parse() else { return Response::unknown_tenant() };
    let tenant = match world.store.load(&id).await {
        Ok(Some(stored)) => stored.value,
        Ok(None) => return Response::unknown_tenant(),
        Err(error) => return Response::unavailable(&error),
    };
    match scanner.scan(&tenant).await {
        Some(report) => Response::json(200, json!(report)),
        None => Response::problem(
            409,
            "not at rest",
            "the tenant is not active, or is being worked on; look again once it is active",
        ),
    }
}

/// The reports on a page of tenants, in the order of their ids; those that are not at rest have none. `after` is the last id
/// of the page before.
pub async fn drift_of_all(
    world: &World,
    scanner: &Scanner,
    after: Option<&str>,
    asked: Option<&str>,
) -> Response {
    let after = match after.map(str::parse::<TenantId>).transpose() {
        Ok(after) => after,
        Err(error) => return Response::problem(400, "bad query", &format!("after: {error}")),
    };
    let limit = super::tenants::limit(asked, PAGE);
    let tenants = match world.store.list(after.as_ref(), limit).await {
        Ok(tenants) => tenants,
        Err(error) => return Response::unavailable(&error),
    };
    let next = tenants.last().filter(|_| tenants.len() == limit).map(|last| last.id.clone());
    let (mut reports, mut skipped): (Vec<Value>, Vec<&TenantId>) = (Vec::new(), Vec::new());
    for tenant in &tenants {
        match scanner.scan(tenant).await {
            Some(report) => reports.push(json!(report)),
            None => skipped.push(&tenant.id),
        }
    }
    Response::json(200, json!({"reports": reports, "notAtRest": skipped, "next": next}))
}
