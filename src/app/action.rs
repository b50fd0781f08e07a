//! What a person asks for one tenant without a request of their own making: to try again what stopped, or to have every
//! step looked at and put right.

use serde_json::{Map, Value, json};
use tenantry_core::tenant::{Action, Channel};

use super::{Response, tenants};
use crate::{
    intake::{self, Intake, IntakeDecision},
    ports::World,
    reconciler::Reconciler,
};

/// One tenant's call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// `retry` or `reconcile`: an action that needs no more than a tenant.
    pub action: Action,
    /// The tenant's id, as the caller wrote it.
    pub tenant_id: &'a str,
    /// The body, if there was one.
    pub body: Option<&'a [u8]>,
    /// One per call: where the body gives no `requestId`, each call is a request of its own.
    pub fallback_id: &'a str,
}

/// Carries a call out.
///
/// The same as a message with that action: same checks, same idempotency. The request's id is the body's `requestId`, or
/// the call's own when the body gives none. A retry's `allowReplace` may stand in the body itself.
pub async fn act(world: &World, intake: &Intake, reconciler: &Reconciler, call: Call<'_>) -> Response {
    let Call { action, tenant_id, body, fallback_id } = call;
    let given = match body.filter(|body| !body.iter().all(u8::is_ascii_whitespace)) {
        Some(body) => intake::object(body),
        None => Ok(Map::new()),
    };
    // An event says in its type what it asks for, and in its data whom of.
    let Some(mut request) = given.ok().filter(|request| !request.contains_key("specversion")) else {
        return Response::problem(400, "bad body", "the body is a request as a JSON object, or absent");
    };
    for (member, meant) in [("action", action.as_str()), ("tenantId", tenant_id)] {
        if *request.entry(member).or_insert_with(|| json!(meant)) != meant {
            let detail = format!("the body's `{member}` is another than this call's");
            return Response::problem(400, "bad body", &detail);
        }
    }
    if !moves_allow_replace(action, &mut request) {
        return Response::problem(400, "bad body", "the body says `allowReplace` twice, and not the same");
    }
    request.entry("schema").or_insert_with(|| json!("tenantry.request/1"));
    request.entry("requestId").or_insert_with(|| json!(format!("{}-{fallback_id}", action.as_str())));
    match intake.take_in_from(&Channel::Operator, Value::Object(request).to_string().as_bytes()).await {
        Ok(answer) => {
            tenants::answered(world, (intake, reconciler), &Channel::Operator, &answer).await;
            let bad_id =
                answer.faults.iter().any(|fault| fault.pointer == "/tenantId" && fault.code == "bad_id");
            if bad_id
                || (answer.verdict == IntakeDecision::Rejected
                    && answer.code.as_deref() == Some("unknown_tenant"))
            {
                return Response::unknown_tenant();
            }
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// In a message `allowReplace` is a member of the request's `spec`. A retry has no other, so in the body of a call it may stand
/// at the top. `false` if it stands in both places and says two things.
fn moves_allow_replace(action: Action, request: &mut Map<String, Value>) -> bool {
    let allow = (action == Action::Retry).then(|| request.remove("allowReplace")).flatten();
    let Some(allow) = allow else { return true };
    let spec = request.entry("spec").or_insert_with(|| json!({}));
    let same =
        |spec: &mut Map<String, Value>| *spec.entry("allowReplace").or_insert_with(|| allow.clone()) == allow;
    spec.as_object_mut().is_some_and(same)
}
