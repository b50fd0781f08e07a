//! The tables of the state file, and how records are encoded in them.
//!
//! Every table has small keys and is read by key or by range, so no request writes the whole state, and only lists read
//! much of it.

use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{db::DbError, error::CloudError, store::object::Object};

/// A record, encoded as JSON.
pub(crate) type Bytes = &'static [u8];
pub(crate) const OBJECTS: TableDefinition<'static, &str, Bytes> = TableDefinition::new("cloud_objects");
pub(super) const NAMES: TableDefinition<'static, &str, &str> = TableDefinition::new("cloud_names");
/// The index: (index key, lower-cased id of an object).
pub(super) const INDEX: TableDefinition<'static, (&str, &str), ()> = TableDefinition::new("cloud_index");
pub(super) const OPERATIONS: TableDefinition<'static, &str, Bytes> = TableDefinition::new("cloud_operations");
/// The ids of the operations that have ended, in the order of their ends.
pub(super) const ENDED: TableDefinition<'static, u64, &str> = TableDefinition::new("cloud_ended");
pub(super) const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("cloud_due");
pub(super) const JOURNAL: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_journal");
pub(super) const EVENTS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_events");
pub(super) const TOPIC: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_topic");
pub(super) const SECRETS: TableDefinition<'static, &str, &str> = TableDefinition::new("cloud_secrets");
pub(super) const SERIALS: TableDefinition<'static, &str, u64> = TableDefinition::new("cloud_serials");

pub(crate) fn fault<E: Into<redb::Error>>(error: E) -> CloudError {
    CloudError::Db(DbError::from(error))
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CloudError> {
    serde_json::from_slice(bytes).map_err(|e| CloudError::Record(e.to_string()))
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CloudError> {
    serde_json::to_vec(value).map_err(|e| CloudError::Record(e.to_string()))
}

pub(super) fn one<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, Bytes>,
    key: &str,
) -> Result<Option<T>, CloudError> {
    table.get(key).map_err(fault)?.map(|found| decode(found.value())).transpose()
}

pub(super) fn many(
    table: &impl ReadableTable<&'static str, Bytes>,
    prefix: &str,
    is_included: impl Fn(&str) -> bool,
) -> Result<Vec<Object>, CloudError> {
    let mut found = Vec::new();
    for row in table.range(prefix..).map_err(fault)? {
        let (key, value) = row.map_err(fault)?;
        if !key.value().starts_with(prefix) {
            break;
        }
        if is_included(key.value()) {
            found.push(decode(value.value())?);
        }
    }
    Ok(found)
}

/// The objects whose ids have exactly this many segments after a prefix that ends with a slash. Objects with more
/// segments are skipped without being read.
pub(super) fn at_depth(
    table: &impl ReadableTable<&'static str, Bytes>,
    prefix: &str,
    segments: usize,
) -> Result<Vec<Object>, CloudError> {
    let mut found = Vec::new();
    let mut from = prefix.to_owned();
    loop {
        let mut below = None;
        for row in table.range(from.as_str()..).map_err(fault)? {
            let (key, value) = row.map_err(fault)?;
            let Some(rest) = key.value().strip_prefix(prefix) else { break };
            match rest.match_indices('/').nth(segments - 1) {
                Some((end, _)) => {
                    below = Some(format!("{prefix}{}", &rest[..end]));
                    break;
                }
                None if rest.matches('/').count() == segments - 1 => found.push(decode(value.value())?),
                None => {}
            }
        }
        match below {
            // '0' follows '/', so this is after everything below that object.
            Some(object) => from = format!("{object}0"),
            None => return Ok(found),
        }
    }
}

/// The secret that is stored under a name; generated with `make` and stored when it is first needed.
pub(crate) fn secret(
    transaction: &WriteTransaction,
    name: &str,
    make: impl FnOnce() -> String,
) -> Result<String, CloudError> {
    let mut secrets = transaction.open_table(SECRETS).map_err(|e: TableError| fault(e))?;
    if let Some(known) = secrets.get(name).map_err(fault)? {
        return Ok(known.value().to_owned());
    }
    let made = make();
    secrets.insert(name, made.as_str()).map_err(fault)?;
    Ok(made)
}
