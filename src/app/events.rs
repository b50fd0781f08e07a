//! The webhook of an Event Grid subscription: requests come in as events.

use serde_json::json;

use super::{App, Response, tenants};
use crate::intake::{Delivered, Delivery, IntakeDecision, Turned, granted};

/// Grants or refuses the permission to send, as `OPTIONS` asks for it.
pub fn handshake(topics: &[String], origins: &[String], rate: Option<&str>) -> Response {
    match granted(topics, origins, rate) {
        Ok((origin, rate)) => {
            let mut response = Response::json(200, json!({}));
            response.headers.insert("WebHook-Allowed-Origin".to_owned(), origin.to_owned());
            if let Some(rate) = rate {
                response.headers.insert("WebHook-Allowed-Rate".to_owned(), rate.to_string());
            }
            response
        }
        Err(turned) => turned_away(turned),
    }
}

/// Takes in what Event Grid delivers: each event like a message of the queue, with the same checks, ids and answers.
///
/// # Guarantees
/// A 200 says that the answer to every event is durable. If one could not be saved, the others are taken in all the
/// same and the whole delivery is asked for again, in which they change nothing.
pub async fn deliver(app: &App, kinds: &[String], body: &[u8]) -> Response {
    let messages = match Delivery::read(&app.event_topics, kinds, body) {
        Ok(Delivery::Validation(code)) => return Response::json(200, json!({"validationResponse": code})),
        Ok(Delivery::Events(messages)) => messages,
        Err(turned) => return turned_away(turned),
    };
    let (mut accepted, mut replayed, mut rejected, mut unsaved) = (0, 0, 0, None);
    for Delivered { channel, message } in &messages {
        match app.intake.take_in_from(channel, message).await {
            Ok(answer) => {
                match answer.verdict {
                    IntakeDecision::Rejected => rejected += 1,
                    IntakeDecision::Accepted | IntakeDecision::Planned if answer.replayed => replayed += 1,
                    IntakeDecision::Accepted | IntakeDecision::Planned => accepted += 1,
                }
                tenants::answered(&app.world, (&app.intake, &app.reconciler), channel, &answer).await;
            }
            Err(error) => unsaved = Some(error),
        }
    }
    match unsaved {
        Some(error) => Response::unavailable(&error),
        None => {
            let counts = json!({"accepted": accepted, "replayed": replayed, "rejected": rejected});
            Response::json(200, counts)
        }
    }
}

/// The one answer to all that is not wanted; only a limit has its own, before anything else was looked at.
pub fn turned_away(turned: Turned) -> Response {
    if turned != Turned::Off {
        tracing::warn!(why = turned.word(), "a delivery of events was turned away");
    }
    if turned.is_limit() {
        return Response::problem(413, "delivery too large", "send fewer and smaller events in one delivery");
    }
    Response::problem(404, "not found", "there is nothing here")
}
