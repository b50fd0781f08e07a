//! What the cloud remembers: objects by lower-cased id, taken names, operations, what falls due, journal, events,
//! messages of the topic.
//!
//! Every table is small-keyed and read by key or by range; no request reads or writes the whole state.

use jiff::Timestamp;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{CloudError, Speed, faults::Failure, operations::Operation};
use crate::db::DbError;

type Bytes = &'static [u8];
pub(super) const OBJECTS: TableDefinition<'static, &str, Bytes> = TableDefinition::new("cloud_objects");
const NAMES: TableDefinition<'static, &str, &str> = TableDefinition::new("cloud_names");
const OPERATIONS: TableDefinition<'static, &str, Bytes> = TableDefinition::new("cloud_operations");
const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("cloud_due");
const JOURNAL: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_journal");
const EVENTS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_events");
const TOPIC: TableDefinition<'static, u64, Bytes> = TableDefinition::new("cloud_topic");
const SECRETS: TableDefinition<'static, &str, &str> = TableDefinition::new("cloud_secrets");
const SERIALS: TableDefinition<'static, &str, u64> = TableDefinition::new("cloud_serials");

/// Identities that the cloud hands out are UUIDv5 in this namespace over the owner and a durable serial number.
const IDENTITIES: Uuid = Uuid::from_u128(0x7e6a_51c0_0f1d_4b6e_9d35_aa57_1c0f_fee5);

/// One thing in the cloud: an ARM resource, a role assignment or a Graph object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    /// The id as its maker wrote it; compared without case.
    pub(crate) id: String,
    /// `Namespace/type` for ARM, `graph/...` for Graph.
    pub(crate) kind: String,
    /// What a GET shows.
    pub(crate) body: Value,
    /// Whose it is, from its own tag or the nearest tagged ancestor.
    pub(crate) tenant: Option<String>,
    /// Whether it was there from the start.
    #[serde(default)]
    pub(crate) seeded: bool,
    /// From when on replicas show it (Graph and RBAC); writes reach the primary at once.
    pub(crate) visible: Timestamp,
    /// The operation that runs on it.
    #[serde(default)]
    pub(crate) busy: Option<String>,
    /// When it was soft-deleted.
    #[serde(default)]
    pub(crate) deleted: Option<Timestamp>,
}

impl Object {
    /// The key under which it is stored.
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// The text at a JSON pointer into the body, or nothing.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One line of the request journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    /// What was answered; 0 if nothing was done and nothing answered.
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// Who asked, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    /// Where in a trace it was asked, if the request said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
}

