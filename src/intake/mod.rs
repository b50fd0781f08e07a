//! Intake: parses a message to a request, and applies the request to a tenant's desired state. A message that can't be
//! accepted is refused permanently, and the refusal is recorded.
//!
//! Limits are checked first, then the envelope, then everything else, with all faults reported together. A request is
//! identified by its id: a repeat with the same id and body gets the same answer, marked as a repeat; another body with
//! the same id is refused. A request that can't succeed has an outcome too, which is recorded and published. A message
//! is delivered again only while the store is unavailable.

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

/// Parses and validates a message of the request queue, without taking it in.
///
/// # Errors
/// All faults of the message.
pub fn read(body: &[u8], deployment: &str) -> Result<Request, Vec<Fault>> {
    let opened = envelope::open(body).map_err(|fault| vec![fault])?;
    validate::request(&opened, deployment, &Channel::Queue)
}

/// Where the answer to a message is recorded: its record's key, and for a readable request the digest of its content,
/// which distinguishes a repeat from another request with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    key: String,
    digest: Option<String>,
}

/// Takes messages in. A process has one intake, which all functions share.
pub struct Intake {
    ports: Ports,
    deployment: String,
    catalogue: Catalogue,
    stamps: Vec<Stamp>,
}

impl Intake {
    /// Creates an intake for a deployment. The name of the first blueprint is the default.
    pub fn new(ports: Ports, deployment: &str, blueprints: Vec<Blueprint>, stamps: Vec<Stamp>) -> Self {
        Self { ports, deployment: deployment.to_owned(), catalogue: Catalogue::new(blueprints), stamps }
    }

    /// The catalogue of blueprints: those that are offered, and those that tenants are pinned to.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The stamps that new tenants are placed on.
    pub fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }

    /// Takes in a message of the request queue, as [`Self::take_in_from`] does.
    ///
    /// # Errors
    /// As [`Self::take_in_from`].
    pub async fn take_in(&self, body: &[u8]) -> Result<RequestAnswer, StoreError> {
        self.take_in_from(&Channel::Queue, body).await
    }

    /// Takes in a message that arrived on a channel, and returns the answer once it is saved.
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

    /// Parses, validates and takes in a message. Returns the answer, and the action if the request is valid.
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

    /// Where the answer to a message of the queue is recorded once it is taken in.
    pub fn lookup(&self, body: &[u8]) -> Lookup {
        let read = envelope::open(body).ok().and_then(|data| {
            let request = validate::request(&data, &self.deployment, &Channel::Queue).ok()?;
            let digest = digest(&request, &data.body);
            Some((self.request_key(&request.channel, &request.request_id), digest))
        });
        match read {
            Some((key, digest)) => Lookup { key, digest: Some(digest) },
            None => Lookup { key: self.message_key(&sha256_hex(body)), digest: None },
        }
    }

    /// Returns the answer that a message of the request queue got; `None` if it was not taken in or has no answer yet.
    /// Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read.
    pub async fn answer_to(&self, lookup: &Lookup) -> Result<Option<RequestAnswer>, StoreError> {
        let Lookup { key, digest } = lookup;
        let Some(mut record) = self.ports.store.request(key).await? else { return Ok(None) };
        if let Some(digest) = digest.as_ref().filter(|digest| **digest != record.value.body_sha256) {
            let Some(conflict) = self.ports.store.request(&conflict_key(key, digest)).await? else {
                return Ok(None);
            };
            record = conflict;
        }
        Ok(RequestAnswer::read(&record.value.answer))
    }

    /// The key of the record with the answer to a request on a channel, and with the events about its refusal.
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

    /// Claims the request id for a body, before anything else is saved.
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

    /// Returns the answer in a record; `None` if there is no record or no answer yet.
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
            // Another delivery of the same message was answered first, and that answer stands.
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

/// The result of claiming a request id.
enum Claim {
    /// The id is claimed for this body and has no answer yet; the record has this version.
    Ours(ETag),
    /// The request was answered before.
    Answered(RequestAnswer),
    /// The id was used with another body.
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

/// A hash that distinguishes requests with the same id: of the action, which may be in the envelope, and of the body,
/// in which the order of members does not matter.
fn digest(request: &Request, body: &Value) -> String {
    sha256_hex(format!("{} {body}", request.command.action().as_str()).as_bytes())
}

/// A short hash of keys that are unique per sender. Each publisher of events has a namespace of its own, so none can
/// use, or ask about, the ids of another. The queue and operators share the deployment's namespace.
fn own_hash(channel: &Channel, parts: &[&str]) -> String {
    let publisher = channel.publisher();
    let parts: Vec<&str> = parts.iter().copied().chain(publisher.as_deref()).collect();
    short_hash(&parts)
}

/// The key of the record for a second body with the same request id.
fn conflict_key(request_key: &str, digest: &str) -> String {
    short_hash(&["conflict", request_key, digest])
}
