//! Event subscriptions of the Event Grid topic: webhooks on this machine that receive the events.
//!
//! Deliveries work like those of Event Grid with the schema CloudEvents 1.0: an `OPTIONS` request (the handshake) asks
//! whether the webhook accepts events; each event is a request of its own; only the statuses 200 to 204 mean that it
//! was accepted; other deliveries are retried by Event Grid's schedule, divided by the speed.
//!
//! # Guarantees
//! Deliveries are at-least-once: the progress of a webhook is saved after its answer, so a crash in between repeats an
//! event. A new webhook receives the events that are published after it was registered.
//!
//! # Caveats
//! - A handshake that is not granted is repeated, and events wait for it. Azure would not create the subscription.
//! - Events are delivered in the order in which they were published, and an event that is not accepted delays the next
//!   one. Azure promises no order; with `repeat` each event is delivered again after the next one.
//! - An event that will not be retried is logged and shown by `/_sim/subscribers`, but not kept as a dead letter.
//! - Event Grid's delays for failing webhooks, its random deviations and its batches are not simulated.
//!
//! Source: Microsoft, "Endpoint validation with CloudEvents schema" and "Event Grid message delivery and retry"
//! (limits, schedule, answers); the CloudEvents specification "HTTP 1.1 Web Hooks", section 4, for the handshake.

use std::{str::FromStr, sync::Arc, time::Duration};

use reqwest::{Client, Method, Response, Url, redirect::Policy};
use rustls::crypto::ring;
use serde_json::Value;

use crate::{
    clock::Speed,
    error::CloudError,
    inner::Inner,
    pause::pause,
    store::{Change, Snapshot},
};

/// The name of the sender in Azure's public cloud, sent as `WebHook-Request-Origin` and `Origin`.
const ORIGIN: &str = "eventgrid.azure.net";
/// Event Grid's waits between attempts to deliver an event, in seconds. Another attempt would be later than the event's
/// time to live of 24 hours, so Event Grid's other limit, 30 attempts, is not reached.
const WAITS: [u32; 10] = [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200];
/// The shortest wait between attempts. The speed does not shorten it further, because the webhook is a real program.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// How long the answer to a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many events are read from the state file at a time.
const PAGE: usize = 100;

/// The http URL of a webhook on this machine that receives events. Parse one from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber(Url);

impl Subscriber {
    /// The URL without its query, which may contain a key.
    fn name(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.to_string()
    }
}

impl FromStr for Subscriber {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        let url = text.parse::<Url>().ok().filter(|url| {
            let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            url.scheme() == "http" && here && url.username().is_empty() && url.fragment().is_none()
        });
        url.map(Self).ok_or_else(|| CloudError::Subscriber(text.to_owned()))
    }
}

/// The outcome of one attempt to deliver an event.
enum Attempt {
    Taken,
    /// The webhook refused the event, for this reason; Event Grid does not retry.
    Refused(String),
    /// The delivery failed for this reason. A retry waits at least this many seconds.
    Missed(String, u32),
}

impl Attempt {
    fn of(answer: Result<Response, reqwest::Error>) -> Self {
        let status = match answer {
            Ok(answer) => answer.status().as_u16(),
            Err(error) if error.is_timeout() => return Self::Missed("no answer in time".to_owned(), 10),
            Err(_) => return Self::Missed("no connection".to_owned(), 10),
        };
        let why = format!("HTTP {status}");
        match status {
            200..=204 => Self::Taken,
            400 | 401 | 403 | 413 => Self::Refused(why),
            408 => Self::Missed(why, 120),
            503 => Self::Missed(why, 30),
            _ => Self::Missed(why, 10),
        }
    }
}

/// A running delivery of events to one webhook.
struct Subscription<'a> {
    inner: &'a Arc<Inner>,
    client: Client,
    subscriber: &'a Subscriber,
    name: String,
}

/// Registers a webhook, or continues with its saved progress. Returns the number of the last event that needs no
/// delivery; for a new webhook, that is the last existing event.
///
/// # Errors
/// [`CloudError`] when the state file fails.
pub(crate) async fn begin(inner: &Inner, subscriber: &Subscriber) -> Result<u64, CloudError> {
    let name = subscriber.name();
    let of = name.clone();
    let done = change(inner, move |change| change.delivered(&of)).await?;
    inner.subscribers.note(&name, |progress| progress.done = done);
    Ok(done)
}

async fn change<T: Send + 'static>(
    inner: &Inner,
    change: impl FnOnce(&mut Change<'_>) -> Result<T, CloudError> + Send + 'static,
) -> Result<T, CloudError> {
    let (now, speed) = ((inner.now)(), inner.speed);
    inner.db.write(move |transaction| change(&mut Change::new(transaction, now, speed)?)).await
}

