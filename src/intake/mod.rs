//! Intake: a message becomes a request, and a request changes a tenant's desired state; or it is refused, on record and
//! permanently.
//!
//! Limits are checked first, then the envelope, then everything else, with all faults reported together. A request is
//! identified by its id: the same id with the same body gets the same answer again, marked as a repeat; with another
//! body it is refused. Everything that can't succeed is an outcome, which is recorded and published; a message is
//! delivered again only while the store is unavailable.

mod accept;
mod answer;
mod catalogue;
mod characters;
mod envelope;
mod events;
mod external;
mod in_use;
mod log;
mod members;
mod placement;
mod planning;
mod quarantine;
mod refuse;
mod repeat;
mod replace;
mod request;
mod strict;
mod validate;
mod written;

pub use accept::plan_context;
pub use answer::{Fault, IntakeDecision, Replacement, RequestAnswer};
pub use catalogue::{Catalogue, clashes};
pub use envelope::{object, text};
pub use events::{Delivered, Delivery, DeliveryRejection, MAX_DELIVERY_BYTES, MAX_EVENTS, granted};
pub use in_use::InUse;
pub use placement::Stamp;
pub use request::{Changes, Command, ExternalKey, Request};
use serde_json::Value;

pub use written::RequestDocument;

use crate::{
    ports::{ETag, Ports, RequestRecord, StoreError, Stored},
    telemetry::{Span, SpanKind},
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::{sha256_hex, short_hash},
    tenant::{Action, Channel},
};

/// The largest message body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Parses a message of the queue, without taking it in.
///
/// # Errors
/// All faults of the message.
pub fn read(body: &[u8], deployment: &str) -> Result<Request, Vec<Fault>> {
    let opened = envelope::open(body).map_err(|fault| vec![fault])?;
    validate::request(&opened, deployment, &Channel::Queue)
}

/// Takes messages in. One per process; cheap to share.
pub struct Intake {
    ports: Ports,
    deployment: String,
    catalogue: Catalogue,
    stamps: Vec<Stamp>,
}

impl Intake {
    /// An intake for a deployment; the first blueprint's name is the default.
    pub fn new(ports: Ports, deployment: &str, blueprints: Vec<Blueprint>, stamps: Vec<Stamp>) -> Self {
        Self { ports, deployment: deployment.to_owned(), catalogue: Catalogue::new(blueprints), stamps }
    }

