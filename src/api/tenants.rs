//! List, look, submit, history.

use serde_json::json;

use super::{Response, view};
use crate::{
    ids::TenantId,
    intake::{Intake, Verdict},
    ports::World,
    runner::Runner,
};

/// Tenants per page unless asked otherwise, and at most.
const PAGE: (usize, usize) = (50, 200);
/// History rows per answer unless asked otherwise, and at most.
const ROWS: (usize, usize) = (100, 1000);

pub(super) fn limit(asked: Option<&str>, (usual, most): (usize, usize)) -> usize {
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, most)
}

/// Tenants in the order of their ids; `after` is the last id of the page before.
pub async fn list(world: &World, after: Option<&str>, asked: Option<&str>) -> Response {
    let after = match after.map(str::parse::<TenantId>).transpose() {
        Ok(after) => after,
        Err(error) => return Response::problem(400, "bad query", &format!("after: {error}")),
    };
    let limit = limit(asked, PAGE);
    match world.store.list(after.as_ref(), limit).await {
        Ok(tenants) => {
            let next = tenants.last().filter(|_| tenants.len() == limit).map(|last| last.id.clone());
            let views: Vec<_> = tenants.iter().map(|tenant| view(tenant, true)).collect();
            Response::json(200, json!({"tenants": views, "next": next}))
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// One tenant.
pub async fn one(world: &World, id: &str) -> Response {
    let Ok(id) = id.parse() else { return Response::unknown_tenant() };
    match world.store.load(&id).await {
        Ok(Some(stored)) => Response::json(200, view(&stored.value, false)),
        Ok(None) => Response::unknown_tenant(),
        Err(error) => Response::unavailable(&error),
    }
}

/// One tenant's history, the newest row first.
pub async fn history(world: &World, id: &str, asked: Option<&str>) -> Response {
    let Ok(id) = id.parse() else { return Response::unknown_tenant() };
    match world.store.load(&id).await {
        Ok(Some(_)) => {}
        Ok(None) => return Response::unknown_tenant(),
        Err(error) => return Response::unavailable(&error),
    }
    match world.store.history(&id, limit(asked, ROWS)).await {
        Ok(rows) => Response::json(200, json!({"tenantId": id, "history": rows})),
        Err(error) => Response::unavailable(&error),
    }
}

/// Takes a request in: the same checks, ids and answers as for a message. The work is done after the answer.
pub async fn submit(world: &World, intake: &Intake, runner: &Runner, body: &[u8]) -> Response {
    match intake.take_in(body).await {
        Ok(answer) => {
            answered(world, intake, runner, &answer).await;
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// What follows an answer that was given over HTTP: a wake-up for what was taken, an event for what was refused.
pub(super) async fn answered(
    world: &World,
    intake: &Intake,
    runner: &Runner,
    answer: &crate::intake::Answer,
) {
    match (answer.verdict, &answer.tenant_id) {
        (Verdict::Accepted, Some(id)) => {
            if let Err(failure) = world.alarm.wake(id, world.clock.now()).await {
                tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was sent; the sweep will do");
            }
        }
        (Verdict::Accepted, None) => {}
        (Verdict::Rejected | Verdict::Planned, _) => {
            if let Some(key) = intake.record_of(answer)
                && let Err(error) = runner.tell_refusal(&key).await
            {
                tracing::warn!(error = %error, "a refusal was not told yet; the sweep will do");
            }
        }
    }
}
