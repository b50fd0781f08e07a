//! The operations of `azure_data_tables` that this program uses: create a table; insert, get, update, delete one
//! entity; query.
//!
//! Other parts of the crate have faults (batches, the quoting of keys, recognizing whether a batch succeeded), and
//! there will be no later release. The operations here were tried against Azurite. A write is always an insert or has
//! the version that it replaces, so it may be repeated at any time. Each key is checked before it becomes part of a
//! URL.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use azure_core_legacy::{Continuable as _, Error, Etag, RetryOptions, TransportOptions, error::ErrorKind};
use azure_data_tables::{
    IfMatchCondition,
    clients::{EntityClient, TableClient, TableServiceClient, TableServiceClientBuilder},
};
use azure_storage::{CloudLocation, StorageCredentials};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value};
use tenantry_core::time::saturating_add;

use super::super::bridge::LegacyTransport;
use crate::ports::{Clock, StoreError};

/// How often a request without an answer is sent at most. The transport below retries a refusal for load, because it
/// knows how long the service asks to wait.
const TRIES: u32 = 3;
/// The pause before the second try; the pause before the third is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// The properties of an entity, including its keys.
pub(super) type Entity = Map<String, Value>;

/// One of the tables of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Tenants,
    Requests,
    Due,
    History,
    Blueprints,
}

impl Table {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Requests => "requests",
            Self::Due => "due",
            Self::History => "history",
            Self::Blueprints => "blueprints",
        }
    }
}

/// The table, the partition key and the row key of an entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowKey<'a> {
    pub(super) table: Table,
    pub(super) partition: &'a str,
    pub(super) row: &'a str,
}

/// Why an operation failed.
#[derive(Debug, Clone)]
pub(super) enum TableError {
    /// There is no such entity, or no such table.
    Absent,
    /// The entity exists already, or it has another version.
    Conflict,
    /// Table Storage refuses the request permanently.
    Refused(String),
    /// There is no answer, or one that does not say whether the request was carried out; it may have been.
    Unknown(String),
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Refused(why) => Self::Refused(why),
            TableError::Unknown(why) => Self::Unavailable(why),
            // Callers that expect an absent or existing entity match these two themselves.
            TableError::Absent => Self::Unavailable("Table Storage lost a table".to_owned()),
            TableError::Conflict => Self::Overtaken,
        }
    }
}

impl TableError {
    fn of(error: &Error) -> Self {
        let ErrorKind::HttpResponse { status, error_code } = error.kind() else {
            return Self::Unknown(error.to_string());
        };
        let status = u16::from(*status);
        let mut why = format!("Table Storage answered with HTTP {status}");
        if let Some(code) = error_code {
            let _ = write!(why, " {code}");
        }
        match status {
            404 => Self::Absent,
            409 | 412 => Self::Conflict,
            400 | 413 => Self::Refused(why),
            401 | 403 => Self::Unknown(
                why + "; the identity needs the role Storage Table Data Contributor on the account",
            ),
            _ => Self::Unknown(why),
        }
    }
}

/// A client for the tables of one deployment.
pub(super) struct Service {
    client: TableServiceClient,
    prefix: String,
    clock: Arc<dyn Clock>,
}

impl Service {
    pub(super) fn new(
        location: CloudLocation,
        credentials: StorageCredentials,
        transport: LegacyTransport,
        prefix: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let client = TableServiceClientBuilder::with_location(location, credentials)
            .transport(TransportOptions::new(Arc::new(transport)))
            .retry(RetryOptions::none())
            .build();
        Self { client, prefix, clock }
    }

