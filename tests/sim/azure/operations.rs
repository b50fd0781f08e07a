//! Long-running operations in both forms of polling: how they end, and what Azure reports about that.

use serde_json::{Value, json};
use tenantry_core::steps::Reply;

use super::{Azure, FAILED_ONCE, Meaning, SUBSCRIPTION, arm::HOST, faults::ODD_ENDS, refuse, reply};
use crate::exec::Millis;

/// An operation that takes longer than this, in milliseconds, counts as stuck.
const QUICK: Millis = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Write,
    Delete,
    Purge,
}

/// How an operation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    /// The provisioning state becomes `Failed`, and the operation reports the failure.
    Failed,
    /// The operation reports success, but the provisioning state is `Failed`.
    Lied,
    /// Polls find no operation; the resource's change succeeds.
    Vanished,
    /// The operation reports a failure, and the resource keeps its earlier state.
    Undone,
    /// The operation ends in an undocumented state; the resource's change succeeds.
    Odd(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) target: String,
    pub(crate) work: Work,
    /// The resource's body before the operation; `None` if the operation creates it.
    past: Option<Value>,
    /// The error code with which the operation reports a failure.
    code: &'static str,
    pub(crate) ends: Millis,
    end: End,
    pub(crate) done: bool,
    retry_after: Option<i64>,
    /// Whether another attempt can succeed if the operation fails.
    passes: bool,
    /// The instant of the start, moved by the time for which everything slept.
    began: Millis,
}

impl Azure {
    pub(super) fn begin(&mut self, id: &str, work: Work, past: Option<Value>, cursed: bool) -> u64 {
        self.drawn += 1;
        let number = self.drawn;
        let manners = self.manners.clone();
        let mut ends = self.now + self.rng.within(200, manners.longest);
        let writes = work == Work::Write;
        let end = match self.rng.below(1000) {
            _ if cursed => End::Failed,
            draw if draw < manners.op_failed && writes => End::Failed,
            draw if draw < 2 * manners.op_failed && writes => End::Lied,
            draw if draw < 3 * manners.op_failed => End::Vanished,
            draw if draw < 4 * manners.op_failed => {
                self.hit("LRO stuck");
                ends = self.now + 10 * 3_600_000;
                End::Well
            }
            _ if self.rng.permille(manners.halves) && past.is_some() => End::Undone,
            _ if self.rng.permille(manners.odd) && writes => End::Odd(self.rng.pick(&ODD_ENDS)),
            _ => End::Well,
        };
        if past.is_some() && end == End::Failed {
            self.hit("update failed");
        }
        match end {
            End::Failed => self.hit("LRO failed"),
            End::Lied => self.hit("LRO lied"),
            End::Vanished => self.hit("LRO vanished"),
            End::Undone => self.hit("half-failed update"),
            End::Odd(_) => self.hit("odd end of an operation"),
            End::Well => {}
        }
        let retry_after = self.rng.permille(600).then(|| self.rng.within(1, 15));
        let code = self.rng.pick(&FAILED_ONCE);
        let (target, passes, began) = (id.to_owned(), !cursed, self.now);
        let operation =
            Operation { target, work, past, code, ends, end, done: false, retry_after, passes, began };
        self.operations.insert(number, operation);
        self.running.insert((ends, number));
        if let Some(object) = self.objects.get_mut(id) {
            object.busy = Some(number);
        }
        number
    }

    /// The answer to an accepted request with the poll URL in one of the two headers, or with no poll URL.
    pub(super) fn followed(&mut self, number: u64, mut answer: Reply) -> Reply {
        let url = |form: &str| {
            format!("{HOST}/subscriptions/{SUBSCRIPTION}/operations/{form}{number}?api-version=1")
        };
        match self.rng.below(4) {
            0 | 1 => _ = answer.headers.insert("azure-asyncoperation".to_owned(), url("a")),
            2 => {
                answer = reply(202, Value::Null);
                answer.headers.insert("location".to_owned(), url("l"));
            }
            _ if answer.status == 202 => {}
            _ => return answer,
        }
        let operation = &self.operations[&number];
        if let Some(seconds) = operation.retry_after {
            self.ask_to_wait(&mut answer, seconds);
        }
        answer
    }

