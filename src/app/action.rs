//! HTTP calls about one tenant that need no request document: `retry` restarts blocked steps, `reconcile` has every
//! step read and corrected.

use serde_json::{Map, Value, json};
use tenantry_core::tenant::{Action, Channel};

use super::{Response, tenants};
use crate::{
    intake::{self, Intake, IntakeDecision},
    ports::Ports,
    reconciler::Reconciler,
};

/// An HTTP call for an action on one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// `retry` or `reconcile`: the actions that need only a tenant.
    pub action: Action,
    /// The tenant's id, as the caller wrote it.
    pub tenant_id: &'a str,
    /// The body of the HTTP call, if it has one: a request as JSON, whose absent members are filled in.
    pub body: Option<&'a [u8]>,
    /// An id that is unique per call. `<action>-<fallback_id>` is the request id if the body has no `requestId`.
    pub fallback_id: &'a str,
}

/// Carries out a call like a message with the same action: with the same checks and the same idempotency.
///
/// The request id is the body's `requestId`, otherwise it is made of the action and [`Call::fallback_id`]. The body of
/// a retry may have `allowReplace` at its top level.
pub async fn act(ports: &Ports, intake: &Intake, reconciler: &Reconciler, call: Call<'_>) -> Response {
    let Call { action, tenant_id, body, fallback_id } = call;
    let given = match body.filter(|body| !body.iter().all(u8::is_ascii_whitespace)) {
        Some(body) => intake::object(body),
        None => Ok(Map::new()),
    };
    // A CloudEvent is not accepted here: its action and tenant are in its `type` and `data`.
    let Some(mut request) = given.ok().filter(|request| !request.contains_key("specversion")) else {
        return Response::problem(400, "bad body", "the body is a request as a JSON object, or absent");
    };
    for (member, meant) in [("action", action.as_str()), ("tenantId", tenant_id)] {
        if *request.entry(member).or_insert_with(|| json!(meant)) != meant {
            let detail = format!("the body's `{member}` differs from this call's");
            return Response::problem(400, "bad body", &detail);
        }
    }
    if !moves_allow_replace(action, &mut request) {
        return Response::problem(400, "bad body", "the body has two different values of `allowReplace`");
    }
    request.entry("schema").or_insert_with(|| json!("tenantry.request/1"));
    request.entry("requestId").or_insert_with(|| json!(format!("{}-{fallback_id}", action.as_str())));
    match intake.take_in_from(&Channel::Operator, Value::Object(request).to_string().as_bytes()).await {
        Ok(answer) => {
            tenants::answered(ports, (intake, reconciler), &Channel::Operator, &answer).await;
            let bad_id =
                answer.faults.iter().any(|fault| fault.pointer == "/tenantId" && fault.code == "bad_id");
            if bad_id
                || (answer.decision == IntakeDecision::Rejected
                    && answer.code.as_deref() == Some("unknown_tenant"))
            {
                return Response::unknown_tenant();
            }
            Response::of_answer(&answer)
        }
        Err(error) => Response::unavailable(&error),
    }
}

/// Moves `allowReplace` from the top level of a retry's body into `spec`, where a message has it. Returns `false` if
/// both have it with different values, or if `spec` is not an object.
fn moves_allow_replace(action: Action, request: &mut Map<String, Value>) -> bool {
    let allow = (action == Action::Retry).then(|| request.remove("allowReplace")).flatten();
    let Some(allow) = allow else { return true };
    let spec = request.entry("spec").or_insert_with(|| json!({}));
    let same =
        |spec: &mut Map<String, Value>| *spec.entry("allowReplace").or_insert_with(|| allow.clone()) == allow;
    spec.as_object_mut().is_some_and(same)
}
