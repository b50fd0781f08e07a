//! A person asks to try again what stopped.

use serde_json::{Value, json};

use super::{Response, tenants};
use crate::{
    intake::{Intake, Verdict},
    ports::World,
    runner::Runner,
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
    let body: Value =
        match body.filter(|body| !body.iter().all(u8::is_ascii_whitespace)).map(serde_json::from_slice) {
            Some(Ok(body @ Value::Object(_))) => body,
            None => json!({}),
            Some(Ok(_) | Err(_)) => {
                return Response::problem(400, "bad body", "the body is a JSON object, or absent");
            }
        };
    let request = json!({
        "schema": "tenantry.request/1",
        "requestId": body.get("requestId").unwrap_or(&json!(format!("retry-{fallback_id}"))),
        "action": "retry",
        "tenantId": id,
    });
    match intake.take_in(request.to_string().as_bytes()).await {
        Ok(answer) => {
            tenants::answered(world, intake, runner, &answer).await;
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
