//! What is told: events, refusals and history, durable before anybody hears of it, and one content under one id.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry_core::tenant::{CloudEvent, HistoryRow, Notice, Story, Tenant};

use super::{Durable, Ledger};

impl Ledger {
    /// I3, I20: what is struck from the outbox was told, and is in history.
    pub(super) fn struck(&mut self, before: &Tenant, after: &Tenant) {
        let id = after.id.as_str();
        let kept: BTreeSet<u64> = after.notices().iter().map(|notice| notice.number).collect();
        let mut wrongs = Vec::new();
        for notice in before.notices().iter().filter(|notice| !kept.contains(&notice.number)) {
            if !self.rows.contains_key(&(id.to_owned(), notice.number)) {
                wrongs.push(("I20", format!("{id}: notice {} was struck without a row", notice.number)));
            }
            if let Story::Event { sequence, kind, .. } = &notice.story {
                let told =
                    self.events.get(&(id.to_owned(), *sequence)).is_some_and(|event| !event.told.is_empty());
                if !told {
                    wrongs.push((
                        "I3",
                        format!("{id}: event {sequence} ({kind}) was struck without being told"),
                    ));
                }
            }
        }
        for (invariant, what) in wrongs {
            self.wrong(invariant, what);
        }
    }

    pub(super) fn durable(&mut self, id: &str, notice: &Notice) {
        let Story::Event { kind, sequence, operation_id, correlation_id, data, .. } = &notice.story else {
            return;
        };
        let body = json!({
            "kind": kind, "operation": operation_id, "request": correlation_id, "data": data, "at": notice.at.to_string(),
        });
        let key = (id.to_owned(), *sequence);
        let past =
            self.events.entry(key).or_insert_with(|| Durable { body: body.clone(), told: BTreeSet::new() });
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

    /// An event that reached subscribers.
    pub(crate) fn told(&mut self, event: &CloudEvent) {
        let body = json!(event);
        let key = (event.source.clone(), event.id.clone());
        if *self.ids.entry(key).or_insert_with(|| body.clone()) != body {
            self.wrong("I3", format!("event {} was told with two contents", event.id));
        }
        if event.source.ends_with("/intake") {
            if !self.refusals.contains_key(&event.operationid) {
                self.wrong("I3", format!("refusal {} was told before it was durable", event.id));
            }
            return;
        }
        let tenant = event.source.rsplit('/').next().unwrap_or_default().to_owned();
        let sequence: u64 = event.sequence.parse().unwrap_or(0);
        let told = json!({
            "kind": event.kind.trim_start_matches("io.tenantry.").trim_end_matches(".v1"),
            "operation": event.operationid, "request": event.correlationid, "data": event.data, "at": event.time,
        });
        let Some(durable) = self.events.get_mut(&(tenant.clone(), sequence)) else {
            self.wrong("I3", format!("{tenant}: event {sequence} was told before it was durable"));
            return;
        };
        durable.told.insert(event.id.clone());
        let (same, ids) = (durable.body == told, durable.told.len());
        if !same {
            self.wrong("I3", format!("{tenant}: event {sequence} was told otherwise than it was saved"));
        }
        if ids > 1 {
            self.wrong("I3", format!("{tenant}: event {sequence} was told under {ids} ids"));
        }
    }

    pub(crate) fn recorded(&mut self, record: &tenantry::ports::RequestRecord) {
        if record.notices.is_empty() {
            self.untold.remove(&record.key);
        } else {
            self.untold.insert(record.key.clone());
        }
        for notice in &record.notices {
            if let Story::Event { operation_id, data, .. } = &notice.story {
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

    /// When all has come to rest: every event told, every row written, every operation ended once.
    pub(crate) fn at_rest(&mut self) {
        let mut wrongs = Vec::new();
        for (id, tenant) in &self.tenants {
            for sequence in 1..=tenant.sequence() {
                match self.events.get(&(id.clone(), sequence)) {
                    None => wrongs.push(("I3", format!("{id}: event {sequence} was never durable"))),
                    Some(event) if event.told.is_empty() => {
                        wrongs.push(("I3", format!("{id}: event {sequence} was never told")));
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
