//! The webhook of Event Grid subscriptions, which deliver requests as events.

use serde_json::json;

use super::{App, Response, tenants};
use crate::intake::{Delivered, Delivery, DeliveryRejection, IntakeDecision, granted};

/// Answers the `OPTIONS` handshake of CloudEvents webhooks: grants or refuses the permission to send events.
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
        Err(rejection) => reject_delivery(rejection),
    }
}

/// Takes in a delivery of Event Grid. Each event is handled like a message of the request queue: with the same checks,
/// ids and answers.
///
/// # Guarantees
/// A 200 means that the answers to all events are saved. If one answer could not be saved, the other events are taken
/// in nevertheless and the delivery is answered with an error, so that Event Grid repeats it. The repeat has no effect
/// on the events that were taken in.
pub async fn deliver(app: &App, kinds: &[String], body: &[u8]) -> Response {
    let messages = match Delivery::read(&app.event_topics, kinds, body) {
        Ok(Delivery::Validation(code)) => return Response::json(200, json!({"validationResponse": code})),
        Ok(Delivery::Events(messages)) => messages,
        Err(rejection) => return reject_delivery(rejection),
    };
    let (mut accepted, mut replayed, mut rejected, mut unsaved) = (0, 0, 0, None);
    for Delivered { channel, message } in &messages {
        match app.intake.take_in_from(channel, message).await {
            Ok(answer) => {
                match answer.decision {
                    IntakeDecision::Rejected => rejected += 1,
                    IntakeDecision::Accepted | IntakeDecision::Planned if answer.replayed => replayed += 1,
                    IntakeDecision::Accepted | IntakeDecision::Planned => accepted += 1,
                }
                tenants::answered(&app.ports, (&app.intake, &app.reconciler), channel, &answer).await;
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

/// Returns the answer to a rejected delivery. It is the same for every reason, so that it reveals nothing. Only an
/// exceeded limit, which is checked before the events are read, has a different answer.
pub fn reject_delivery(rejection: DeliveryRejection) -> Response {
    if rejection != DeliveryRejection::Off {
        tracing::warn!(why = rejection.as_str(), "a delivery of events was rejected");
    }
    if rejection.is_limit() {
        return Response::problem(413, "delivery too large", "send fewer and smaller events in one delivery");
    }
    Response::problem(404, "not found", "there is nothing here")
}