pub(super) fn fault<E: Into<redb::Error>>(error: E) -> CloudError {
    CloudError::Db(DbError::from(error))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CloudError> {
    serde_json::from_slice(bytes).map_err(|e| CloudError::Record(e.to_string()))
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CloudError> {
    serde_json::to_vec(value).map_err(|e| CloudError::Record(e.to_string()))
}

fn one<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, Bytes>,
    key: &str,
) -> Result<Option<T>, CloudError> {
    table.get(key).map_err(fault)?.map(|found| decode(found.value())).transpose()
}

fn many(table: &impl ReadableTable<&'static str, Bytes>, prefix: &str) -> Result<Vec<Object>, CloudError> {
    let mut found = Vec::new();
    for row in table.range(prefix..).map_err(fault)? {
        let (key, value) = row.map_err(fault)?;
        if !key.value().starts_with(prefix) {
            break;
        }
        found.push(decode(value.value())?);
    }
    Ok(found)
}

/// The secret of a name, made when it is first asked for.
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

/// Looking, the same in a snapshot and within a change.
pub(crate) trait Look {
    /// The objects by lower-cased id.
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes>;
    /// What names stand for.
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str>;
    /// The operations by id.
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes>;

    /// The object with this id, in whatever case, soft-deleted ones included.
    fn object(&self, id: &str) -> Result<Option<Object>, CloudError> {
        one(self.objects(), &id.to_lowercase())
    }

    /// All objects whose lower-cased id begins so, in order.
    fn under(&self, prefix: &str) -> Result<Vec<Object>, CloudError> {
        many(self.objects(), prefix)
    }

    /// What a name stands for.
    fn named(&self, name: &str) -> Result<Option<String>, CloudError> {
        Ok(self.names().get(name).map_err(fault)?.map(|id| id.value().to_owned()))
    }

    /// An operation by its id.
    fn operation(&self, id: &str) -> Result<Option<Operation>, CloudError> {
        one(self.operations(), id)
    }

    /// The object with this id, unless it is soft-deleted.
    fn alive(&self, id: &str) -> Result<Option<Object>, CloudError> {
        Ok(self.object(id)?.filter(|object| object.deleted.is_none()))
    }

    /// The tenant of the object, or of its nearest ancestor that has one.
    fn tenant_at(&self, id: &str) -> Result<Option<String>, CloudError> {
        let mut id = id.trim_end_matches('/').to_lowercase();
        while !id.is_empty() {
            if let Some(tenant) = self.object(&id)?.and_then(|object| object.tenant) {
                return Ok(Some(tenant));
            }
            id.truncate(id.rfind('/').unwrap_or(0));
        }
        Ok(None)
    }
}

/// A consistent view of the cloud.
pub(crate) struct Snapshot {
    transaction: ReadTransaction,
    objects: ReadOnlyTable<&'static str, Bytes>,
    names: ReadOnlyTable<&'static str, &'static str>,
    operations: ReadOnlyTable<&'static str, Bytes>,
    /// When the view was taken.
    pub(crate) now: Timestamp,
}

impl Snapshot {
    /// Opens the view.
    pub(crate) fn new(transaction: ReadTransaction, now: Timestamp) -> Result<Self, CloudError> {
        Ok(Self {
            objects: transaction.open_table(OBJECTS).map_err(fault)?,
            names: transaction.open_table(NAMES).map_err(fault)?,
            operations: transaction.open_table(OPERATIONS).map_err(fault)?,
            transaction,
            now,
        })
    }

    /// Whether something has fallen due that no change has carried out yet.
    pub(crate) fn is_stale(&self) -> Result<bool, CloudError> {
        let due = self.transaction.open_table(DUE).map_err(fault)?;
        let first = due.first().map_err(fault)?;
        Ok(first.is_some_and(|(key, _)| key.value().0 <= self.now.as_microsecond()))
    }

    /// The journal in order.
    pub(crate) fn journal(&self) -> Result<Vec<Entry>, CloudError> {
        self.lines(JOURNAL)
    }

    /// The messages of the Service Bus topic in order.
    pub(crate) fn topic(&self) -> Result<Vec<Value>, CloudError> {
        self.lines(TOPIC)
    }

    /// The received events in order.
    pub(crate) fn events(&self) -> Result<Vec<Value>, CloudError> {
        self.lines(EVENTS)
    }

    /// At most so many events behind a number, each with its own.
    pub(crate) fn events_after(&self, number: u64, most: usize) -> Result<Vec<(u64, Value)>, CloudError> {
        let events = self.transaction.open_table(EVENTS).map_err(fault)?;
        let mut found = Vec::new();
        for row in events.range(number + 1..).map_err(fault)?.take(most) {
            let (key, value) = row.map_err(fault)?;
            found.push((key.value(), decode(value.value())?));
        }
        Ok(found)
    }

    /// The number of the last event, zero if there is none.
    pub(crate) fn last_event(&self) -> Result<u64, CloudError> {
        let events = self.transaction.open_table(EVENTS).map_err(fault)?;
        Ok(events.last().map_err(fault)?.map_or(0, |(key, _)| key.value()))
    }

    fn lines<T: DeserializeOwned>(
        &self,
        table: TableDefinition<'static, u64, Bytes>,
    ) -> Result<Vec<T>, CloudError> {
        let table = self.transaction.open_table(table).map_err(fault)?;
        let mut lines = Vec::new();
        for row in table.iter().map_err(fault)? {
            lines.push(decode(row.map_err(fault)?.1.value())?);
        }
        Ok(lines)
    }
}

impl Look for Snapshot {
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.objects
    }
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str> {
        &self.names
    }
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.operations
    }
}

/// One change in progress. Whoever writes checks first: what a refused request wrote would be committed too.
pub(crate) struct Change<'t> {
    objects: Table<'t, &'static str, Bytes>,
    names: Table<'t, &'static str, &'static str>,
    operations: Table<'t, &'static str, Bytes>,
    due: Table<'t, (i64, &'static str), ()>,
    journal: Table<'t, u64, Bytes>,
    events: Table<'t, u64, Bytes>,
    topic: Table<'t, u64, Bytes>,
    serials: Table<'t, &'static str, u64>,
    /// The instant of the change.
    pub(crate) now: Timestamp,
    /// How fast operations are.
    pub(crate) speed: Speed,
    /// How the operation that this change starts is to fail, if a test asked for that.
    pub(crate) failure: Option<Failure>,
    /// Whether Entra denies what only lags.
    pub(crate) denies_lag: bool,
    /// The object id of whoever makes it, where that is known.
    pub(crate) caller: Option<String>,
}

