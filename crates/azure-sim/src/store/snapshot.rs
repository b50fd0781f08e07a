//! A consistent view of the stored state, for reads.

use jiff::Timestamp;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    error::CloudError,
    store::{
        journal_entry::Entry,
        query::StoreQuery,
        tables::{Bytes, DUE, EVENTS, INDEX, JOURNAL, NAMES, OBJECTS, OPERATIONS, TOPIC, decode, fault},
    },
};

/// A consistent view of the stored state: later changes are not visible in it.
pub(crate) struct Snapshot {
    transaction: ReadTransaction,
    objects: ReadOnlyTable<&'static str, Bytes>,
    names: ReadOnlyTable<&'static str, &'static str>,
    index: ReadOnlyTable<(&'static str, &'static str), ()>,
    operations: ReadOnlyTable<&'static str, Bytes>,
    /// The time at which the view was opened.
    pub(crate) now: Timestamp,
}

impl Snapshot {
    /// Opens a view in a transaction.
    pub(crate) fn new(transaction: ReadTransaction, now: Timestamp) -> Result<Self, CloudError> {
        Ok(Self {
            objects: transaction.open_table(OBJECTS).map_err(fault)?,
            names: transaction.open_table(NAMES).map_err(fault)?,
            index: transaction.open_table(INDEX).map_err(fault)?,
            operations: transaction.open_table(OPERATIONS).map_err(fault)?,
            transaction,
            now,
        })
    }

    /// Whether a scheduled item is due that no change has carried out yet.
    pub(crate) fn is_stale(&self) -> Result<bool, CloudError> {
        let due = self.transaction.open_table(DUE).map_err(fault)?;
        let first = due.first().map_err(fault)?;
        Ok(first.is_some_and(|(key, _)| key.value().0 <= self.now.as_microsecond()))
    }

    /// Calls `visit` with the entries of the request journal, the newest first, until `visit` returns false.
    pub(crate) fn journal_backwards(&self, mut visit: impl FnMut(Entry) -> bool) -> Result<(), CloudError> {
        let journal = self.transaction.open_table(JOURNAL).map_err(fault)?;
        for row in journal.iter().map_err(fault)?.rev() {
            if !visit(decode(row.map_err(fault)?.1.value())?) {
                break;
            }
        }
        Ok(())
    }

    /// The encoded entries of the request journal after a number, at most `most`, each with its own number.
    pub(crate) fn journal_after(&self, number: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, CloudError> {
        let journal = self.transaction.open_table(JOURNAL).map_err(fault)?;
        let mut lines = Vec::new();
        for row in journal.range(number + 1..).map_err(fault)?.take(most) {
            let (key, value) = row.map_err(fault)?;
            lines.push((key.value(), value.value().to_owned()));
        }
        Ok(lines)
    }

    /// All messages of the Service Bus topic, in order.
    pub(crate) fn topic(&self) -> Result<Vec<Value>, CloudError> {
        self.lines(TOPIC)
    }

    /// All events that the Event Grid topic has received, in order.
    pub(crate) fn events(&self) -> Result<Vec<Value>, CloudError> {
        self.lines(EVENTS)
    }

    /// The first `most` events whose numbers are greater than `number`, each with its own number.
    pub(crate) fn events_after(&self, number: u64, most: usize) -> Result<Vec<(u64, Value)>, CloudError> {
        let events = self.transaction.open_table(EVENTS).map_err(fault)?;
        let mut found = Vec::new();
        for row in events.range(number + 1..).map_err(fault)?.take(most) {
            let (key, value) = row.map_err(fault)?;
            found.push((key.value(), decode(value.value())?));
        }
        Ok(found)
    }

    /// The number of the last event; 0 if there is none.
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

impl StoreQuery for Snapshot {
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
