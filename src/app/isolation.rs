//! Answers whether only the tenant itself reaches its service; each call checks it.

use serde_json::json;

use super::{
    Response,
    tenants::{Page, load},
};
use crate::{
    ports::{Listed, Ports},
    scan::IsolationScanner,
};

/// The default and the largest number of tenants per page. Each tenant costs about a dozen reads of Azure.
const PAGE: (usize, usize) = (20, 50);

/// Checks the isolation of one tenant and answers with the report; 409 if the tenant is removed or being removed.
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

/// Answers with the isolation reports of one page of tenants, ordered by id. `after` is the last id of the previous
/// page, `asked` the requested page size.
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
