//! The interfaces between the program and its environment. The modules `azure` and `local` implement them; tests add
//! implementations that fail.

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

/// The version of a stored value. Only the store interprets the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// Why a store did not read or save a value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another writer has saved the value since it was read. Read it again and decide again.
    #[error("another writer has saved first")]
    Overtaken,
    /// The value can't be stored, for example because it is too large. Not retryable.
    #[error("{0}")]
    Refused(String),
    /// The store did not answer, or it failed. A change may have been made.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// This version of the program can't read the stored value, which is kept unchanged. Not retryable.
    #[error("what is stored can't be read: {why}")]
    Unreadable {
        /// Why the value can't be read, for people.
        why: String,
        /// The version of the row, with which a caller can replace a value that it doesn't need.
        etag: ETag,
    },
}

/// A row of the list of tenants. A document that can't be read is listed too, so that it hides no other tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// A tenant whose document was read.
    Readable(Box<Tenant>),
    /// A tenant whose document this version of the program can't read.
    Unreadable(Unreadable),
}

/// A tenant whose document can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// The id under which the tenant is stored.
    pub tenant_id: TenantId,
    /// Why the document can't be read, for people.
    pub why: String,
}

impl Listed {
    /// Parses the stored JSON of a tenant's document.
    pub fn of_row(id: TenantId, json: &[u8]) -> Self {
        match Tenant::of_row(&id, json) {
            Ok(tenant) => Self::Readable(Box::new(tenant)),
            Err(error) => Self::Unreadable(Unreadable { tenant_id: id, why: error.to_string() }),
        }
    }

    /// The tenant's id. The next page of a list begins after the id of the last row.
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
    /// The value that was read.
    pub value: T,
    /// The version of the value; a save with it succeeds only if no other writer has saved since.
    pub etag: ETag,
}

/// The recorded outcome of a request. The program never deletes a record, so a repeat gets the same answer at any time.
///
/// Other small values are stored as records too, each under a key that no request has: which request another system's
/// operation belongs to, for which evidence a tenant was suspended, and the cursors of the scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// The key of the record. For a request it is a hash of the request id, or of the body if no id could be read.
    pub key: String,
    /// The hash by which intake distinguishes a repeat from another request with the same id: SHA-256 of the action and
    /// the JSON body, or of the bytes of a message that could not be read as a request.
    pub body_sha256: String,
    /// The tenant that the request is about, if its id could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The answer to the request; `Null` while intake is in progress.
    #[serde(default)]
    pub answer: Value,
    /// The first 64 KiB of a refused message, as base64. A message is kept only if it has no valid request and no
    /// secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_body: Option<String>,
    /// The events about a refusal or a dry run that are still to be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<OutboxEntry>,
    /// When intake last wrote the record; other values are recorded with the time of their last save.
    pub at: Timestamp,
}

/// Something that is due, which the sweep takes up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A tenant whose document has a `due_at` that has passed.
    Tenant(TenantId),
    /// The key of a request record whose outbox is not empty.
    Request(String),
}

/// The store of all state: tenant documents, request records, blueprint texts and history.
///
/// # Flow
/// A caller reads a value, changes it and saves it against the version that was read; `update` of `dyn StateStore` does
/// all three for a tenant. Two stores implement the trait: Azure Table Storage (`azure::tables`) and one file
/// (`local`). The test suite `tests/suite/state_store` holds both to this contract.
///
/// ```
/// use tenantry::ports::{StateStore, StoreError};
/// use tenantry_core::{ids::TenantId, tenant::Tenant};
///
/// /// Makes a tenant due at once. Returns whether there is such a tenant.
/// async fn hurry(store: &dyn StateStore, id: &TenantId, now: jiff::Timestamp) -> Result<bool, StoreError> {
///     // Called again if another writer saved first, so it depends only on the document that it gets.
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
/// - [`StateStore::due`] finds every tenant with a `due_at` and every request record with a non-empty outbox, even if
///   the process is killed in the middle of the save.
/// - An unreadable row hides no other row: lists include it and continue.
///
/// # Assumptions
/// The store compares versions atomically. An answer may be lost, and a change may take effect late although no answer
/// to it arrived.
///
/// # Errors
/// [`StoreError::Overtaken`] when another writer has saved in between: read again, and decide again. Saving the old
/// decision over the new version would undo the other writer's change. After [`StoreError::Unavailable`] the change may
/// or may not have been made; read to find out. [`StoreError::Refused`] and [`StoreError::Unreadable`] are not
/// retryable.
///
/// # Caveats
/// There is no transaction over two documents, and the program needs none. [`StateStore::due`] may return a tenant that
/// is no longer due, so read the document first.
pub trait StateStore: Send + Sync {
    /// Reads a tenant's document; `None` if there is none, [`StoreError::Unreadable`] if this version can't read it.
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>>;
    /// Saves a tenant's document; returns its new version. `seen` is the version that was read; `None` without one.
    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>>;
    /// Lists tenants by id, after the given id; documents that can't be read are [`Listed::Unreadable`].
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;
    /// Reads a request record by its key; `None` if there is none, [`StoreError::Unreadable`] as for [`Self::load`].
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>>;
    /// Saves a request record and returns its new version; `seen` as for [`Self::save`].
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>>;
    /// Reads the text of a blueprint by its digest, as saved by [`Self::keep_blueprint`]; `None` if there is none.
    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Saves the text of a blueprint under its digest (`sha256:<hex>`), once for all tenants. An existing text is kept,
    /// so repeats and races are harmless. Texts are never deleted; there is one per version of a blueprint.
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Lists up to `limit` tenants and request records that are due at or before `now`, the longest overdue first. An
    /// unreadable row is due at the instant that was saved with it.
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>>;
    /// Appends rows to tenants' histories; a row that exists already is kept unchanged.
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Reads a tenant's history, the newest row first, at most `limit` rows. Unreadable rows are left out and logged.
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>>;
}

