//! A person asks to try again what stopped.

use serde_json::{Map, Value, json};

use super::{Response, tenants};
use crate::{
    intake::{self, Intake, Verdict},
    ports::World,
    runner::Runner,
    tenant::Channel,
};

/// Tries a tenant again.
///
/// The same as a message with the action `retry`: same checks, same idempotency. The request's id is the body's
/// `requestId`, or `fallback_id` (one per call) when the body gives none.
pub async fn retry(
    world: &World,
    intake: &Intake,
    runner: &Runner,
    id: &str,
    body: Option<&[u8]>,
    fallback_id: &str,
) -> Response {
    let given = match body.filter(|body| !body.iter().all(u8::is_ascii_whitespace)) {
        Some(body) => intake::object(body),
        None => Ok(Map::new()),
    };
    // An event says in its type what it asks for, and in its data whom of.
    let Some(mut request) = given.ok().filter(|request| !request.contains_key("specversion")) else {
        return Response::problem(400, "bad body", "the body is a request as a JSON object, or absent");
    };
    for (member, meant) in [("action", "retry"), ("tenantId", id)] {
        if *request.entry(member).or_insert_with(|| json!(meant)) != meant {
            let detail = format!("the body's `{member}` is another than this call's");
            return Response::problem(400, "bad body", &detail);
        }
    }
    request.entry("schema").or_insert_with(|| json!("tenantry.request/1"));
    request.entry("requestId").or_insert_with(|| json!(format!("retry-{fallback_id}")));
    match intake.take_in_from(&Channel::Operator, Value::Object(request).to_string().as_bytes()).await {
        Ok(answer) => {
            tenants::answered(world, (intake, runner), &Channel::Operator, &answer).await;
            let bad_id =
                answer.faults.iter().any(|fault| fault.pointer == "/tenantId" && fault.code == "bad_id");
            if bad_id
                || (answer.verdict == Verdict::Rejected && answer.code.as_deref() == Some("unknown_tenant"))
            {
                return Response::unknown_tenant();
            }
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}
