//! The state in Table Storage: tenant documents, request records, history, blueprint texts, and an index of the
//! documents that are due.
//!
//! | table | partition | row | holds |
//! | --- | --- | --- | --- |
//! | `…tenants` | the tenant's id | `document` | the tenant's document, in binary properties |
//! | `…requests` | the request's key | `record` | the request record |
//! | `…due` | `due` | instant, kind, key, save | the version that the save is to replace |
//! | `…history` | the tenant's id | counted down, so that the newest is first | one row of history |
//! | `…blueprints` | the digest, with a hyphen for the colon | `source` | a blueprint's text, in binary properties |
//!
//! A table is created when its first entity is inserted. Batches are never sent, and every write has a condition.

mod entity;
mod index;
mod keep;
mod service;

use std::{net::IpAddr, sync::Arc};

use azure_core_legacy::auth::TokenCredential;
use azure_storage::{CloudLocation, StorageCredentials};
use futures_util::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use jiff::Timestamp;
use reqwest::{Client, Url};
use serde::Serialize;
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

use self::{
    entity::{check_size, pack, text, unpack},
    keep::{Draft, REQUESTS, TENANTS},
    service::{Entity, RowKey, Service, Table, TableError},
};
use super::{
    bridge::{EntraCredential, LegacyTransport},
    token::Tokens,
};
use crate::ports::{Clock, Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored, Unreadable};

/// The largest answer that is read, in bytes. It holds a page of the largest documents, as base64 within JSON.
const MAX_REPLY_BYTES: usize = 24 << 20;
/// Documents per page, so that a page stays below [`MAX_REPLY_BYTES`].
const DOCUMENTS_IN_PAGE: usize = 16;
/// History rows per page.
const ROWS_IN_PAGE: usize = 200;
/// How many history rows are written in parallel.
const ROWS_AT_ONCE: usize = 8;

/// The row key of a blueprint's text.
const SOURCE: &str = "source";

/// The path of the account of Azurite, Microsoft's storage emulator. The account's name and key are public.
const EMULATOR_PATH: &str = "/devstoreaccount1";

/// The address and the names of the tables.
#[derive(Debug, Clone)]
pub struct TablesSettings {
    /// The storage account's table endpoint, e.g. `https://contoso.table.core.windows.net`. A plain http address on
    /// this machine is taken for Azurite, whose account and key are public.
    pub endpoint: Url,
    /// The prefix of the tables' names: letters and digits, a letter first, e.g. `tenantry`. Case is ignored.
    pub prefix: String,
}

/// Why the settings are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTables {
    /// The endpoint is not that of a storage account.
    #[error(
        "a table endpoint is https://ACCOUNT.table.core.windows.net or of that form, or Azurite's http://127.0.0.1:PORT; it \
         has no query or user, and no path but Azurite's account"
    )]
    Endpoint,
    /// The prefix is not a valid beginning of a table's name.
    #[error("the beginning of the tables' names has one to forty letters and digits, a letter first")]
    Prefix,
}

/// The state store in Azure Table Storage.
pub struct TableState {
    service: Service,
}