/// Delivers events to one webhook until the future is dropped.
///
/// # Errors
/// [`CloudError`] when the state file fails or there is no HTTP client.
pub(crate) async fn serve(
    inner: &Arc<Inner>,
    subscriber: &Subscriber,
    repeat: bool,
) -> Result<(), CloudError> {
    // Without it reqwest can't set TLS up. An error says that it is set already.
    let _ = ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the implementation of cryptography is set")]
    let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(TIMEOUT).build();
    let client = client.map_err(|error| CloudError::Serve(error.to_string()))?;
    let subscription = Subscription { inner, client, subscriber, name: subscriber.name() };
    let mut done = begin(inner, subscriber).await?;
    subscription.until_granted().await;
    let mut published = inner.published.subscribe();
    let mut late = None;
    loop {
        published.borrow_and_update();
        let waiting = Snapshot::new(inner.db.read()?, (inner.now)())?.events_after(done, PAGE)?;
        if waiting.is_empty() {
            match late.take() {
                Some(event) => subscription.again(&event).await,
                None if published.changed().await.is_err() => return Ok(()),
                None => {}
            }
        }
        for (serial, event) in waiting {
            subscription.hand_over(&event).await;
            done = serial;
            subscription.advance(done).await?;
            if repeat && let Some(before) = late.replace(event) {
                subscription.again(&before).await;
            }
        }
    }
}

impl Subscription<'_> {
    async fn advance(&self, done: u64) -> Result<(), CloudError> {
        let name = self.name.clone();
        change(self.inner, move |change| change.set_delivered(&name, done)).await?;
        self.inner.subscribers.note(&self.name, |progress| progress.done = done);
        Ok(())
    }

    /// Repeats the handshake until the webhook grants it.
    async fn until_granted(&self) {
        let mut said = String::new();
        while let Err(why) = self.ask().await {
            if why != said {
                tracing::warn!(why, "{} has not granted the handshake yet; trying again", self.name);
                said = why;
            }
            self.pause(WAITS[0]).await;
        }
        self.inner.subscribers.note(&self.name, |progress| progress.granted = true);
    }

    /// Sends the handshake once. Only the header `WebHook-Allowed-Origin` of the answer decides, not its status: a
    /// server may answer `OPTIONS` with success without being a webhook.
    ///
    /// # Errors
    /// The reason why the handshake is not granted.
    async fn ask(&self) -> Result<(), String> {
        let asked = self.client.request(Method::OPTIONS, self.subscriber.0.clone());
        let answer = asked.header("WebHook-Request-Origin", ORIGIN).send().await;
        let answer = answer.map_err(|_| "no connection".to_owned())?;
        let allowed = answer.headers().get("WebHook-Allowed-Origin").and_then(|value| value.to_str().ok());
        match allowed {
            Some(ORIGIN | "*") => Ok(()),
            Some(other) => Err(format!("WebHook-Allowed-Origin is {other}, not {ORIGIN}")),
            None => Err(format!("HTTP {} without WebHook-Allowed-Origin", answer.status().as_u16())),
        }
    }

    /// Delivers an event, with retries, until the webhook accepts it or no further attempt is allowed.
    async fn hand_over(&self, event: &Value) {
        let mut waits = WAITS.iter();
        let mut attempt = 0;
        let why = loop {
            attempt += 1;
            match self.post(event, attempt).await {
                Attempt::Taken => return,
                Attempt::Refused(why) => break why,
                Attempt::Missed(why, least) => match waits.next() {
                    Some(wait) => self.pause(least.max(*wait)).await,
                    None => break why,
                },
            }
        };
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
        tracing::warn!(why, "the event {id} for {} is given up after {attempt} attempts", self.name);
        self.inner.subscribers.note(&self.name, |progress| progress.given_up.push(id.to_owned()));
    }

    /// Delivers an event once more, and ignores the outcome.
    async fn again(&self, event: &Value) {
        self.post(event, 1).await;
    }

    async fn post(&self, event: &Value, attempt: u32) -> Attempt {
        let answer = self
            .client
            .post(self.subscriber.0.clone())
            .header("Content-Type", "application/cloudevents+json; charset=utf-8")
            .header("Origin", ORIGIN)
            .header("aeg-event-type", "Notification")
            .header("aeg-subscription-name", "LOCAL")
            .header("aeg-delivery-count", attempt - 1)
            .body(event.to_string())
            .send()
            .await;
        let attempt = Attempt::of(answer);
        self.inner.subscribers.note(&self.name, |progress| match &attempt {
            Attempt::Taken => progress.taken += 1,
            Attempt::Refused(_) | Attempt::Missed(..) => progress.missed += 1,
        });
        attempt
    }

    async fn pause(&self, seconds: u32) {
        pause(wait(self.inner.speed, seconds)).await;
    }
}

fn wait(speed: Speed, seconds: u32) -> Duration {
    Duration::try_from(speed.scale(seconds)).unwrap_or_default().max(SHORTEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_a_webhook_of_this_machine() {
        for good in ["http://127.0.0.1:8090/events", "http://localhost/?code=k", "http://[::1]:1/"] {
            assert!(good.parse::<Subscriber>().is_ok(), "{good}");
        }
        let others = [
            "https://127.0.0.1/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example/",
            "127.0.0.1:80",
            "http://a@localhost/",
        ];
        for bad in others {
            assert!(bad.parse::<Subscriber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let subscriber: Subscriber = "http://127.0.0.1:8090/events?code=secret".parse().unwrap();
        assert_eq!(subscriber.name(), "http://127.0.0.1:8090/events");
    }

    #[test]
    fn waits_are_divided_by_the_speed_and_never_none() {
        assert_eq!(wait(Speed::Factor(1.0), 30), Duration::from_secs(30));
        assert_eq!(wait(Speed::Factor(200.0), 3600), Duration::from_secs(18));
        assert_eq!(wait(Speed::Max, 3600), SHORTEST_WAIT);
    }
}