    /// Reads an entity and its version; `None` if there is none. `only` limits the properties that are read.
    pub(super) async fn get(
        &self,
        row_key: RowKey<'_>,
        only: Option<&'static str>,
    ) -> Result<Option<(Entity, String)>, TableError> {
        let mut get = self.entity(row_key)?.get::<Entity>();
        if let Some(only) = only {
            get = get.select(only);
        }
        match self.retrying(|| get.clone().into_future()).await {
            Ok(got) => Ok(Some((got.entity, got.etag.to_string()))),
            Err(TableError::Absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Inserts an entity and returns its version; creates its table if necessary.
    pub(super) async fn insert(&self, row_key: RowKey<'_>, mut entity: Entity) -> Result<String, TableError> {
        check(row_key)?;
        entity.insert("PartitionKey".to_owned(), row_key.partition.into());
        entity.insert("RowKey".to_owned(), row_key.row.into());
        let table = self.table(row_key.table);
        let insert = table.insert::<Entity, Entity>(entity).map_err(|error| TableError::of(&error))?;
        let mut done = self.retrying(|| insert.clone().into_future()).await;
        if matches!(done, Err(TableError::Absent)) {
            // Another process may create the table at the same time.
            let create = table.create();
            match self.retrying(|| create.clone().into_future()).await {
                Ok(_) | Err(TableError::Conflict) => {}
                Err(error) => return Err(error),
            }
            done = self.retrying(|| insert.clone().into_future()).await;
        }
        done.map(|inserted| inserted.etag.to_string())
    }

    /// Replaces an entity if it has the given version, and returns the new version.
    pub(super) async fn update(
        &self,
        row_key: RowKey<'_>,
        entity: &Entity,
        version: &str,
    ) -> Result<String, TableError> {
        let condition = IfMatchCondition::Etag(Etag::from(version));
        let update =
            self.entity(row_key)?.update(entity, condition).map_err(|error| TableError::of(&error))?;
        self.retrying(|| update.clone().into_future()).await.map(|updated| updated.etag.to_string())
    }

    /// Deletes an entity if it has the given version.
    pub(super) async fn delete(&self, row_key: RowKey<'_>, version: &str) -> Result<(), TableError> {
        let condition = IfMatchCondition::Etag(Etag::from(version));
        let delete = self.entity(row_key)?.delete().if_match(condition);
        self.retrying(|| delete.clone().into_future()).await.map(|_| ())
    }

    /// Reads one page of the entities that match a filter, ordered by key, and returns where the next page begins. A
    /// page may be empty without being the last one. A table that does not exist is empty.
    pub(super) async fn page(
        &self,
        table: Table,
        filter: String,
        most: usize,
        from: Option<NextPage>,
    ) -> Result<(Vec<Entity>, Option<NextPage>), TableError> {
        let mut query = self.table(table).query().filter(filter).top(u32::try_from(most).unwrap_or(u32::MAX));
        if let Some((partition, row)) = from {
            query = query.initial_partition_key(partition);
            if let Some(row) = row {
                query = query.initial_row_key(row);
            }
        }
        let first = || {
            let mut pages = query.clone().into_stream::<Entity>();
            async move { pages.next().await.unwrap_or_else(|| Err(ErrorKind::Other.into_error())) }.boxed()
        };
        match self.retrying(first).await {
            Ok(page) => {
                let next = page.continuation();
                Ok((page.entities, next))
            }
            Err(TableError::Absent) => Ok((Vec::new(), None)),
            Err(error) => Err(error),
        }
    }

    /// Sends a request until there is an answer, at most [`TRIES`] times.
    async fn retrying<'a, T>(
        &self,
        send: impl Fn() -> BoxFuture<'a, azure_core_legacy::Result<T>> + Send,
    ) -> Result<T, TableError> {
        let mut tries = 0;
        loop {
            let error = match send().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            if tries == TRIES || !may_pass(&error) {
                return Err(TableError::of(&error));
            }
            tracing::debug!(tries, why = %error.kind(), "a request to Table Storage is repeated");
            self.clock.sleep_until(saturating_add(self.clock.now(), PAUSE * tries)).await;
        }
    }

    fn table(&self, table: Table) -> TableClient {
        self.client.table_client(format!("{}{}", self.prefix, table.as_str()))
    }

    fn entity(&self, row_key: RowKey<'_>) -> Result<EntityClient, TableError> {
        check(row_key)?;
        Ok(self.table(row_key.table).partition_key_client(row_key.partition).entity_client(row_key.row))
    }
}

/// Where the next page of a query begins: a partition and usually a row.
pub(super) type NextPage = (String, Option<String>);

/// Whether a repeated request may get another answer.
fn may_pass(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => matches!(u16::from(*status), 408 | 500 | 502 | 504),
        ErrorKind::DataConversion | ErrorKind::Credential | ErrorKind::MockFramework | ErrorKind::Other => {
            false
        }
    }
}

/// Checks that no character of a key has a meaning in a URL. The crate would insert a quote unescaped, and so address
/// another entity.
fn check(row_key: RowKey<'_>) -> Result<(), TableError> {
    for key in [row_key.partition, row_key.row] {
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plain || !(1..=MAX_KEY).contains(&key.len()) {
            return Err(TableError::Refused(format!(
                "a key of the table of {} has one to {MAX_KEY} characters out of A-Z, a-z, 0-9, hyphen and underscore; \
                 this one does not",
                row_key.table.as_str()
            )));
        }
    }
    Ok(())
}

/// The longest key, in characters. Table Storage allows 512 (1 KiB in UTF-16).
const MAX_KEY: usize = 256;
