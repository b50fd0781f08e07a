//! HTTP calls about tenants: list, show, history, and submitting a request.

use serde_json::json;
use tenantry_core::{
    ids::TenantId,
    tenant::{Channel, Tenant},
};

use super::{Response, view};
use crate::{
    intake::{Intake, IntakeDecision, RequestAnswer},
    ports::{Listed, Ports, Unreadable},
    reconciler::Reconciler,
};

/// The default and the largest number of tenants per page.
const PAGE: (usize, usize) = (50, 200);
/// The default and the largest number of history rows per answer.
const ROWS: (usize, usize) = (100, 1000);

fn limit(asked: Option<&str>, (usual, most): (usize, usize)) -> usize {
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, most)
}

/// One page of tenants, ordered by id.
pub(super) struct Page {
    pub(super) rows: Vec<Listed>,
    /// The id after which the next page begins; `None` if this page is not full, so there is no next one.
    pub(super) next: Option<TenantId>,
}

impl Page {
    /// Loads the page that begins after an id. `asked` is the requested size; `sizes` are the default and the largest
    /// size.
    ///
    /// # Errors
    /// The response to send: 400 for an invalid `after`, 503 while the state is unavailable.
    pub(super) async fn load(
        ports: &Ports,
        after: Option<&str>,
        asked: Option<&str>,
        sizes: (usize, usize),
    ) -> Result<Self, Response> {
        let bad = |error| Response::problem(400, "bad query", &format!("after: {error}"));
        let after = after.map(str::parse::<TenantId>).transpose().map_err(bad)?;
        let limit = limit(asked, sizes);
        let listed = ports.store.list(after.as_ref(), limit).await;
        let rows = listed.map_err(|error| Response::unavailable(&error))?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.id().clone());
        Ok(Self { rows, next })
    }
}

/// Loads a tenant by the id in an HTTP call.
///
/// # Errors
/// The response to send: 404 if the tenant does not exist or the id is invalid, 503 while the state is unavailable, 500
/// if the tenant's document is unreadable.
pub(super) async fn load(ports: &Ports, id: &str) -> Result<Tenant, Response> {
    let Ok(id) = id.parse() else { return Err(Response::unknown_tenant()) };
    match ports.store.load(&id).await {
        Ok(Some(stored)) => Ok(stored.value),
        Ok(None) => Err(Response::unknown_tenant()),
        Err(error) => Err(Response::unavailable(&error)),
    }
}

/// Answers with one page of tenants, ordered by id. `after` is the last id of the previous page, `asked` the requested
/// page size.
pub async fn list(ports: &Ports, after: Option<&str>, asked: Option<&str>) -> Response {
    match Page::load(ports, after, asked, PAGE).await {
        Ok(Page { rows, next }) => {
            let row = |row: &Listed| match row {
                Listed::Readable(tenant) => view(tenant, true),
                Listed::Unreadable(Unreadable { tenant_id, why }) => {
                    json!({"tenantId": tenant_id, "status": "unreadable", "why": why})
                }
            };
            let views: Vec<_> = rows.iter().map(row).collect();
            Response::json(200, json!({"tenants": views, "next": next}))
        }
        Err(response) => response,
    }
}

/// Answers with one tenant and its steps.
pub async fn one(ports: &Ports, id: &str) -> Response {
    match load(ports, id).await {
        Ok(tenant) => Response::json(200, view(&tenant, false)),
        Err(response) => response,
    }
}

/// Answers with the history of one tenant, the newest row first. `asked` is the requested number of rows.
pub async fn history(ports: &Ports, id: &str, asked: Option<&str>) -> Response {
    let id = match load(ports, id).await {
        Ok(tenant) => tenant.id,
        Err(response) => return response,
    };
    match ports.store.history(&id, limit(asked, ROWS)).await {
        Ok(rows) => Response::json(200, json!({"tenantId": id, "history": rows})),
        Err(error) => Response::unavailable(&error),
    }
}

/// Takes in a request in the body of an HTTP call, with the same checks, ids and answers as for a message. The work
/// starts after the answer.
pub async fn submit(ports: &Ports, intake: &Intake, reconciler: &Reconciler, body: &[u8]) -> Response {
    match intake.take_in_from(&Channel::Operator, body).await {
        Ok(answer) => {
            answered(ports, (intake, reconciler), &Channel::Operator, &answer).await;
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// Schedules an immediate wake-up for a tenant. If that fails, the sweep reconciles the tenant.
pub async fn wake(ports: &Ports, id: &TenantId) {
    if let Err(failure) = ports.scheduler.schedule(id, ports.clock.now()).await {
        tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was sent; the sweep will reconcile the tenant");
    }
}

/// Does what follows an answer over HTTP: schedules a wake-up after an accepted request; publishes the events about a
/// refusal or a dry run.
pub(super) async fn answered(
    ports: &Ports,
    (intake, reconciler): (&Intake, &Reconciler),
    channel: &Channel,
    answer: &RequestAnswer,
) {
    match (answer.decision, &answer.tenant_id) {
        (IntakeDecision::Accepted, Some(id)) => {
            wake(ports, id).await;
        }
        (IntakeDecision::Accepted, None) => {}
        (IntakeDecision::Rejected | IntakeDecision::Planned, _) => {
            if let Some(key) = intake.record_of(channel, answer)
                && let Err(error) = reconciler.publish_refusal(&key).await
            {
                tracing::warn!(error = %error, "a refusal was not published yet; the sweep will publish it");
            }
        }
    }
}