    /// The blueprints that are offered, and those that tenants are pinned to.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The stamps that new tenants are placed on.
    pub fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }

    /// Takes in a message of the queue, as [`Self::take_in_from`].
    ///
    /// # Errors
    /// As [`Self::take_in_from`].
    pub async fn take_in(&self, body: &[u8]) -> Result<RequestAnswer, StoreError> {
        self.take_in_from(&Channel::Queue, body).await
    }

    /// Takes in a message, and returns once its answer is durable.
    ///
    /// # Guarantees
    /// Taking in the same message again, at any time and any number of times in parallel, returns the same answer,
    /// marked as a repeat, and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read or saved: the message has to be delivered again.
    pub async fn take_in_from(&self, channel: &Channel, body: &[u8]) -> Result<RequestAnswer, StoreError> {
        let mut span = Span::begin(SpanKind::Internal, || "intake", Vec::new);
        let (action, answer) = span.around(Box::pin(self.judge(channel, body))).await;
        log::answered(&mut span, action, answer.as_ref());
        answer
    }

    /// The answer, and the action, if that could be read.
    async fn judge(
        &self,
        channel: &Channel,
        body: &[u8],
    ) -> (Option<Action>, Result<RequestAnswer, StoreError>) {
        let data = match envelope::open(body) {
            Ok(data) => data,
            Err(fault) => return (None, self.refuse_unread(body, None, vec![fault]).await),
        };
        match validate::request(&data, &self.deployment, channel) {
            Ok(request) => {
                let action = request.command.action();
                (Some(action), self.take_in_request(request, &data.body).await)
            }
            Err(faults) => (None, self.refuse_unread(body, data.request_id(), faults).await),
        }
    }

    /// The answer that a message of the queue got, if it was taken in; read-only.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read.
    pub async fn answer_to(&self, body: &[u8]) -> Result<Option<RequestAnswer>, StoreError> {
        let read = envelope::open(body).ok().and_then(|data| {
            let request = validate::request(&data, &self.deployment, &Channel::Queue).ok()?;
            let digest = digest(&request, &data.body);
            Some((request, digest))
        });
        let key = match &read {
            Some((request, _)) => self.request_key(&request.channel, &request.request_id),
            None => self.message_key(&sha256_hex(body)),
        };
        let Some(mut record) = self.ports.store.request(&key).await? else { return Ok(None) };
        if let Some((_, digest)) = read.filter(|(_, digest)| *digest != record.value.body_sha256) {
            let Some(conflict) = self.ports.store.request(&conflict_key(&key, &digest)).await? else {
                return Ok(None);
            };
            record = conflict;
        }
        Ok(RequestAnswer::read(&record.value.answer))
    }

    /// The key of the record that holds the answer to a channel's request and the events about its refusal.
    pub fn record_of(&self, channel: &Channel, answer: &RequestAnswer) -> Option<String> {
        answer.kept_as.clone().or_else(|| Some(self.request_key(channel, answer.request_id.as_deref()?)))
    }

    fn request_key(&self, channel: &Channel, request_id: &str) -> String {
        own_hash(channel, &["request", &self.deployment, request_id])
    }

    fn message_key(&self, digest: &str) -> String {
        short_hash(&["message", &self.deployment, digest])
    }

    async fn take_in_request(&self, request: Request, body: &Value) -> Result<RequestAnswer, StoreError> {
        let digest = digest(&request, body);
        let key = self.request_key(&request.channel, &request.request_id);
        let answer = match self.claim(&key, &digest, &request).await? {
            Claim::Ours(etag) => {
                let answer = self.accept(&key, &request).await?;
                self.settle((&key, &digest), &request, answer, &etag).await?
            }
            Claim::Answered(answer) => answer.again(),
            Claim::Conflict => return self.refuse_conflict(&request, &key, &digest).await,
        };
        self.present(&request, (&key, &digest), answer).await
    }

    /// Claims the request id for this body, before anything else is written.
    async fn claim(&self, key: &str, digest: &str, request: &Request) -> Result<Claim, StoreError> {
        if let Some(stored) = self.ports.store.request(key).await? {
            return Ok(Claim::of(stored, digest));
        }
        let record = RequestRecord {
            key: key.to_owned(),
            body_sha256: digest.to_owned(),
            tenant_id: Some(request.tenant_id.clone()),
            answer: Value::Null,
            kept_body: None,
            outbox: Vec::new(),
            at: self.ports.clock.now(),
        };
        match self.ports.store.save_request(&record, None).await {
            Ok(etag) => Ok(Claim::Ours(etag)),
            Err(StoreError::Overtaken) => match self.ports.store.request(key).await? {
                Some(stored) => Ok(Claim::of(stored, digest)),
                None => Err(StoreError::Unavailable("a request record came and went".to_owned())),
            },
            Err(error) => Err(error),
        }
    }

    /// The answer in a record, if there is one.
    async fn answered(&self, key: &str) -> Result<Option<RequestAnswer>, StoreError> {
        let stored = self.ports.store.request(key).await?;
        Ok(stored.and_then(|stored| RequestAnswer::read(&stored.value.answer)))
    }

    /// Records the answer, so that repeats get it even after the tenant's document has dropped the request.
    async fn settle(
        &self,
        (key, digest): (&str, &str),
        request: &Request,
        answer: RequestAnswer,
        claimed: &ETag,
    ) -> Result<RequestAnswer, StoreError> {
        let record = RequestRecord {
            key: key.to_owned(),
            body_sha256: digest.to_owned(),
            tenant_id: Some(request.tenant_id.clone()),
            answer: answer.to_value(),
            kept_body: None,
            outbox: self.outbox_of(key, &answer, "tenant.request.rejected"),
            at: self.ports.clock.now(),
        };
        match self.ports.store.save_request(&record, Some(claimed)).await {
            Ok(_) => Ok(answer),
            // Another delivery of the same message came first; its answer stands.
            Err(StoreError::Overtaken) => {
                let first = self.answered(key).await?;
                Ok(first
                    .filter(|first| first.decision != answer.decision)
                    .map_or(answer, RequestAnswer::again))
            }
            Err(error) => Err(error),
        }
    }
}

/// Who answers a request.
enum Claim {
    /// We do; the record has this version.
    Ours(ETag),
    /// It was answered before.
    Answered(RequestAnswer),
    /// The id belongs to another body.
    Conflict,
}

impl Claim {
    fn of(stored: Stored<RequestRecord>, digest: &str) -> Self {
        if stored.value.body_sha256 != digest {
            return Self::Conflict;
        }
        match RequestAnswer::read(&stored.value.answer) {
            Some(answer) => Self::Answered(answer),
            None => Self::Ours(stored.etag),
        }
    }
}

/// A digest of what identifies a request: the action, which may be in the envelope, and the body, whatever the order of
/// its members.
fn digest(request: &Request, body: &Value) -> String {
    sha256_hex(format!("{} {body}", request.command.action().as_str()).as_bytes())
}

/// A short hash of a sender's own keys. Publishers of events have namespaces of their own: none can use, or ask about,
/// the ids of another.
fn own_hash(channel: &Channel, parts: &[&str]) -> String {
    let publisher = channel.publisher();
    let parts: Vec<&str> = parts.iter().copied().chain(publisher.as_deref()).collect();
    short_hash(&parts)
}

/// The key under which a second body with the same request id is recorded.
fn conflict_key(request_key: &str, digest: &str) -> String {
    short_hash(&["conflict", request_key, digest])
}
