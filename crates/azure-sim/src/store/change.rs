//! A transaction that changes the stored state.

use jiff::Timestamp;
use redb::{ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    clock::Speed,
    error::CloudError,
    store::{
        due::Due,
        journal_entry::Entry,
        object::Object,
        operation::{Failure, Operation},
        query::StoreQuery,
        tables::{
            Bytes, DUE, ENDED, EVENTS, INDEX, JOURNAL, NAMES, OBJECTS, OPERATIONS, SERIALS, TOPIC, encode,
            fault,
        },
    },
};

/// The namespace of the GUIDs that the simulated Azure generates: UUIDv5 of a durable serial number and the owner.
const IDENTITIES: Uuid = Uuid::from_u128(0x7e6a_51c0_0f1d_4b6e_9d35_aa57_1c0f_fee5);

/// How many journal lines, events, messages of the topic, and records of ended operations are kept. When there are more,
/// the oldest ones are deleted.
const KEPT: u64 = 100_000;

/// A transaction that changes the stored state, usually for one request. Check everything before the first write: the
/// writes of a request that is refused afterwards would be committed too.
pub(crate) struct Change<'t> {
    objects: Table<'t, &'static str, Bytes>,
    names: Table<'t, &'static str, &'static str>,
    index: Table<'t, (&'static str, &'static str), ()>,
    operations: Table<'t, &'static str, Bytes>,
    ended: Table<'t, u64, &'static str>,
    due: Table<'t, (i64, &'static str), ()>,
    journal: Table<'t, u64, Bytes>,
    events: Table<'t, u64, Bytes>,
    topic: Table<'t, u64, Bytes>,
    serials: Table<'t, &'static str, u64>,
    /// The time of the change. While due items are carried out, the time at which the item was due.
    pub(crate) now: Timestamp,
    /// How fast long-running operations and replication are.
    pub(crate) speed: Speed,
    /// The injected failure with which the operation that this change starts will end, if any.
    pub(crate) failure: Option<Failure>,
    /// Whether a service principal of an application that replicas do not show yet is refused with 403 instead of 400.
    pub(crate) denies_lag: bool,
    /// The object id of the caller; `None` if permissions are not enforced or the caller is unknown.
    pub(crate) caller: Option<String>,
}

impl<'t> Change<'t> {
    /// Starts a change in a transaction: opens all tables, and creates them if necessary.
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
            index: open(transaction, INDEX)?,
            operations: open(transaction, OPERATIONS)?,
            ended: open(transaction, ENDED)?,
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