    pub(super) fn poll(&mut self, number: &str) -> Reply {
        let (by_location, digits) = match number.strip_prefix('l') {
            Some(digits) => (true, digits),
            None => (false, number.trim_start_matches('a')),
        };
        let found = digits.parse().ok().and_then(|number: u64| self.operations.get(&number));
        let Some(operation) = found.filter(|operation| operation.end != End::Vanished) else {
            return refuse(404, "OperationNotFound", "there is no such operation");
        };
        let (code, passes, odd) = (
            operation.code,
            operation.passes,
            if let End::Odd(state) = operation.end { state } else { "Succeeded" },
        );
        let done = operation.done;
        let failed = done && matches!(operation.end, End::Failed | End::Undone);
        let mut answer = match (by_location, operation.done) {
            (true, false) => reply(202, Value::Null),
            (true, true) if failed => refuse(400, code, "it came to nothing"),
            (true, true) => reply(200, Value::Null),
            (false, false) => reply(200, json!({"status": "InProgress"})),
            (false, true) if failed => reply(
                200,
                json!({"status": "Failed", "error": {"code": code, "message": "it came to nothing"}}),
            ),
            (false, true) => reply(200, json!({"status": odd})),
        };
        if let (false, Some(seconds)) = (operation.done, operation.retry_after) {
            self.ask_to_wait(&mut answer, seconds);
        }
        let says_no = failed || (done && !by_location && matches!(odd, "Aborted" | "TimedOut"));
        if says_no && passes { self.means(answer, Meaning::Passes) } else { answer }
    }

    /// Whether no operation on an object took long while workers were awake, and each operation reported an end that
    /// Azure documents as one.
    pub(crate) fn is_quick(&self, target: &str) -> bool {
        let mut own = self.operations.values().filter(|operation| operation.target == target);
        let says_so = |end: End| !matches!(end, End::Odd("Degraded" | "PartiallySucceeded"));
        own.all(|operation| operation.ends.min(self.now) - operation.began < QUICK && says_so(operation.end))
    }

    /// Moves running operations by the time for which everything, including Azure, slept.
    pub(crate) fn sleep(&mut self, since: Millis, span: Millis) {
        self.running.clear();
        for (number, operation) in self.operations.iter_mut().filter(|(_, operation)| !operation.done) {
            operation.began += span;
            operation.ends += span;
            self.running.insert((operation.ends, *number));
        }
        self.objects
            .values_mut()
            .filter(|object| object.busy.is_some())
            .for_each(|object| object.made += span);
        self.known_principals.values_mut().filter(|known| **known > since).for_each(|known| *known += span);
    }

    /// Ends every operation that is due.
    pub(crate) fn settle(&mut self) {
        while let Some((ends, number)) = self.running.first().copied().filter(|(ends, _)| *ends <= self.now) {
            self.running.remove(&(ends, number));
            let Some(operation) = self.operations.get_mut(&number) else { continue };
            operation.done = true;
            let operation = operation.clone();
            match operation.work {
                Work::Purge => _ = self.deleted_vaults.remove(&operation.target),
                Work::Delete
                    if self.objects.get(&operation.target).is_some_and(|o| o.busy == Some(number)) =>
                {
                    self.remove(&operation.target);
                }
                Work::Delete => {}
                Work::Write => {
                    let Some(object) = self.objects.get_mut(&operation.target) else { continue };
                    if object.busy == Some(number) {
                        let ok = !matches!(operation.end, End::Failed | End::Lied);
                        object.busy = None;
                        if let (End::Undone, Some(past)) = (operation.end, operation.past) {
                            object.body = past;
                        }
                        object.body["properties"]["provisioningState"] =
                            json!(if ok { "Succeeded" } else { "Failed" });
                    }
                }
            }
        }
    }
}
