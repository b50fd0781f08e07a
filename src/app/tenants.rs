//! Tenants over HTTP: list, show, submit, history.

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

/// Tenants per page by default, and at most.
const PAGE: (usize, usize) = (50, 200);
/// History rows per answer by default, and at most.
const ROWS: (usize, usize) = (100, 1000);

fn limit(asked: Option<&str>, (usual, most): (usize, usize)) -> usize {
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, most)
}

/// One page of tenants, ordered by id.
pub(super) struct Page {
    pub(super) rows: Vec<Listed>,
    /// The id after which the next page begins; `None` on the last page.
    pub(super) next: Option<TenantId>,
}

impl Page {
    /// Loads the page after an id; `sizes` are the default size and the largest.
    ///
    /// # Errors
    /// The response for an invalid query, or while the state is unavailable.
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

/// Loads a tenant by its id.
///
/// # Errors
/// The response to send: the same 404 if the tenant does not exist or the id is invalid; 503 while the state is
/// unavailable; 500 if the row is unreadable.
pub(super) async fn load(ports: &Ports, id: &str) -> Result<Tenant, Response> {
    let Ok(id) = id.parse() else { return Err(Response::unknown_tenant()) };
    match ports.store.load(&id).await {
        Ok(Some(stored)) => Ok(stored.value),
        Ok(None) => Err(Response::unknown_tenant()),
        Err(error) => Err(Response::unavailable(&error)),
    }
}

/// Tenants ordered by id; `after` is the last id of the previous page.
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

/// Answers with the view of one tenant.
pub async fn one(ports: &Ports, id: &str) -> Response {
    match load(ports, id).await {
        Ok(tenant) => Response::json(200, view(&tenant, false)),
        Err(response) => response,
    }
}

/// Answers with the history of one tenant, the newest row first.
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

/// Takes in a request: the same checks, ids and answers as for a message. The work starts after the answer.
pub async fn submit(ports: &Ports, intake: &Intake, reconciler: &Reconciler, body: &[u8]) -> Response {
    match intake.take_in_from(&Channel::Operator, body).await {
        Ok(answer) => {
            answered(ports, (intake, reconciler), &Channel::Operator, &answer).await;
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// Schedules a wake-up for a tenant at once.
pub async fn wake(ports: &Ports, id: &TenantId) {
    if let Err(failure) = ports.scheduler.schedule(id, ports.clock.now()).await {
        tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was sent; the sweep will reconcile the tenant");
    }
}

/// Follows up an answer that was given over HTTP: a wake-up for an accepted request, an event for a refused one.
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