    /// Saves an object, and replaces the one with the same id.
    pub(crate) fn put(&mut self, object: &Object) -> Result<(), CloudError> {
        let bytes = encode(object)?;
        self.objects.insert(object.key().as_str(), bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Removes the record of an object. The names that it holds stay reserved.
    pub(crate) fn forget(&mut self, id: &str) -> Result<(), CloudError> {
        self.objects.remove(id.to_lowercase().as_str()).map_err(fault)?;
        Ok(())
    }

    /// Reserves a unique name for the object with this id, and replaces an earlier holder.
    pub(crate) fn take_name(&mut self, name: &str, id: &str) -> Result<(), CloudError> {
        self.names.insert(name, id.to_lowercase().as_str()).map_err(fault)?;
        Ok(())
    }

    /// Releases a reserved name.
    pub(crate) fn free_name(&mut self, name: &str) -> Result<(), CloudError> {
        self.names.remove(name).map_err(fault)?;
        Ok(())
    }

    /// Adds an object to the index under a key, under which [`StoreQuery::indexed`] finds it.
    pub(crate) fn index(&mut self, key: &str, id: &str) -> Result<(), CloudError> {
        self.index.insert((key, id.to_lowercase().as_str()), ()).map_err(fault)?;
        Ok(())
    }

    /// Removes an object from the index under a key.
    pub(crate) fn unindex(&mut self, key: &str, id: &str) -> Result<(), CloudError> {
        self.index.remove((key, id.to_lowercase().as_str())).map_err(fault)?;
        Ok(())
    }

    /// Saves an operation that has ended. Callers can still poll it until [`KEPT`] further ones have ended.
    pub(crate) fn end_operation(&mut self, operation: &Operation) -> Result<(), CloudError> {
        self.put_operation(operation)?;
        let next = self.serial("ended")?;
        self.ended.insert(next, operation.id.as_str()).map_err(fault)?;
        if let Some(old) = next.checked_sub(KEPT)
            && let Some(id) = self.ended.remove(old).map_err(fault)?
        {
            self.operations.remove(id.value()).map_err(fault)?;
        }
        Ok(())
    }

    /// Saves an operation, and replaces the one with the same id.
    pub(crate) fn put_operation(&mut self, operation: &Operation) -> Result<(), CloudError> {
        let bytes = encode(operation)?;
        self.operations.insert(operation.id.as_str(), bytes.as_slice()).map_err(fault)?;
        Ok(())
    }

    /// Schedules an item, to be carried out by the first request at or after a time.
    pub(crate) fn schedule(&mut self, at: Timestamp, what: &Due) -> Result<(), CloudError> {
        self.due.insert((at.as_microsecond(), what.text().as_str()), ()).map_err(fault)?;
        Ok(())
    }

    /// Schedules the purge of the soft-deleted object with this id.
    pub(crate) fn expire_at(&mut self, id: &str, at: Timestamp) -> Result<(), CloudError> {
        self.schedule(at, &Due::Expiry(id.to_owned()))
    }

    /// Removes the earliest scheduled item that is due at or before `by`, and returns it with the time at which it was
    /// due. The inner `None` is an item of a kind that this version does not know.
    pub(crate) fn next_due(&mut self, by: Timestamp) -> Result<Option<(Timestamp, Option<Due>)>, CloudError> {
        let (at, what) = match self.due.first().map_err(fault)? {
            Some((key, _)) if key.value().0 <= by.as_microsecond() => {
                (key.value().0, key.value().1.to_owned())
            }
            Some(_) | None => return Ok(None),
        };
        self.due.remove((at, what.as_str())).map_err(fault)?;
        Ok(Some((Timestamp::from_microsecond(at).unwrap_or(by), Due::read(&what))))
    }

    /// The next number of the durable series with this name. The first is one.
    pub(crate) fn serial(&mut self, series: &str) -> Result<u64, CloudError> {
        let next = self.serials.get(series).map_err(fault)?.map_or(0, |n| n.value()) + 1;
        self.serials.insert(series, next).map_err(fault)?;
        Ok(next)
    }

    /// A new GUID for an owner. Each call returns another one, so an object that is recreated gets a new GUID.
    pub(crate) fn identity(&mut self, owner: &str) -> Result<String, CloudError> {
        let serial = self.serial("identities")?;
        Ok(Uuid::new_v5(&IDENTITIES, format!("{serial}|{owner}").as_bytes()).to_string())
    }

    /// Appends an entry to the request journal.
    pub(crate) fn note(&mut self, entry: &Entry) -> Result<(), CloudError> {
        let bytes = encode(entry)?;
        let next = self.serial("journal")?;
        append(&mut self.journal, next, &bytes)
    }

    /// Appends an event to the Event Grid topic.
    pub(crate) fn receive(&mut self, event: &Value) -> Result<(), CloudError> {
        let bytes = encode(event)?;
        let next = self.serial("events")?;
        append(&mut self.events, next, &bytes)
    }

    /// The number of the last event that a webhook has accepted or that will not be retried. A new webhook starts after
    /// the existing events.
    pub(crate) fn delivered(&mut self, webhook: &str) -> Result<u64, CloudError> {
        let known =
            self.serials.get(format!("delivered {webhook}").as_str()).map_err(fault)?.map(|n| n.value());
        if let Some(known) = known {
            return Ok(known);
        }
        let last = self.serials.get("events").map_err(fault)?.map_or(0, |n| n.value());
        self.set_delivered(webhook, last)?;
        Ok(last)
    }

    /// Saves the number of the last event that a webhook has accepted or that will not be retried.
    pub(crate) fn set_delivered(&mut self, webhook: &str, event: u64) -> Result<(), CloudError> {
        self.serials.insert(format!("delivered {webhook}").as_str(), event).map_err(fault)?;
        Ok(())
    }

    /// Appends a message to the Service Bus topic.
    pub(crate) fn publish(&mut self, message: &Value) -> Result<(), CloudError> {
        let bytes = encode(message)?;
        let next = self.serial("topic")?;
        append(&mut self.topic, next, &bytes)
    }
}

/// Appends a line, and deletes the one that is [`KEPT`] lines older.
fn append(table: &mut Table<'_, u64, Bytes>, number: u64, bytes: &[u8]) -> Result<(), CloudError> {
    table.insert(number, bytes).map_err(fault)?;
    if let Some(old) = number.checked_sub(KEPT) {
        table.remove(old).map_err(fault)?;
    }
    Ok(())
}

impl StoreQuery for Change<'_> {
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.objects
    }
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str> {
        &self.names
    }
    fn index(&self) -> &impl ReadableTable<(&'static str, &'static str), ()> {
        &self.index
    }
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes> {
        &self.operations
    }
}
