//! Shows the progress of `tenantry local`: bars on a terminal, otherwise lines, JSON on request.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde_json::{Value, json};
use tenantry_core::{
    ids::TenantId,
    tenant::{Status, StepState, Tenant},
};

use super::super::{output, repeat::asked_for};
use crate::{
    intake::{self, Intake, IntakeDecision, Lookup, RequestAnswer},
    local::environment::LocalEnvironment,
    ports::{ETag, StoreError},
};

/// A request file, and the progress of its request.
struct Entry {
    file: String,
    /// Where the request's answer is recorded.
    lookup: Lookup,
    /// The status that the tenant has once the request has succeeded.
    desired: Status,
    answer: Option<RequestAnswer>,
    /// Whether the request repeats an earlier one, which is already answered.
    repeats: bool,
    seen: Option<Seen>,
    /// The version of the tenant's document of which the progress was last shown.
    version: Option<ETag>,
}

/// The progress of a tenant, as last shown.
#[derive(Clone, PartialEq)]
struct Seen {
    status: Status,
    done: usize,
    total: usize,
    running: Vec<String>,
    blocked: Vec<String>,
    settled: bool,
    outputs: BTreeMap<String, Value>,
    duration_ms: i64,
}

/// Shows the progress of the given requests until they are settled.
pub(super) struct Watch {
    entries: Vec<Entry>,
    json: bool,
    terminal: bool,
    drawn: usize,
    /// The entry with which the next reading of running tenants begins.
    next: usize,
}

/// How many running tenants are read at once.
const READ_AT_ONCE: usize = 16;
/// The width of a progress bar, in characters.
const BAR: usize = 24;

impl Watch {
    pub(super) fn new(bodies: &[(String, Vec<u8>)], intake: &Intake, json: bool) -> Self {
        let entry = |(file, body): &(String, Vec<u8>)| Entry {
            file: file.clone(),
            lookup: intake.lookup(body),
            desired: desired(body),
            answer: None,
            repeats: false,
            seen: None,
            version: None,
        };
        let entries = bodies.iter().map(entry).collect();
        let terminal = !json && std::io::stdout().is_terminal();
        Self { entries, json, terminal, drawn: 0, next: 0 }
    }

    /// Prints which files repeat earlier requests. Call it before the requests are sent.
    pub(super) async fn print_repeats(&mut self, local: &LocalEnvironment) -> Result<(), StoreError> {
        for entry in &mut self.entries {
            let answer = local.app.intake.answer_to(&entry.lookup).await?;
            entry.repeats = answer.is_some();
            let Some(answer) = answer.filter(|_| !self.json) else { continue };
            let first = answer
                .operation_id
                .map_or_else(|| "an earlier message".to_owned(), |id| format!("operation {id}"));
            output::line(&format!("{} repeats {first}: nothing is done for it again", entry.file));
        }
        Ok(())
    }

