//! Whether only a tenant reaches its service, looked at now.

use serde_json::json;

use super::{
    Response,
    tenants::{Page, load},
};
use crate::{
    ports::{Listed, World},
    scan::IsolationScanner,
};

/// Tenants per page unless asked otherwise, and at most: each costs a dozen questions to Azure.
const PAGE: (usize, usize) = (20, 50);

/// One tenant's report.
pub async fn isolation(world: &World, isolation_scanner: &IsolationScanner, id: &str) -> Response {
    let tenant = match load(world, id).await {
        Ok(tenant) => tenant,
        Err(response) => return response,
    };
    match isolation_scanner.verify(&[tenant]).await.pop() {
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
    isolation_scanner: &IsolationScanner,
    after: Option<&str>,
    asked: Option<&str>,
) -> Response {
    match Page::load(world, after, asked, PAGE).await {
        Ok(Page { rows, next }) => {
            let (tenants, unreadable) = Listed::sorted_out(rows);
            let reports = isolation_scanner.verify(&tenants).await;
            Response::json(200, json!({"reports": reports, "unreadable": unreadable, "next": next}))
        }
        Err(response) => response,
    }
}
