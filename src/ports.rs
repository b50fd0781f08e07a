//! The seams between the program and a world. `azure` and `local` implement each once; the tests bring hostile ones.

mod update;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenantry_core::{
    ids::TenantId,
    isolation::ProbeTarget,
    steps::{Failure, Reply, Request},
    tenant::{CloudEvent, HistoryRow, Notice, Tenant},
};

pub use update::MAX_RACES;

/// The version of a stored thing; opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has saved in between: read again.
    #[error("somebody else saved it first")]
    Overtaken,
    /// It is too large or otherwise not storable; saving again can't help.
    #[error("{0}")]
    Refused(String),
    /// The store did not answer or failed; the change may have been made.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// What is stored is not what this version reads. Asking again can't help; it is left as it is.
    #[error("what is stored can't be read: {why}")]
    Unreadable {
        /// Why, for people.
        why: String,
        /// The version of the row, so that one that is worth nothing can be replaced.
        etag: ETag,
    },
}

/// A row of the list of tenants. What can't be read is a row of its own, so that one bad document hides no other.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// A tenant.
    Readable(Box<Tenant>),
    /// A row that holds no document that this version reads.
    Unreadable(Unreadable),
}

/// A tenant whose document can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// Under which id it is stored.
    pub tenant_id: TenantId,
    /// Why it can't be read, for people.
    pub why: String,
}

impl Listed {
    /// A stored row, read.
    pub fn of_row(id: TenantId, json: &[u8]) -> Self {
        match Tenant::of_row(&id, json) {
            Ok(tenant) => Self::Readable(Box::new(tenant)),
            Err(error) => Self::Unreadable(Unreadable { tenant_id: id, why: error.to_string() }),
        }
    }

    /// Under which id it is stored: what a list goes on after.
    pub fn id(&self) -> &TenantId {
        match self {
            Self::Readable(tenant) => &tenant.id,
            Self::Unreadable(unreadable) => &unreadable.tenant_id,
        }
    }

    /// The tenants of a list, and apart from them what can't be read.
    pub fn sorted_out(rows: Vec<Self>) -> (Vec<Tenant>, Vec<Unreadable>) {
        let (mut tenants, mut unreadable) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                Self::Readable(tenant) => tenants.push(*tenant),
                Self::Unreadable(row) => unreadable.push(row),
            }
        }
        (tenants, unreadable)
    }
}

/// A stored thing with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The thing.
    pub value: T,
    /// Its version.
    pub etag: ETag,
}

/// What became of a request; kept for as long as a repeat may come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// The key: a hash of the request's id, or of the body where no id could be read.
    pub key: String,
    /// SHA-256 of the body, to tell a repeat from another request under the same id.
    pub body_sha256: String,
    /// The tenant that it is about, when that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The answer; `Null` while the request is being taken in.
    #[serde(default)]
    pub answer: Value,
    /// The body of a refused message, as base64, so that nothing is lost; cut beyond the size that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
    /// What has to be told about a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// When it came.
    pub at: Timestamp,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A tenant whose `due_at` has come.
    Tenant(TenantId),
    /// A request record with something to tell.
    Request(String),
}

