//! What has to be told of a tenant: numbered without a gap, in the document until it was told.

use jiff::Timestamp;
use serde_json::Value;

use super::{Notice, Operation, Story, Tenant};

impl Tenant {
    /// What has to be told, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Notices so far: the number of the last one.
    pub fn numbered(&self) -> u64 {
        self.numbered
    }

    /// Events so far: the sequence of the last one.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Puts an event into the outbox.
    pub fn tell(&mut self, operation: &Operation, kind: &str, data: Value, at: Timestamp) {
        self.sequence += 1;
        self.note(
            Story::Event {
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

    /// Puts an event into the outbox that no request has asked for. It belongs to the operation that is under way, else to
    /// the last one.
    pub fn tell_aside(&mut self, kind: &str, data: Value, at: Timestamp) {
        self.sequence += 1;
        let open = self.operation().or(self.halted.as_ref());
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
        let story = Story::Event {
            kind: kind.to_owned(),
            sequence: self.sequence,
            operation_id: id,
            correlation_id,
            traceparent: open.and_then(|open| open.traceparent.clone()),
            data,
        };
        self.note(story, at);
    }

    /// Puts a story into the outbox.
    pub fn note(&mut self, story: Story, at: Timestamp) {
        self.numbered += 1;
        self.notices.push(Notice { number: self.numbered, at, story });
    }

    /// Strikes what was told. A number is never given again, so whoever was told it twice knows it.
    pub fn strike(&mut self, is_told: impl Fn(&Notice) -> bool) {
        self.notices.retain(|notice| !is_told(notice));
    }
}
