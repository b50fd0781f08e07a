//! List, look, submit, history.

use serde_json::json;
use tenantry_core::{
    ids::TenantId,
    tenant::{Channel, Tenant},
};

use super::{Response, view};
use crate::{
    intake::{Intake, IntakeDecision, RequestAnswer},
    ports::{Listed, Unreadable, World},
    reconciler::Reconciler,
};

/// Tenants per page unless asked otherwise, and at most.
const PAGE: (usize, usize) = (50, 200);
/// History rows per answer unless asked otherwise, and at most.
const ROWS: (usize, usize) = (100, 1000);

fn limit(asked: Option<&str>, (usual, most): (usize, usize)) -> usize {
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, most)
}

/// Part of all tenants, in the order of their ids.
pub(super) struct Page {
    pub(super) rows: Vec<Listed>,
    /// The id to go on after; none if there are no more.
    pub(super) next: Option<TenantId>,
}

impl Page {
    /// The tenants after the last id of the page before; how many there are usually, and at most.
    ///
    /// # Errors
    /// The answer to a query that can't be read, or while the state can't be.
    pub(super) async fn load(
        world: &World,
        after: Option<&str>,
        asked: Option<&str>,
        sizes: (usize, usize),
    ) -> Result<Self, Response> {
        let bad = |error| Response::problem(400, "bad query", &format!("after: {error}"));
        let after = after.map(str::parse::<TenantId>).transpose().map_err(bad)?;
        let limit = limit(asked, sizes);
        let listed = world.store.list(after.as_ref(), limit).await;
        let rows = listed.map_err(|error| Response::unavailable(&error))?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.id().clone());
        Ok(Self { rows, next })
    }
}

/// A tenant by its id.
///
/// # Errors
/// The answer if there is none, or while the state can't be read; the same for ids that can't be.
pub(super) async fn load(world: &World, id: &str) -> Result<Tenant, Response> {
    let Ok(id) = id.parse() else { return Err(Response::unknown_tenant()) };
    match world.store.load(&id).await {
        Ok(Some(stored)) => Ok(stored.value),
        Ok(None) => Err(Response::unknown_tenant()),
        Err(error) => Err(Response::unavailable(&error)),
    }
}

/// Tenants in the order of their ids; `after` is the last id of the page before.
pub async fn list(world: &World, after: Option<&str>, asked: Option<&str>) -> Response {
    match Page::load(world, after, asked, PAGE).await {
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

/// One tenant.
pub async fn one(world: &World, id: &str) -> Response {
    match load(world, id).await {
        Ok(tenant) => Response::json(200, view(&tenant, false)),
        Err(response) => response,
    }
}

/// One tenant's history, the newest row first.
pub async fn history(world: &World, id: &str, asked: Option<&str>) -> Response {
    let id = match load(world, id).await {
        Ok(tenant) => tenant.id,
        Err(response) => return response,
    };
    match world.store.history(&id, limit(asked, ROWS)).await {
        Ok(rows) => Response::json(200, json!({"tenantId": id, "history": rows})),
        Err(error) => Response::unavailable(&error),
    }
}

/// Takes a request in: the same checks, ids and answers as for a message. The work is done after the answer.
pub async fn submit(world: &World, intake: &Intake, reconciler: &Reconciler, body: &[u8]) -> Response {
    match intake.take_in_from(&Channel::Operator, body).await {
        Ok(answer) => {
            answered(world, (intake, reconciler), &Channel::Operator, &answer).await;
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// Has a tenant driven soon, by whoever is woken.
pub async fn wake(world: &World, id: &TenantId) {
    if let Err(failure) = world.alarm.wake(id, world.clock.now()).await {
        tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was sent; the sweep will do");
    }
}

/// What follows an answer that was given over HTTP: a wake-up for what was taken, an event for what was refused.
pub(super) async fn answered(
    world: &World,
    (intake, reconciler): (&Intake, &Reconciler),
    channel: &Channel,
    answer: &RequestAnswer,
) {
    match (answer.verdict, &answer.tenant_id) {
        (IntakeDecision::Accepted, Some(id)) => {
            wake(world, id).await;
        }
        (IntakeDecision::Accepted, None) => {}
        (IntakeDecision::Rejected | IntakeDecision::Planned, _) => {
            if let Some(key) = intake.record_of(channel, answer)
                && let Err(error) = reconciler.tell_refusal(&key).await
            {
                tracing::warn!(error = %error, "a refusal was not told yet; the sweep will do");
            }
        }
    }
}
