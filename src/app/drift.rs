//! Answers whether tenants still match their desired state; each call reads Azure.

use serde_json::{Value, json};
use tenantry_core::ids::TenantId;

use super::{
    Response,
    tenants::{Page, load},
};
use crate::{
    ports::{Listed, Ports},
    scan::DriftScanner,
};

/// The default and the largest number of tenants per page. Each tenant costs one read of Azure per step.
const PAGE: (usize, usize) = (20, 50);

/// Checks one tenant for drift and answers with the report; 409 if the tenant is not active or is being worked on.
pub async fn drift(ports: &Ports, scanner: &DriftScanner, id: &str) -> Response {
    let tenant = match load(ports, id).await {
        Ok(tenant) => tenant,
        Err(response) => return response,
    };
    match scanner.scan(&tenant).await {
        Some(report) => Response::json(200, json!(report)),
        None => Response::problem(
            409,
            "not at rest",
            "the tenant is not active, or is being worked on; try again once it is active",
        ),
    }
}

/// Answers with the drift reports of one page of tenants, ordered by id. Tenants that are not at rest have no report
/// and are listed in `notAtRest`. `after` is the last id of the previous page, `asked` the requested page size.
pub async fn drift_of_all(
    ports: &Ports,
    scanner: &DriftScanner,
    after: Option<&str>,
    asked: Option<&str>,
) -> Response {
    let Page { rows, next } = match Page::load(ports, after, asked, PAGE).await {
        Ok(page) => page,
        Err(response) => return response,
    };
    let (tenants, unreadable) = Listed::sorted_out(rows);
    let (mut reports, mut skipped): (Vec<Value>, Vec<&TenantId>) = (Vec::new(), Vec::new());
    for tenant in &tenants {
        match scanner.scan(tenant).await {
            Some(report) => reports.push(json!(report)),
            None => skipped.push(&tenant.id),
        }
    }
    let answer = json!({"reports": reports, "notAtRest": skipped, "unreadable": unreadable, "next": next});
    Response::json(200, answer)
}
