//! The sound subset of `azure_data_tables`: create a table; insert, get, update, merge, delete one entity; query.
//!
//! The crate has faults (in batches, in quoting keys, in telling whether a batch succeeded), and an end: there will be
//! no later release. What is used here was tried against Azurite. A write is always an insert or carries the version
//! that it replaces, so it may be sent again at any time; a name is checked before it gets into a URL.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use azure_core_legacy::{Continuable as _, Error, Etag, RetryOptions, TransportOptions, error::ErrorKind};
use azure_data_tables::{
    IfMatchCondition,
    clients::{EntityClient, TableClient, TableServiceClient, TableServiceClientBuilder},
};
use azure_storage::{CloudLocation, StorageCredentials};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value};
use tenantry_core::time::later;

use super::super::bridge::Transport;
use crate::ports::{Clock, StoreError};

/// How often a request is sent that may not have been answered. A refusal for load is tried again below, by the
/// transport, which sees when the service wants it.
const TRIES: u32 = 3;
/// The pause before the second try; the third comes after twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// An entity's properties, with its keys among them.
pub(super) type Entity = Map<String, Value>;

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Tenants,
    Requests,
    Due,
    History,
    Blueprints,
}

impl Table {
    fn word(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Requests => "requests",
            Self::Due => "due",
            Self::History => "history",
            Self::Blueprints => "blueprints",
        }
    }
}

/// Where an entity is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: Table,
    pub(super) partition: &'a str,
    pub(super) row: &'a str,
}

/// Why something was not done.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// There is no such entity, or no such table.
    Absent,
    /// There is one already, or another version of it.
    Conflict,
    /// It can't be done, now or later.
    Refused(String),
    /// There is no answer, or a useless one: it may have been done.
    Unknown(String),
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(why) => Self::Refused(why),
            Trouble::Unknown(why) => Self::Unavailable(why),
            // Who asks for what may be absent or taken looks at these two himself.
            Trouble::Absent => Self::Unavailable("Table Storage lost a table".to_owned()),
            Trouble::Conflict => Self::Overtaken,
        }
    }
}

impl Trouble {
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

/// The tables of one deployment.
pub(super) struct Service {
    client: TableServiceClient,
    prefix: String,
    clock: Arc<dyn Clock>,
}

impl Service {
    pub(super) fn new(
        location: CloudLocation,
        credentials: StorageCredentials,
        transport: Transport,
        prefix: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let client = TableServiceClientBuilder::with_location(location, credentials)
            .transport(TransportOptions::new(Arc::new(transport)))
            .retry(RetryOptions::none())
            .build();
        Self { client, prefix, clock }
    }

    /// The entity, of which only the named properties are sent if there are any named, and its version.
    pub(super) async fn get(
        &self,
        place: Place<'_>,
        only: Option<&'static str>,
    ) -> Result<Option<(Entity, String)>, Trouble> {
        let mut get = self.entity(place)?.get::<Entity>();
        if let Some(only) = only {
            get = get.select(only);
        }
        match self.patiently(|| get.clone().into_future()).await {
            Ok(got) => Ok(Some((got.entity, got.etag.to_string()))),
            Err(Trouble::Absent) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Inserts an entity and returns its version; its table is made if it is not there.
    pub(super) async fn insert(&self, place: Place<'_>, mut entity: Entity) -> Result<String, Trouble> {
        check(place)?;
        entity.insert("PartitionKey".to_owned(), place.partition.into());
        entity.insert("RowKey".to_owned(), place.row.into());
        let table = self.table(place.table);
        let insert = table.insert::<Entity, Entity>(entity).map_err(|error| Trouble::of(&error))?;
        let mut done = self.patiently(|| insert.clone().into_future()).await;
        if matches!(done, Err(Trouble::Absent)) {
            // Somebody else may make it at the same time.
            let create = table.create();
            match self.patiently(|| create.clone().into_future()).await {
                Ok(_) | Err(Trouble::Conflict) => {}
                Err(trouble) => return Err(trouble),
            }
            done = self.patiently(|| insert.clone().into_future()).await;
        }
        done.map(|inserted| inserted.etag.to_string())
    }

    /// Replaces an entity of the given version, and returns the new one.
    pub(super) async fn update(
        &self,
        place: Place<'_>,
        entity: &Entity,
        version: &str,
    ) -> Result<String, Trouble> {
        let condition = IfMatchCondition::Etag(Etag::from(version));
        let update = self.entity(place)?.update(entity, condition).map_err(|error| Trouble::of(&error))?;
        self.patiently(|| update.clone().into_future()).await.map(|updated| updated.etag.to_string())
    }

    /// Deletes an entity of the given version.
    pub(super) async fn delete(&self, place: Place<'_>, version: &str) -> Result<(), Trouble> {
        let condition = IfMatchCondition::Etag(Etag::from(version));
        let delete = self.entity(place)?.delete().if_match(condition);
        self.patiently(|| delete.clone().into_future()).await.map(|_| ())
    }

    /// One page of the entities that a filter lets through, in the order of their keys, and where the next begins.
    /// A page may be empty and not the last.
    pub(super) async fn page(
        &self,
        table: Table,
        filter: String,
        most: usize,
        from: Option<NextPage>,
    ) -> Result<(Vec<Entity>, Option<NextPage>), Trouble> {
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
        match self.patiently(first).await {
            Ok(page) => {
                let next = page.continuation();
                Ok((page.entities, next))
            }
            Err(Trouble::Absent) => Ok((Vec::new(), None)),
            Err(trouble) => Err(trouble),
        }
    }

    /// Sends until there is an answer, at most [`TRIES`] times.
    async fn patiently<'a, T>(
        &self,
        send: impl Fn() -> BoxFuture<'a, azure_core_legacy::Result<T>> + Send,
    ) -> Result<T, Trouble> {
        let mut tries = 0;
        loop {
            let error = match send().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            if tries == TRIES || !may_pass(&error) {
                return Err(Trouble::of(&error));
            }
            tracing::debug!(tries, why = %error.kind(), "Table Storage is asked again");
            self.clock.sleep_until(later(self.clock.now(), PAUSE * tries)).await;
        }
    }

    fn table(&self, table: Table) -> TableClient {
        self.client.table_client(format!("{}{}", self.prefix, table.word()))
    }

    fn entity(&self, place: Place<'_>) -> Result<EntityClient, Trouble> {
        check(place)?;
        Ok(self.table(place.table).partition_key_client(place.partition).entity_client(place.row))
    }
}

/// Where the next page of a query begins: a partition and, mostly, a row.
pub(super) type NextPage = (String, Option<String>);

/// Whether the same request may be answered otherwise a moment later.
fn may_pass(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => matches!(u16::from(*status), 408 | 500 | 502 | 504),
        ErrorKind::DataConversion | ErrorKind::Credential | ErrorKind::MockFramework | ErrorKind::Other => {
            false
        }
    }
}

/// Lets a name into a URL only if nothing in it can mean something there. The crate would put a quote in as it is, and
/// speak of another entity than the one that was meant.
fn check(place: Place<'_>) -> Result<(), Trouble> {
    for key in [place.partition, place.row] {
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plain || !(1..=MAX_KEY).contains(&key.len()) {
            return Err(Trouble::Refused(format!(
                "a key of the table of {} has one to {MAX_KEY} characters out of A-Z, a-z, 0-9, hyphen and underscore; \
                 this one does not",
                place.table.word()
            )));
        }
    }
    Ok(())
}

/// The longest key, in characters; Table Storage takes 512 (1 KiB in UTF-16).
const MAX_KEY: usize = 256;