/// Where the state is kept: tenants' documents, records of requests, texts of blueprints, history.
///
/// # Flow
/// Read, change, save against the version that was read; `update` of `dyn StateStore` does all three. Two stores implement it: Azure Table Storage (`azure::tables`) and
/// one file (`local`); one suite of tests, `tests/suite/state_store`, holds both to this contract.
///
/// ```
/// use tenantry::ports::{StateStore, StoreError};
/// use tenantry_core::{ids::TenantId, tenant::Tenant};
///
/// /// Has a tenant looked after at once. Whether there is such a tenant.
/// async fn hurry(store: &dyn StateStore, id: &TenantId, now: jiff::Timestamp) -> Result<bool, StoreError> {
///     // Called again on what somebody else has saved meanwhile, so it judges the document that it gets.
///     let due = |tenant: &mut Tenant| {
///         tenant.due_by(now);
///         Some(())
///     };
///     Ok(store.update(id, due).await?.is_some())
/// }
/// ```
///
/// # Guarantees
/// - A save succeeds only against the version that was read, and is durable when it returns.
/// - A tenant with a `due_at`, and a request record with notices, is found by [`StateStore::due`], even if the process
///   dies in the middle of the save.
/// - A row that can't be read hides no other: lists name it and go on.
///
/// # Assumptions
/// The store compares versions atomically. It may lose an answer, and it may carry out late what it did not answer.
///
/// # Errors
/// [`StoreError::Overtaken`] when somebody else has saved in between: read again, and decide again. Saving the old decision
/// over the new version would undo what the other has recorded. [`StoreError::Unavailable`] leaves open whether the change
/// was made: only reading tells. [`StoreError::Refused`] and [`StoreError::Unreadable`] do not pass by waiting.
///
/// # Caveats
/// There is no transaction over two documents; nothing in the program needs one. [`StateStore::due`] may show a tenant that
/// is not due any more: whoever takes it reads the document first.
pub trait StateStore: Send + Sync {
    /// A tenant's document; [`StoreError::Unreadable`] if what is there is none that this version reads.
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>>;
    /// Saves a tenant's document; `seen` is the version read, `None` if there was none.
    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>>;
    /// Tenants by id, after the given one; what can't be read is listed in its place.
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;
    /// A request record; [`StoreError::Unreadable`] as for [`Self::load`].
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>>;
    /// Saves a request record; `seen` as for [`Self::save`].
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>>;
    /// The text of a blueprint by its digest, as [`Self::keep_blueprint`] was given it.
    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Keeps the text of a blueprint under its digest (`sha256:<hex>`), once for all tenants; what is there already stays as
    /// it is, so repeats and races are harmless. Nothing is ever dropped: there are as few rows as versions.
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// What is due at or before `now`, the longest overdue first. Costs as much as there is due. What can't be read is
    /// due as well, for as long as it is there.
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>>;
    /// Appends history; a row that is there already is left as it is.
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>>;
    /// A tenant's history, the newest first. A row that can't be read is left out, and logged.
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>>;
}

/// The way to Azure's control planes: Azure Resource Manager and Microsoft Graph.
///
/// # Guarantees
/// One request is sent at most once; repeating is the engine's decision, for only the engine knows whether it read first.
pub trait Wire: Send + Sync {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// A [`Failure`] when there is no answer: `not_sent` if it certainly was not sent, `ambiguous` otherwise.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>>;
}

/// The way to subscribers.
pub trait Announcer: Send + Sync {
    /// Publishes events, at least once. A repeat has the same ids and content.
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A wake-up call. A hint only: what is lost is found by the sweep.
pub trait Alarm: Send + Sync {
    /// Asks to be woken for a tenant at an instant. Asking again for the same instant may be taken for the same call.
    fn wake<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>>;

    /// Whether anybody is woken at all. Where nobody is, an accepted call means nothing, and the sweep itself drives
    /// what is due.
    fn is_heard(&self) -> bool {
        true
    }
}

/// A token that is only called with: it is never shown, logged or kept.
#[derive(Clone)]
pub struct ProbeToken(String);

impl ProbeToken {
    /// A token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for an `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProbeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProbeToken")
    }
}

/// Why there is no token, in words without any part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Entra gives none to this application, for its service principal is disabled: asking again helps nobody.
    #[error("{0}")]
    Disabled(String),
    /// For any other reason.
    #[error("{0}")]
    Other(String),
}

impl From<String> for NoToken {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

/// What a tenant's token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFor {
    /// The tenant's service.
    Service,
    /// Another service, which the tenant's has to notice.
    Another,
}

/// With what a service is called.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nothing.
    None,
    /// A token as it is.
    Token(ProbeToken),
    /// A token whose end is moved into the past before it is sent.
    Expired(ProbeToken),
    /// A key of the right form that nobody has given out.
    Key,
}

/// What a service answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The status.
    pub status: u16,
    /// Whether what runs behind the endpoint gave this answer, and not what stands before it.
    pub from_service: bool,
}

/// The way to tenants' services, as a caller from outside has it.
pub trait Prober: Send + Sync {
    /// The network place that it calls from, in the words of whoever runs this.
    fn place(&self) -> &str;

    /// A new token of a tenant's application.
    ///
    /// # Errors
    /// Why there is none.
    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>>;

    /// Calls a tenant's service once.
    ///
    /// # Errors
    /// In words: why nothing was sent, or why no answer came.
    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>>;
}

/// Time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
    /// Returns at `at`, at once if it has passed.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where time is waited for")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = std::time::Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}

/// Everything that the program asks of its surroundings.
#[derive(Clone)]
pub struct World {
    /// The state.
    pub store: Arc<dyn StateStore>,
    /// Azure.
    pub wire: Arc<dyn Wire>,
    /// Calls to tenants' services; none where no probe identity is set.
    pub prober: Option<Arc<dyn Prober>>,
    /// Subscribers.
    pub announcer: Arc<dyn Announcer>,
    /// Wake-ups.
    pub alarm: Arc<dyn Alarm>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}
