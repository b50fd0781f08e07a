//! The outbox of a tenant: entries are numbered without gaps and stay in the document until they are published.

use jiff::Timestamp;
use serde_json::Value;

use super::{EntryContent, Operation, OutboxEntry, Tenant};

impl Tenant {
    /// The entries that have yet to be published, oldest first.
    pub fn outbox(&self) -> &[OutboxEntry] {
        &self.outbox
    }

    /// The number of the last entry that was put into the outbox.
    pub fn numbered(&self) -> u64 {
        self.numbered
    }

    /// The sequence of the last event that was put into the outbox.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Puts an event of an operation into the outbox.
    pub fn enqueue_event(&mut self, operation: &Operation, kind: &str, data: Value, at: Timestamp) {
        self.sequence += 1;
        self.note(
            EntryContent::Event {
                kind: kind.to_owned(),
                sequence: self.sequence,
                operation_id: operation.id.clone(),
                correlation_id: operation.request_id.clone(),
                traceparent: operation.traceparent.clone(),
                data,
            },
            at,
        );
    }

    /// Puts an event into the outbox that no request has asked for. It gets the id of the open or blocked operation,
    /// else of the last one, else of the tenant.
    pub fn enqueue_event_without_operation(&mut self, kind: &str, data: Value, at: Timestamp) {
        self.sequence += 1;
        let open = self.operation().or(self.blocked.as_ref());
        let id = match (open, &self.concluded) {
            (Some(open), _) => open.id.clone(),
            (None, Some(concluded)) => concluded.operation_id.clone(),
            (None, None) => self.id.to_string(),
        };
        let asked = self.requests.iter().find(|past| past.operation_id == id);
        let correlation_id = match (open, asked) {
            (Some(open), _) => open.request_id.clone(),
            (None, Some(past)) => past.request_id.clone(),
            (None, None) => id.clone(),
        };
        let content = EntryContent::Event {
            kind: kind.to_owned(),
            sequence: self.sequence,
            operation_id: id,
            correlation_id,
            traceparent: open.and_then(|open| open.traceparent.clone()),
            data,
        };
        self.note(content, at);
    }

    /// Puts an entry into the outbox.
    pub fn note(&mut self, content: EntryContent, at: Timestamp) {
        self.numbered += 1;
        self.outbox.push(OutboxEntry { number: self.numbered, at, content });
    }

    /// Removes published entries. A number is never reused, so a subscriber recognizes a repeated event.
    pub fn strike(&mut self, is_published: impl Fn(&OutboxEntry) -> bool) {
        self.outbox.retain(|entry| !is_published(entry));
    }
}
