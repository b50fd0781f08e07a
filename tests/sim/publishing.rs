//! Checks that events, rejections and history are durable before they are published, and that one id always has the
//! same content.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry_core::tenant::{CloudEvent, EntryContent, HistoryRow, OutboxEntry, Tenant};

use super::{Durable, Ledger};

impl Ledger {
    /// Invariants I3 and I20: an entry that leaves the outbox was published, and its row is in the history.
    pub(super) fn struck(&mut self, before: &Tenant, after: &Tenant) {
        let id = after.id.as_str();
        let kept: BTreeSet<u64> = after.outbox().iter().map(|entry| entry.number).collect();
        let mut wrongs = Vec::new();
        for entry in before.outbox().iter().filter(|entry| !kept.contains(&entry.number)) {
            if !self.rows.contains_key(&(id.to_owned(), entry.number)) {
                wrongs.push(("I20", format!("{id}: entry {} was removed without a row", entry.number)));
            }
            if let EntryContent::Event { sequence, kind, .. } = &entry.content {
                let published = self
                    .events
                    .get(&(id.to_owned(), *sequence))
                    .is_some_and(|event| !event.published.is_empty());
                if !published {
                    wrongs.push((
                        "I3",
                        format!("{id}: event {sequence} ({kind}) was removed without being published"),
                    ));
                }
            }
        }
        for (invariant, what) in wrongs {
            self.wrong(invariant, what);
        }
    }

    pub(super) fn durable(&mut self, id: &str, entry: &OutboxEntry) {
        let EntryContent::Event { kind, sequence, operation_id, correlation_id, data, .. } = &entry.content
        else {
            return;
        };
        let body = json!({
            "kind": kind, "operation": operation_id, "request": correlation_id, "data": data, "at": entry.at.to_string(),
        });
        let key = (id.to_owned(), *sequence);
        let past = self
            .events
            .entry(key)
            .or_insert_with(|| Durable { body: body.clone(), published: BTreeSet::new() });
        if past.body != body {
            let what = format!("{id}: event {sequence} was durable with another content before");
            self.wrong("I3", what);
        }
        if kind == "tenant.request.accepted" {
            self.accepted.insert(operation_id.clone(), correlation_id.clone());
        }
        let ended = ["succeeded", "failed", "cancelled"].iter().any(|end| kind.ends_with(end));
        if ended && kind.starts_with("tenant.") {
            let attempt = data.get("attempt").and_then(Value::as_u64).unwrap_or(0);
            let outcomes = self.outcomes.entry((operation_id.clone(), attempt)).or_default();
            outcomes.push(kind.clone());
            if outcomes.len() > 1 {
                let what =
                    format!("{id}: operation {operation_id}, attempt {attempt}, ended as {outcomes:?}");
                self.wrong("I3", what);
            }
        }
    }

    /// Checks an event that has reached subscribers.
    pub(crate) fn published(&mut self, event: &CloudEvent) {
        let body = json!(event);
        let key = (event.source.clone(), event.id.clone());
        if *self.ids.entry(key).or_insert_with(|| body.clone()) != body {
            self.wrong("I3", format!("event {} was published with two contents", event.id));
        }
        if event.source.ends_with("/intake") {
            if !self.refusals.contains_key(&event.operationid) {
                self.wrong("I3", format!("refusal {} was published before it was durable", event.id));
            }
            return;
        }
        let tenant = event.source.rsplit('/').next().unwrap_or_default().to_owned();
        let sequence: u64 = event.sequence.parse().unwrap_or(0);
        let received = json!({
            "kind": event.kind.trim_start_matches("io.tenantry.").trim_end_matches(".v1"),
            "operation": event.operationid, "request": event.correlationid, "data": event.data, "at": event.time,
        });
        let Some(durable) = self.events.get_mut(&(tenant.clone(), sequence)) else {
            self.wrong("I3", format!("{tenant}: event {sequence} was published before it was durable"));
            return;
        };
        durable.published.insert(event.id.clone());
        let (same, ids) = (durable.body == received, durable.published.len());
        if !same {
            self.wrong(
                "I3",
                format!(
                    "{tenant}: event {sequence} was published with another content than it was saved with"
                ),
            );
        }
        if ids > 1 {
            self.wrong("I3", format!("{tenant}: event {sequence} was published under {ids} ids"));
        }
    }

    pub(crate) fn recorded(&mut self, record: &tenantry::ports::RequestRecord) {
        if record.outbox.is_empty() {
            self.unpublished.remove(&record.key);
        } else {
            self.unpublished.insert(record.key.clone());
        }
        for entry in &record.outbox {
            if let EntryContent::Event { operation_id, data, .. } = &entry.content {
                self.refusals.insert(operation_id.clone(), data.clone());
            }
        }
        let Some(request) = record.answer.get("requestId").and_then(Value::as_str) else { return };
        let past = self.answers.entry(request.to_owned()).or_insert_with(|| record.answer.clone());
        if *past != record.answer {
            let what = format!("request {request} was answered twice, differently");
            self.wrong("I3", what);
        }
    }

    pub(crate) fn appended(&mut self, rows: &[HistoryRow]) {
        for row in rows {
            if row.raw.is_some() {
                self.silent(row.tenant_id.as_str(), &json!(row).to_string());
            }
            let key = (row.tenant_id.as_str().to_owned(), row.number);
            if *self.rows.entry(key).or_insert_with(|| row.clone()) != *row {
                self.wrong(
                    "I20",
                    format!("{}: row {} was written with two contents", row.tenant_id, row.number),
                );
            }
        }
    }

    /// Checks the end of a run: every event is published, every history row is written, and every operation has one
    /// outcome.
    pub(crate) fn at_rest(&mut self) {
        let mut wrongs = Vec::new();
        for (id, tenant) in &self.tenants {
            for sequence in 1..=tenant.sequence() {
                match self.events.get(&(id.clone(), sequence)) {
                    None => wrongs.push(("I3", format!("{id}: event {sequence} was never durable"))),
                    Some(event) if event.published.is_empty() => {
                        wrongs.push(("I3", format!("{id}: event {sequence} was never published")));
                    }
                    Some(_) => {}
                }
            }
            for number in 1..=tenant.numbered() {
                if !self.rows.contains_key(&(id.clone(), number)) {
                    wrongs.push(("I20", format!("{id}: history lacks row {number}")));
                }
            }
        }
        for (operation, request) in &self.accepted {
            let ended = self.outcomes.range((operation.clone(), 0)..=(operation.clone(), u64::MAX)).next();
            if ended.is_none() {
                wrongs.push(("I3", format!("request {request} was accepted and has no outcome")));
            }
        }
        for (invariant, what) in wrongs {
            self.wrong(invariant, what);
        }
    }
}