/// The transport to Azure's control planes: Azure Resource Manager and Microsoft Graph.
///
/// # Guarantees
/// A request that changes something is sent at most once. Only the engine repeats such requests, because it knows
/// whether it has read the object first.
pub trait Transport: Send + Sync {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// A [`Failure`] when there is no usable answer; it says whether the request was certainly not sent, or may have
    /// been carried out.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>>;
}

/// Publishes events to subscribers.
pub trait Publisher: Send + Sync {
    /// Publishes events. After an error the caller publishes them again, with the same ids and content, so subscribers
    /// get each event at least once.
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>>;
}

/// Schedules wake-ups. They are hints only: the sweep finds tenants whose wake-up was lost.
pub trait Scheduler: Send + Sync {
    /// Schedules a wake-up for a tenant at an instant. A repeated call for the same tenant and instant may have no
    /// effect.
    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>>;

    /// Whether wake-ups are delivered at all. If not, the sweep itself reconciles the tenants that are due.
    fn delivers(&self) -> bool {
        true
    }
}

/// A token of a tenant's application, used only to call services: it is never shown, logged or stored.
#[derive(Clone)]
pub struct ProbeToken(String);

impl ProbeToken {
    /// Wraps a token.
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

/// Why no token could be issued, as a text that contains no part of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Entra issues no token because the application's service principal is disabled. Not retryable.
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

/// The audience of a token that the prober requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFor {
    /// The tenant's own service.
    Service,
    /// Another service. The tenant's own service has to reject this token.
    Another,
}

/// The credential that the prober sends when it calls a tenant's service.
#[derive(Debug, Clone)]
pub enum Credential {
    /// No credential.
    None,
    /// The token, unchanged.
    Token(ProbeToken),
    /// The token with its expiry moved into the past.
    Expired(ProbeToken),
    /// A made-up API key in the form of a real one.
    Key,
}

/// The answer of a tenant's service to a call of the prober.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The HTTP status.
    pub status: u16,
    /// Whether the service behind the endpoint answered, and not only the endpoint's front end.
    pub from_service: bool,
}

/// Calls tenants' services as an outside caller.
pub trait Prober: Send + Sync {
    /// The network location that the prober calls from, as configured by the operator.
    fn location(&self) -> &str;

    /// Requests a new token for a tenant's application.
    ///
    /// # Errors
    /// [`NoToken`] with the reason.
    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>>;

    /// Calls a tenant's service once.
    ///
    /// # Errors
    /// A text that says why nothing was sent, or why no answer arrived.
    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>>;
}

/// The program's source of time; tests use virtual time.
pub trait Clock: Send + Sync {
    /// Returns the current instant.
    fn now(&self) -> Timestamp;
    /// Waits until `at`; returns at once if `at` has passed.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The clock of the operating system.
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
    /// The store of all state.
    pub store: Arc<dyn StateStore>,
    /// The transport to Azure's control planes.
    pub transport: Arc<dyn Transport>,
    /// The prober, which calls tenants' services; `None` if no probe identity is configured.
    pub prober: Option<Arc<dyn Prober>>,
    /// Publishes events to subscribers.
    pub publisher: Arc<dyn Publisher>,
    /// Schedules wake-ups.
    pub scheduler: Arc<dyn Scheduler>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}
