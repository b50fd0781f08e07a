//! The interfaces between the program and its environment. `azure` and `local` implement each; tests add failing ones.

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
    tenant::{CloudEvent, HistoryRow, OutboxEntry, Tenant},
};

pub use update::MAX_RACES;

/// The version of a stored value; opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another writer has saved in between: read again.
    #[error("another writer has saved first")]
    Overtaken,
    /// Too large or otherwise not storable. Not retryable.
    #[error("{0}")]
    Refused(String),
    /// The store did not answer or failed; the change may have been made.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The stored value can't be read by this version. Not retryable; it is kept unchanged.
    #[error("what is stored can't be read: {why}")]
    Unreadable {
        /// Why it can't be read, for people.
        why: String,
        /// The version of the row, so that a worthless one can be replaced.
        etag: ETag,
    },
}

/// A row of the list of tenants. An unreadable one is a row of its own, so that one bad document hides no other.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// A tenant.
    Readable(Box<Tenant>),
    /// A row without a document that this version can read.
    Unreadable(Unreadable),
}

/// A tenant whose document can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// The id under which it is stored.
    pub tenant_id: TenantId,
    /// Why it can't be read, for people.
    pub why: String,
}

impl Listed {
    /// Reads a stored row.
    pub fn of_row(id: TenantId, json: &[u8]) -> Self {
        match Tenant::of_row(&id, json) {
            Ok(tenant) => Self::Readable(Box::new(tenant)),
            Err(error) => Self::Unreadable(Unreadable { tenant_id: id, why: error.to_string() }),
        }
    }

    /// The id under which it is stored; the next page of a list begins after it.
    pub fn id(&self) -> &TenantId {
        match self {
            Self::Readable(tenant) => &tenant.id,
            Self::Unreadable(unreadable) => &unreadable.tenant_id,
        }
    }

    /// Splits a list into readable tenants and unreadable rows.
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

/// A stored value with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The value.
    pub value: T,
    /// Its version.
    pub etag: ETag,
}

/// The outcome of a request, kept for as long as a repeat may come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// The key: a hash of the request id, or of the body where no id could be read.
    pub key: String,
    /// SHA-256 of the body, which distinguishes a repeat from another request with the same id.
    pub body_sha256: String,
    /// The tenant that it is about, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The answer; `Null` while intake is in progress.
    #[serde(default)]
    pub answer: Value,
    /// The body of a refused message, as base64, cut at the size limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_body: Option<String>,
    /// The events about a refusal that are to be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<OutboxEntry>,
    /// When it arrived.
    pub at: Timestamp,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A tenant whose `due_at` has come.
    Tenant(TenantId),
    /// A request record with a non-empty outbox.
    Request(String),
}

/// Where the state is kept: tenant documents, request records, blueprint texts, history.
///
/// # Flow
/// Read, change, save against the version that was read; `update` of `dyn StateStore` does all three. Two stores
/// implement it: Azure Table Storage (`azure::tables`) and one file (`local`). The test suite `tests/suite/state_store`
/// holds both to this contract.
///
/// ```
/// use tenantry::ports::{StateStore, StoreError};
/// use tenantry_core::{ids::TenantId, tenant::Tenant};
///
/// /// Makes a tenant due at once. Returns whether there is such a tenant.
/// async fn hurry(store: &dyn StateStore, id: &TenantId, now: jiff::Timestamp) -> Result<bool, StoreError> {
///     // Called again if another writer saved first, so it must judge the document that it gets.
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
/// - A tenant with a `due_at`, and a request record with a non-empty outbox, is found by [`StateStore::due`], even if
///   the process dies in the middle of the save.
/// - An unreadable row hides no other: lists name it and continue.
///
/// # Assumptions
/// The store compares versions atomically. An answer may be lost, and a change may take effect late although it was
/// never answered.
///
/// # Errors
/// [`StoreError::Overtaken`] when another writer has saved in between: read again, and decide again. Saving the old
/// decision over the new version would undo the other writer's change. After [`StoreError::Unavailable`] the change may
/// or may not have been made; read to find out. [`StoreError::Refused`] and [`StoreError::Unreadable`] are not
/// retryable.
///
/// # Caveats
/// There is no transaction over two documents; nothing in the program needs one. [`StateStore::due`] may return a
/// tenant that is not due any more, so read the document first.
pub trait StateStore: Send + Sync {
    /// A tenant's document; [`StoreError::Unreadable`] if this version can't read what is stored.
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>>;
    /// Saves a tenant's document; `seen` is the version that was read, `None` if there was none.
    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>>;
    /// Tenants by id, after the given one; unreadable rows are included as such.
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
    /// The text of a blueprint by its digest, as saved by [`Self::keep_blueprint`].
    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Saves the text of a blueprint under its digest (`sha256:<hex>`), once for all tenants. An existing text is kept,
    /// so repeats and races are harmless. Texts are never deleted: there are only as many as versions.
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// What is due at or before `now`, the longest overdue first. The cost is proportional to what is due. Unreadable
    /// rows are always due.
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>>;
    /// Appends history; a row that exists already is kept unchanged.
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>>;
    /// A tenant's history, the newest first. Unreadable rows are left out and logged.
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>>;
}

