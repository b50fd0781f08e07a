//! Whether only the tenant itself reaches its service, checked for each call.

use serde_json::json;

use super::{
    Response,
    tenants::{Page, load},
};
use crate::{
    ports::{Listed, Ports},
    scan::IsolationScanner,
};

/// Tenants per page by default, and at most: each costs a dozen reads in Azure.
const PAGE: (usize, usize) = (20, 50);

/// Checks the isolation of one tenant and answers with its report.
pub async fn isolation(ports: &Ports, isolation_scanner: &IsolationScanner, id: &str) -> Response {
    let tenant = match load(ports, id).await {
        Ok(tenant) => tenant,
        Err(response) => return response,
    };
    match isolation_scanner.verify(&[tenant]).await.pop() {
        Some(report) => Response::json(200, json!(report)),
        None => Response::problem(
            409,
            "nothing to verify",
            "the tenant is removed or being removed, so it has no service to check",
        ),
    }
}

/// The reports on one page of tenants, ordered by id; `after` is the last id of the previous page.
pub async fn isolation_of_all(
    ports: &Ports,
    isolation_scanner: &IsolationScanner,
    after: Option<&str>,
    asked: Option<&str>,
) -> Response {
    match Page::load(ports, after, asked, PAGE).await {
        Ok(Page { rows, next }) => {
            let (tenants, unreadable) = Listed::sorted_out(rows);
            let reports = isolation_scanner.verify(&tenants).await;
            Response::json(200, json!({"reports": reports, "unreadable": unreadable, "next": next}))
        }
        Err(response) => response,
    }
}