    /// Reads the tenant of each file and shows what changed. Returns `true` once all are settled.
    pub(super) async fn update(&mut self, local: &LocalEnvironment) -> Result<bool, StoreError> {
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.answer.is_some() {
                continue;
            }
            entry.answer = local.app.intake.answer_to(&entry.lookup).await?;
            if let Some(answer) =
                entry.answer.clone().filter(|answer| answer.decision != IntakeDecision::Accepted)
            {
                self.print_refusal(index, &answer);
            }
        }
        for index in self.outdated(local)? {
            let Some((id, operation)) = self.entries[index].accepted() else { continue };
            let Some(stored) = local.ports.store.load(&id).await? else { continue };
            let seen = Seen::of(&stored.value, &operation);
            self.entries[index].version = Some(stored.etag);
            if self.entries[index].seen.as_ref() != Some(&seen) {
                self.print_change(index, &id, &seen);
                self.entries[index].seen = Some(seen);
            }
        }
        self.draw();
        Ok(self.entries.iter().all(Entry::is_settled))
    }

    /// The entries whose tenants are read now, because their documents have changed since they were last shown: all
    /// that may be settled, and of the others some. Otherwise watching a thousand tenants would take more time than
    /// provisioning them.
    fn outdated(&mut self, local: &LocalEnvironment) -> Result<Vec<usize>, StoreError> {
        let ids: Vec<Option<TenantId>> =
            self.entries.iter().map(|entry| entry.accepted().map(|(id, _)| id)).collect();
        let rows = local.state.rows(ids.iter().flatten())?;
        let changed = |index: &usize| {
            let row = ids.get(*index)?.as_ref().and_then(|id| rows.get(id))?;
            (self.entries.get(*index)?.version.as_ref() != Some(&row.version)).then_some(row.is_due)
        };
        let count = ids.len();
        let from = self.next.min(count);
        let (mut outdated, mut running) = (Vec::new(), 0);
        for index in (from..count).chain(0..from) {
            match changed(&index) {
                Some(true) if running == READ_AT_ONCE => {}
                Some(is_due) => {
                    running += usize::from(is_due);
                    if is_due {
                        self.next = index + 1;
                    }
                    outdated.push(index);
                }
                None => {}
            }
        }
        outdated.sort_unstable();
        Ok(outdated)
    }

    fn print_refusal(&self, index: usize, answer: &RequestAnswer) {
        let entry = &self.entries[index];
        if self.json {
            let mut line = json!(answer);
            line["file"] = json!(entry.file);
            line["status"] = json!(answer.decision);
            output::line(&line.to_string());
        } else {
            let why = answer
                .faults
                .iter()
                .map(|fault| format!("  {} {}: {}", fault.pointer, fault.code, fault.message));
            output::problem(&format!("{} was refused", entry.file));
            why.for_each(|line| output::problem(&line));
        }
    }

    fn print_change(&self, index: usize, id: &TenantId, seen: &Seen) {
        if self.json {
            let steps = json!({"done": seen.done, "total": seen.total, "running": seen.running});
            let mut line = json!({"tenantId": id, "status": seen.status, "steps": steps});
            if self.entries[index].repeats {
                line["replayed"] = json!(true);
            }
            if seen.settled {
                line["outputs"] = json!(seen.outputs);
                line["durationMs"] = json!(seen.duration_ms);
                line["blocked"] = json!(seen.blocked);
            }
            output::line(&line.to_string());
        } else if !self.terminal {
            let before = self.entries[index].seen.as_ref();
            if before.is_none_or(|before| (before.done, before.status) != (seen.done, seen.status)) {
                output::line(&format!("{id}: {}", seen.summary()));
            }
        }
    }

    /// On a terminal, draws a line per tenant over the lines that were drawn before.
    fn draw(&mut self) {
        if !self.terminal {
            return;
        }
        let mut text = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        };
        let shown: Vec<String> = self.entries.iter().filter_map(Entry::drawing).collect();
        for line in &shown {
            text.push_str("\x1b[2K");
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = shown.len();
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Prints the final table. Returns exit code 0 if all requests had their desired result, otherwise 1.
    pub(super) fn finish(&self) -> ExitCode {
        let good = |entry: &Entry| match (&entry.seen, &entry.answer) {
            (Some(seen), _) => seen.settled && seen.status == entry.desired,
            (None, Some(answer)) => answer.decision == IntakeDecision::Planned,
            (None, None) => false,
        };
        let all = self.entries.iter().all(good);
        if !self.json && !self.entries.is_empty() {
            output::line("");
            let rows: Vec<Vec<String>> = self.entries.iter().map(Entry::row).collect();
            let heading = ["TENANT", "STATUS", "TOOK", "APPLICATION", "WORKSPACE", "ENDPOINT"];
            output::table(&heading, &rows).iter().for_each(|line| output::line(line));
            for entry in &self.entries {
                let blocked = entry.seen.iter().flat_map(|seen| &seen.blocked);
                blocked.for_each(|why| output::problem(&format!("{}: {why}", entry.tenant())));
            }
        }
        if all { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

impl Entry {
    /// The tenant and the operation of an accepted request.
    fn accepted(&self) -> Option<(TenantId, String)> {
        let answer = self.answer.as_ref().filter(|answer| answer.decision == IntakeDecision::Accepted)?;
        Some((answer.tenant_id.clone()?, answer.operation_id.clone().unwrap_or_default()))
    }

    /// Whether nothing is left to show: the request was not accepted, or its work has ended.
    fn is_settled(&self) -> bool {
        let Some(_) = &self.answer else { return false };
        self.accepted().is_none() || self.seen.as_ref().is_some_and(|seen| seen.settled)
    }

    fn tenant(&self) -> String {
        let id = self.answer.as_ref().and_then(|answer| answer.tenant_id.as_ref());
        id.map_or_else(|| self.file.clone(), ToString::to_string)
    }

    fn drawing(&self) -> Option<String> {
        let seen = self.seen.as_ref()?;
        let filled = (seen.done * BAR).checked_div(seen.total).unwrap_or(BAR);
        let bar = "#".repeat(filled) + &".".repeat(BAR - filled);
        let running: String = seen.running.join(", ").chars().take(60).collect();
        let (tenant, status) = (self.tenant(), seen.status.as_str());
        Some(format!("{tenant:<20} [{bar}] {:>2}/{:<2} {status:<14} {running}", seen.done, seen.total))
    }

    fn row(&self) -> Vec<String> {
        let Some(seen) = &self.seen else { return vec![self.tenant(), "refused".to_owned()] };
        let out = |name: &str| seen.outputs.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let status = if seen.status == Status::Active { "ready" } else { seen.status.as_str() };
        let took = format!("{:.1}s", seen.duration_ms as f64 / 1000.0);
        vec![
            self.tenant(),
            status.to_owned(),
            took,
            out("applicationId"),
            out("workspaceName"),
            out("endpointUrl"),
        ]
    }
}

impl Seen {
    fn of(tenant: &Tenant, operation: &str) -> Self {
        let name = |is_so: fn(&StepState) -> bool| -> Vec<String> {
            let steps = tenant.steps().iter().filter(|(_, step)| is_so(&step.state));
            steps.map(|(name, _)| name.to_string()).collect()
        };
        let done = tenant.steps().values().filter(|step| step.is_at_rest());
        let blocked = tenant.steps().iter().filter_map(|(name, step)| {
            let cause = step.state.blocked()?;
            Some(format!("step {name}: {cause}; {}", cause.class.next_action_for(&tenant.id)))
        });
        let open = tenant.operations.iter().any(|open| open.id == operation);
        Self {
            status: tenant.status,
            done: done.count(),
            total: tenant.steps().len(),
            running: name(|state| {
                matches!(
                    state,
                    StepState::Writing(_) | StepState::InProgress { .. } | StepState::Backoff { .. }
                )
            }),
            blocked: blocked.collect(),
            settled: tenant.status.settled() && (!open || tenant.status == Status::Waiting),
            outputs: tenant.exports.clone(),
            duration_ms: tenant.concluded.as_ref().map_or(0, |concluded| concluded.duration_ms),
        }
    }

    fn summary(&self) -> String {
        let running =
            if self.running.is_empty() { String::new() } else { format!("; {}", self.running.join(", ")) };
        format!("{}, {} of {} steps{running}", self.status.as_str(), self.done, self.total)
    }
}

/// The status that a tenant has once the request in `body` has succeeded; `Active` if the body is invalid.
fn desired(body: &[u8]) -> Status {
    intake::read(body, "").map_or(Status::Active, |request| asked_for(request.command.action()))
}
