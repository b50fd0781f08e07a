//! Whether only a tenant reaches its service, looked at now.

use serde_json::json;

use super::Response;
use crate::{audit::Auditor, ids::TenantId, ports::World};

/// Tenants per page unless asked otherwise, and at most: each costs a dozen questions to Azure.
const PAGE: (usize, usize) = (20, 50);

/// One tenant's report.
pub async fn isolation(world: &World, auditor: &Auditor, id: &str) -> Response {
    let Ok(id) = id.parse() else { return Response::unknown_tenant() };
    let tenant = match world.store.load(&id).await {
        Ok(Some(stored)) => stored.value,
        Ok(None) => return Response::unknown_tenant(),
        Err(error) => return Response::unavailable(&error),
    };
    match auditor.verify(&[tenant]).await.pop() {
        Some(report) => Response::json(200, json!(report)),
        None => Response::problem(
            409,
            "nothing to verify",
            "the tenant is removed or being removed, so there is nothing to reach",
        ),
    }
}

/// The reports on a page of tenants, in the order of their ids; `after` is the last id of the page before.
pub async fn isolation_of_all(
    world: &World,
    auditor: &Auditor,
    after: Option<&str>,
    asked: Option<&str>,
) -> Response {
    let after = match after.map(str::parse::<TenantId>).transpose() {
        Ok(after) => after,
        Err(error) => return Response::problem(400, "bad query", &format!("after: {error}")),
    };
    let limit = super::tenants::limit(asked, PAGE);
    match world.store.list(after.as_ref(), limit).await {
        Ok(tenants) => {
            let next = tenants.last().filter(|_| tenants.len() == limit).map(|last| last.id.clone());
            let reports = auditor.verify(&tenants).await;
            Response::json(200, json!({"reports": reports, "next": next}))
        }
        Err(error) => Response::unavailable(&error),
    }
}