impl<'t> Change<'t> {
    /// Opens all tables of the transaction, making them if need be.
    pub(crate) fn new(
        transaction: &'t WriteTransaction,
        now: Timestamp,
        speed: Speed,
    ) -> Result<Self, CloudError> {
        fn open<'a, K: redb::Key + 'static, V: redb::Value + 'static>(
            transaction: &'a WriteTransaction,
            table: TableDefinition<'static, K, V>,
        ) -> Result<Table<'a, K, V>, CloudError> {
            transaction.open_table(table).map_err(|e: TableError| fault(e))
        }
        Ok(Self {
            objects: open(transaction, OBJECTS)?,
            names: open(transaction, NAMES)?,
            operations: open(transaction, OPERATIONS)?,
            due: open(transaction, DUE)?,
            journal: open(transaction, JOURNAL)?,
            events: open(transaction, EVENTS)?,
            topic: open(transaction, TOPIC)?,
            serials: open(transaction, SERIALS)?,
            now,
            speed,
            failure: None,
            denies_lag: false,
            caller: None,
        })
    }

    /// Keeps an object.
    pub(crate) fn put(&mut self, object: &Object) -> Result<(), CloudError> {
        let bytes = encode(object)?;
        self.objects.insert(object.key().as_str(), bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Forgets an object.
    pub(crate) fn forget(&mut self, id: &str) -> Result<(), CloudError> {
        self.objects.remove(id.to_lowercase().as_str()).map_err(fault)?;
        Ok(())
    }

    /// Takes a name for an object.
    pub(crate) fn take_name(&mut self, name: &str, id: &str) -> Result<(), CloudError> {
        self.names.insert(name, id.to_lowercase().as_str()).map_err(fault)?;
        Ok(())
    }

    /// Sets a name free.
    pub(crate) fn free_name(&mut self, name: &str) -> Result<(), CloudError> {
        self.names.remove(name).map_err(fault)?;
        Ok(())
    }

    /// Keeps an operation.
    pub(crate) fn put_operation(&mut self, operation: &Operation) -> Result<(), CloudError> {
        let bytes = encode(operation)?;
        self.operations.insert(operation.id.as_str(), bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Notes that something is to happen at an instant.
    pub(crate) fn schedule(&mut self, at: Timestamp, what: &str) -> Result<(), CloudError> {
        self.due.insert((at.as_microsecond(), what), ()).map_err(fault)?;
        Ok(())
    }

    /// Takes the earliest thing that has fallen due by an instant, with its own.
    pub(crate) fn next_due(&mut self, by: Timestamp) -> Result<Option<(Timestamp, String)>, CloudError> {
        let (at, what) = match self.due.first().map_err(fault)? {
            Some((key, _)) if key.value().0 <= by.as_microsecond() => {
                (key.value().0, key.value().1.to_owned())
            }
            Some(_) | None => return Ok(None),
        };
        self.due.remove((at, what.as_str())).map_err(fault)?;
        Ok(Some((Timestamp::from_microsecond(at).unwrap_or(by), what)))
    }

    /// The next number of a durable series, beginning with one.
    pub(crate) fn serial(&mut self, series: &str) -> Result<u64, CloudError> {
        let next = self.serials.get(series).map_err(fault)?.map_or(0, |n| n.value()) + 1;
        self.serials.insert(series, next).map_err(fault)?;
        Ok(next)
    }

    /// A new GUID: the same owner made anew gets another one.
    pub(crate) fn identity(&mut self, owner: &str) -> Result<String, CloudError> {
        let serial = self.serial("identities")?;
        Ok(Uuid::new_v5(&IDENTITIES, format!("{serial}|{owner}").as_bytes()).to_string())
    }

    /// Appends to the journal.
    pub(crate) fn note(&mut self, entry: &Entry) -> Result<(), CloudError> {
        let bytes = encode(entry)?;
        let next = self.serial("journal")?;
        self.journal.insert(next, bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Appends an event.
    pub(crate) fn receive(&mut self, event: &Value) -> Result<(), CloudError> {
        let bytes = encode(event)?;
        let next = self.serial("events")?;
        self.events.insert(next, bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Up to which event a webhook has been told; a new one counts from now on.
    pub(crate) fn told(&mut self, webhook: &str) -> Result<u64, CloudError> {
        let known = self.serials.get(format!("told {webhook}").as_str()).map_err(fault)?.map(|n| n.value());
        if let Some(known) = known {
            return Ok(known);
        }
        let last = self.serials.get("events").map_err(fault)?.map_or(0, |n| n.value());
        self.set_told(webhook, last)?;
        Ok(last)
    }

    /// Keeps up to which event a webhook has been told.
    pub(crate) fn set_told(&mut self, webhook: &str, event: u64) -> Result<(), CloudError> {
        self.serials.insert(format!("told {webhook}").as_str(), event).map_err(fault)?;
        Ok(())
    }

    /// Appends a message to the Service Bus topic.
    pub(crate) fn publish(&mut self, message: &Value) -> Result<(), CloudError> {
        let bytes = encode(message)?;
        let next = self.serial("topic")?;
        self.topic.insert(next, bytes.as_slice()).map_err(fault)?;
        Ok(())
    }
}

impl Look for Change<'_> {
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.objects
    }
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str> {
        &self.names
    }
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.operations
    }
}