impl TableState {
    /// Creates a store in these tables. Nothing is sent to the service, and no table is created, until the first use.
    /// The timeout of `client` applies to each try. No token is sent to Azurite.
    ///
    /// # Errors
    /// [`BadTables`] for invalid settings.
    pub fn new(
        settings: &TablesSettings,
        client: &Client,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadTables> {
        let prefix = &settings.prefix;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || !prefix.starts_with(|first: char| first.is_ascii_alphabetic()) || prefix.len() > 40 {
            return Err(BadTables::Prefix);
        }
        let (location, credentials) = account(&settings.endpoint, tokens)?;
        let transport = LegacyTransport::new(client.clone(), Arc::clone(&clock), MAX_REPLY_BYTES);
        Ok(Self { service: Service::new(location, credentials, transport, prefix.clone(), clock) })
    }
}

/// The account behind an endpoint, and its credential: a token, or for Azurite the public key.
fn account(endpoint: &Url, tokens: Arc<Tokens>) -> Result<(CloudLocation, StorageCredentials), BadTables> {
    let host = endpoint.host_str().ok_or(BadTables::Endpoint)?;
    // Azurite's endpoints name its account in the path.
    let path = endpoint.path();
    let path =
        if endpoint.scheme() == "http" { path.strip_suffix(EMULATOR_PATH).unwrap_or(path) } else { path };
    let bare = matches!(path, "" | "/") && endpoint.query().is_none() && endpoint.fragment().is_none();
    if !bare || !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(BadTables::Endpoint);
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match endpoint.scheme() {
        "https" => {
            let credential: Arc<dyn TokenCredential> = Arc::new(EntraCredential::new(tokens));
            let account = host.split('.').next().unwrap_or_default().to_owned();
            let uri = endpoint.to_string();
            Ok((CloudLocation::Custom { account, uri }, StorageCredentials::token_credential(credential)))
        }
        "http" if host == "localhost" || address.is_ok_and(|address| address.is_loopback()) => {
            let port = endpoint.port_or_known_default().ok_or(BadTables::Endpoint)?;
            Ok((CloudLocation::Emulator { address: host.to_owned(), port }, StorageCredentials::emulator()))
        }
        _ => Err(BadTables::Endpoint),
    }
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Parses what [`Service::load`] found. The error for an unreadable value has its version.
fn read<T, E: ToString>(
    stored: Option<Stored<Result<Vec<u8>, String>>>,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<Option<Stored<T>>, StoreError> {
    let Some(Stored { value, etag }) = stored else { return Ok(None) };
    match value.and_then(|bytes| read(&bytes).map_err(|error| error.to_string())) {
        Ok(value) => Ok(Some(Stored { value, etag })),
        Err(why) => Err(StoreError::Unreadable { why, etag }),
    }
}

/// Reads a row of the tenants' table; `None` if its key is no valid tenant id.
fn listed(entity: &Entity) -> Option<Listed> {
    let key = text(entity, "PartitionKey").unwrap_or_default();
    let Ok(id) = key.parse::<TenantId>() else {
        tracing::error!(key, "a row of the tenants' table has a key that is no id");
        return None;
    };
    Some(match unpack(entity) {
        Ok(json) => Listed::of_row(id, &json),
        Err(why) => Listed::Unreadable(Unreadable { tenant_id: id, why }),
    })
}

/// Reads a history row; `None` if it can't be read, which is logged.
fn history_row(entity: &Entity) -> Option<HistoryRow> {
    let row =
        unpack(entity).and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
    row.inspect_err(|error| {
        let key = |name| text(entity, name).unwrap_or_default();
        let (tenant, row) = (key("PartitionKey"), key("RowKey"));
        tracing::error!(tenant.id = tenant, row, error, "a row of history can't be read; it is left out");
    })
    .ok()
}

/// The partition key of a blueprint's text: the digest with a hyphen instead of the colon, which a key can't contain.
fn blueprint_key(digest: &str) -> String {
    digest.replace(':', "-")
}

/// The row key of a history row. It counts down, so that newer rows come first.
fn row_key(number: u64) -> String {
    format!("{:020}", u64::MAX - number)
}

impl TableState {
    /// Reads the entities of a query page by page, until `take` has accepted `limit` of them.
    async fn query<T>(
        &self,
        table: Table,
        filter: &str,
        (in_page, limit): (usize, usize),
        take: impl Fn(&Entity) -> Option<T> + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let (mut found, mut from) = (Vec::new(), None);
        while found.len() < limit {
            let most = in_page.min(limit - found.len());
            let (page, next) = self.service.page(table, filter.to_owned(), most, from).await?;
            found.extend(page.iter().filter_map(&take));
            from = next;
            if from.is_none() {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn append_row(&self, row: HistoryRow) -> Result<(), StoreError> {
        let mut entity = Entity::new();
        entity.insert("At".to_owned(), row.at.to_string().into());
        entity.insert("What".to_owned(), row.what.as_str().into());
        for (name, text) in [("Step", &row.step), ("State", &row.state)] {
            if let Some(text) = text {
                entity.insert(name.to_owned(), text.as_str().into());
            }
        }
        pack(&mut entity, to_json(&row)?.as_bytes());
        check_size(&entity, 0).map_err(StoreError::Refused)?;
        let key = row_key(row.number);
        let row_key = RowKey { table: Table::History, partition: row.tenant_id.as_str(), row: &key };
        match self.service.insert(row_key, entity).await {
            Ok(_) | Err(TableError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl StateStore for TableState {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(async move {
            let stored = self.service.load(TENANTS, id.as_str()).await?;
            read(stored, |json| Tenant::of_row(id, json))
        })
    }

    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let json = tenant.to_json().map_err(|error| StoreError::Refused(error.to_string()))?;
            let plain = vec![
                ("Schema", tenant.schema.clone()),
                ("Status", tenant.status.as_str().to_owned()),
                ("UpdatedAt", tenant.updated_at.to_string()),
            ];
            let draft = Draft { key: tenant.id.as_str(), json, due_at: tenant.due_at, plain };
            self.service.save(TENANTS, draft, seen).await
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            // Every id sorts after the empty text.
            let filter = format!("PartitionKey gt '{}'", after.map_or("", TenantId::as_str));
            self.query(Table::Tenants, &filter, (DOCUMENTS_IN_PAGE, limit), listed).await
        })
    }

    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(async move {
            let stored = self.service.load(REQUESTS, key).await?;
            read(stored, |json| serde_json::from_slice(json))
        })
    }

    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let due_at = (!record.outbox.is_empty()).then_some(record.at);
            let plain = vec![("At", record.at.to_string())];
            let draft = Draft { key: &record.key, json: to_json(record)?, due_at, plain };
            self.service.save(REQUESTS, draft, seen).await
        })
    }

    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let key = blueprint_key(digest);
            let row_key = RowKey { table: Table::Blueprints, partition: &key, row: SOURCE };
            let Some((entity, _)) = self.service.get(row_key, None).await? else { return Ok(None) };
            let text = String::from_utf8(unpack(&entity).map_err(StoreError::Refused)?);
            let unreadable = |_| StoreError::Refused("a stored blueprint is not UTF-8".to_owned());
            text.map(Some).map_err(unreadable)
        })
    }

    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let key = blueprint_key(digest);
            let mut entity = Entity::new();
            pack(&mut entity, text.as_bytes());
            check_size(&entity, 0).map_err(StoreError::Refused)?;
            let row_key = RowKey { table: Table::Blueprints, partition: &key, row: SOURCE };
            match self.service.insert(row_key, entity).await {
                Ok(_) | Err(TableError::Conflict) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        Box::pin(self.service.due(now, limit))
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let appended =
                stream::iter(rows.to_vec()).map(|row| self.append_row(row)).buffer_unordered(ROWS_AT_ONCE);
            appended.try_collect().await
        })
    }

    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        Box::pin(async move {
            let filter = format!("PartitionKey eq '{id}'");
            self.query(Table::History, &filter, (ROWS_IN_PAGE, limit), history_row).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_a_token_and_azurite_its_key() {
        for (endpoint, shown, uri) in [
            (
                "https://contoso.table.core.windows.net",
                "TokenCredential",
                "https://contoso.table.core.windows.net/",
            ),
            ("https://localhost:10002", "TokenCredential", "https://localhost:10002/"),
            ("http://127.0.0.1:10002", "Key", "http://127.0.0.1:10002/devstoreaccount1"),
            ("http://[::1]:10002", "Key", "http://[::1]:10002/devstoreaccount1"),
        ] {
            let tokens = Arc::new(Tokens::fixed("none"));
            let (location, credentials) = account(&endpoint.parse().unwrap(), tokens).unwrap();
            assert!(format!("{credentials:?}").contains(shown), "{endpoint}: {credentials:?}");
            assert_eq!(location.url(azure_storage::clients::ServiceType::Table).unwrap().as_str(), uri);
        }
    }
}