/// The transport to Azure's control planes: Azure Resource Manager and Microsoft Graph.
///
/// # Guarantees
/// A request is sent at most once. Only the engine repeats requests, because it knows whether it has read first.
pub trait Transport: Send + Sync {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// A [`Failure`] when there is no answer: `not_sent` if it certainly was not sent, `ambiguous` otherwise.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>>;
}

/// Publishes events to subscribers.
pub trait Publisher: Send + Sync {
    /// Publishes events, at least once. A repeat has the same ids and content.
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>>;
}

/// Schedules wake-ups. They are hints only: the sweep finds tenants whose wake-up was lost.
pub trait Scheduler: Send + Sync {
    /// Schedules a wake-up for a tenant at an instant. A repeat for the same instant may be dropped as a duplicate.
    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>>;

    /// Whether wake-ups are delivered at all. Where they are not, the sweep itself reconciles what is due.
    fn delivers(&self) -> bool {
        true
    }
}

/// A token that is only used for calls: it is never shown, logged or stored.
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

/// Why there is no token, as a text without any part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Entra issues none because the application's service principal is disabled. Not retryable.
    #[error("{0}")]
    Disabled(String),
    /// Any other reason.
    #[error("{0}")]
    Other(String),
}

impl From<String> for NoToken {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

/// The audience of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFor {
    /// The tenant's service.
    Service,
    /// Another service: the tenant's service has to reject this token.
    Another,
}

/// The credential of a call to a tenant's service.
#[derive(Debug, Clone)]
pub enum Credential {
    /// No credential.
    None,
    /// The token, unchanged.
    Token(ProbeToken),
    /// The token with its expiry moved into the past.
    Expired(ProbeToken),
    /// A key of the right form that was never issued.
    Key,
}

/// The answer of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The status.
    pub status: u16,
    /// Whether the service behind the endpoint answered, and not the endpoint's front end.
    pub from_service: bool,
}

/// Calls tenants' services as an outside caller.
pub trait Prober: Send + Sync {
    /// The network location that it calls from, as configured by the operator.
    fn location(&self) -> &str;

    /// Requests a new token of a tenant's application.
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
    /// A text: why nothing was sent, or why no answer came.
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
    /// Returns at `at`, or at once if that has passed.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the only timer")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = std::time::Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}

/// The interfaces to everything outside the program.
#[derive(Clone)]
pub struct Ports {
    /// The state.
    pub store: Arc<dyn StateStore>,
    /// Azure's control planes.
    pub transport: Arc<dyn Transport>,
    /// Calls to tenants' services; `None` where no probe identity is set.
    pub prober: Option<Arc<dyn Prober>>,
    /// Subscribers.
    pub publisher: Arc<dyn Publisher>,
    /// Wake-ups.
    pub scheduler: Arc<dyn Scheduler>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}
