//! A timer trigger: when it ticks, and what the handler is told.
//!
//! Source: azure-webjobs-sdk-extensions, `TimerInfo` and `ScheduleStatus`. The status lives in memory; the real host
//! keeps it in a blob.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    app::{AppError, FunctionFile},
    encode,
    invoke::envelope,
    listener::send_outputs,
};

/// What the real host writes for a tick that never was.
const NEVER: &str = "0001-01-01T00:00:00+00:00";

/// A tick that comes later than this after its time is past due.
const LATE: SignedDuration = SignedDuration::from_secs(1);

/// When a timer ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// At every multiple of so many seconds within each minute or hour, as `*/N` says.
    Aligned { step: i64, within: i64 },
    /// So long after the previous tick.
    Every(Duration),
}

impl Schedule {
    /// Reads the two forms of NCRONTAB that are needed: `*/N * * * * *` and `0 */N * * * *`.
    pub(super) fn parse(function: &FunctionFile) -> Result<Self, AppError> {
        let text = function.trigger().schedule.as_deref().unwrap_or_default();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let step = |field: &str| {
            let step: i64 = if field == "*" { 1 } else { field.strip_prefix("*/")?.parse().ok()? };
            (1..60).contains(&step).then_some(step)
        };
        let schedule = match fields.as_slice() {
            [seconds, "*", "*", "*", "*", "*"] => {
                step(seconds).map(|step| Self::Aligned { step, within: 60 })
            }
            ["0", minutes, "*", "*", "*", "*"] => {
                step(minutes).map(|step| Self::Aligned { step: step * 60, within: 3600 })
            }
            _ => None,
        };
        schedule.ok_or_else(|| AppError {
            file: format!("{}/function.json", function.name),
            why: format!("the embedded host reads `*/N * * * * *` and `0 */N * * * *`, not `{text}`"),
        })
    }

    /// The first tick after an instant.
    pub(super) fn next(self, after: Timestamp) -> Timestamp {
        let next = match self {
            Self::Every(interval) => return after.checked_add(interval).unwrap_or(Timestamp::MAX),
            Self::Aligned { step, within } => {
                let second = after.as_second();
                let into = second.rem_euclid(within);
                second - into + ((into / step + 1) * step).min(within)
            }
        };
        Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
    }
}

/// Ticks until the host stops; a tick that is still running is never overtaken by the next.
pub(super) async fn tick(shared: Arc<Shared>, function: Arc<FunctionFile>, schedule: Schedule) {
    let mut last = None;
    let mut next = schedule.next(shared.now());
    if function.trigger().run_on_startup {
        run(&shared, &function, Tick { last, next, past_due: false }).await;
    }
    loop {
        tokio::select! {
            () = shared.wait_until(next) => {}
            () = shared.stopping() => return,
        }
        let now = shared.now();
        let past_due = now.duration_since(next) > LATE;
        next = schedule.next(now);
        run(&shared, &function, Tick { last, next, past_due }).await;
        last = Some(now);
    }
}

/// What the handler is told of a tick.
pub(super) struct Tick {
    pub(super) last: Option<Timestamp>,
    pub(super) next: Timestamp,
    pub(super) past_due: bool,
}

/// Runs one tick; a failure is logged, and the next tick is another chance.
pub(super) async fn run(shared: &Shared, function: &FunctionFile, tick: Tick) {
    let _busy = shared.busy();
    let trigger = function.trigger();
    let status = trigger.use_monitor.unwrap_or(true).then(|| {
        let last = tick.last.map_or_else(|| NEVER.to_owned(), encode::precise);
        json!({ "Last": last, "Next": encode::precise(tick.next), "LastUpdated": last })
    });
    let data = json!({
        "Schedule": { "AdjustForDST": true },
        "ScheduleStatus": status,
        "IsPastDue": tick.past_due,
    });
    let metadata: Map<String, Value> =
        Map::from_iter([("sys".to_owned(), encode::sys(function, shared.now()))]);
    let envelope = envelope(&trigger.name, &data, &metadata);
    let outcome = match shared.invoker.invoke(&function.name, &envelope, None).await {
        Ok(answer) => send_outputs(shared, function, &answer).await,
        Err(why) => Err(why),
    };
    if let Err(why) = outcome {
        tracing::warn!(function.name = function.name, why, "the timer's invocation failed");
    }
}
