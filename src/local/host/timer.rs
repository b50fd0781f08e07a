//! Runs a timer trigger: its ticks, and the value that the handler gets.
//!
//! Source: azure-webjobs-sdk-extensions, `TimerInfo` and `ScheduleStatus`. The status is in memory; the real host keeps
//! it in a blob.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::{
    Shared,
    app::{AppError, FunctionFile},
    encode,
    invoke::envelope,
    listener::send_outputs,
};

/// The real host's value for the last tick if there was none.
const NEVER: &str = "0001-01-01T00:00:00+00:00";

/// A tick that runs later than this after its time is reported as past due.
const LATE: SignedDuration = SignedDuration::from_secs(1);

/// When a timer ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// At every multiple of `step` seconds within each minute or hour (`within`, in seconds), as with `*/N`.
    Aligned { step: i64, within: i64 },
    /// Once per hour, this many seconds after the hour's beginning, as with a fixed minute.
    Hourly { second: i64 },
    /// A fixed time after the previous tick.
    Every(Duration),
}

impl Schedule {
    /// Parses the three forms of NCRONTAB that are needed: `*/N * * * * *`, `0 */N * * * *` and `0 N * * * *`.
    pub(super) fn parse(function: &FunctionFile) -> Result<Self, AppError> {
        let text = function.trigger().schedule.as_deref().unwrap_or_default();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let step = |field: &str| {
            let step: i64 = if field == "*" { 1 } else { field.strip_prefix("*/")?.parse().ok()? };
            (1..60).contains(&step).then_some(step)
        };
        let minute = |field: &str| field.parse::<i64>().ok().filter(|minute| (0..60).contains(minute));
        let schedule = match fields.as_slice() {
            ["0", at, "*", "*", "*", "*"] if minute(at).is_some() => {
                minute(at).map(|minute| Self::Hourly { second: minute * 60 })
            }
            ["0", minutes, "*", "*", "*", "*"] => {
                step(minutes).map(|step| Self::Aligned { step: step * 60, within: 3600 })
            }
            [seconds, "*", "*", "*", "*", "*"] => {
                step(seconds).map(|step| Self::Aligned { step, within: 60 })
            }
            _ => None,
        };
        schedule.ok_or_else(|| AppError {
            file: format!("{}/function.json", function.name),
            why: format!(
                "the embedded host reads `*/N * * * * *`, `0 */N * * * *` and `0 N * * * *`, not `{text}`"
            ),
        })
    }

    /// The same schedule with minutes of another length, to let timers run more often.
    pub(super) fn with_minutes_of(self, minute: Duration) -> Self {
        match self {
            Self::Aligned { step, within: 3600 } => {
                Self::Every(minute * u32::try_from(step / 60).unwrap_or(1).max(1))
            }
            Self::Hourly { .. } => Self::Every(minute * 60),
            Self::Aligned { .. } | Self::Every(_) => Self::Every(minute),
        }
    }

    /// The first tick after an instant.
    pub(super) fn next(self, after: Timestamp) -> Timestamp {
        let next = match self {
            Self::Every(interval) => return after.checked_add(interval).unwrap_or(Timestamp::MAX),
            Self::Hourly { second: at } => {
                let second = after.as_second();
                let here = second - second.rem_euclid(3600) + at;
                if here > second { here } else { here + 3600 }
            }
            Self::Aligned { step, within } => {
                let second = after.as_second();
                let into = second.rem_euclid(within);
                second - into + ((into / step + 1) * step).min(within)
            }
        };
        Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
    }
}

/// Runs a timer's function at its schedule until the host stops. Runs never overlap.
pub(super) async fn tick(shared: Arc<Shared>, function: Arc<FunctionFile>, schedule: Schedule) {
    let mut last = None;
    let mut next = schedule.next(shared.now());
    if function.trigger().run_on_startup {
        run(&shared, &function, Tick { last, next, past_due: false, by_hand: None }).await;
    }
    loop {
        let due = async {
            shared.wait_until(next).await;
            // No function runs while the state file fails, because it could save nothing.
            shared.queue.usable().await;
        };
        tokio::select! {
            () = due => {}
            () = shared.stopping() => return,
        }
        let now = shared.now();
        let past_due = now.duration_since(next) > LATE;
        next = schedule.next(now);
        run(&shared, &function, Tick { last, next, past_due, by_hand: None }).await;
        last = Some(now);
    }
}

/// One tick of a timer, as the handler is to get it.
pub(super) struct Tick<'a> {
    pub(super) last: Option<Timestamp>,
    pub(super) next: Timestamp,
    pub(super) past_due: bool,
    /// The input, if the function is invoked by hand; otherwise `None`.
    pub(super) by_hand: Option<&'a str>,
}

/// Runs one tick. A failure is logged; the function is not invoked again before the next tick.
pub(super) async fn run(shared: &Shared, function: &FunctionFile, tick: Tick<'_>) {
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
    let mut metadata = Map::new();
    if let Some(input) = tick.by_hand {
        metadata.insert(trigger.name.clone(), encode::literal(input));
    }
    metadata.insert("sys".to_owned(), encode::sys(function, shared.now()));
    let envelope = envelope(&trigger.name, &data, &metadata);
    let outcome = match shared.invoker.invoke(&function.name, &envelope, None).await {
        Ok(answer) => send_outputs(shared, function, &answer).await,
        Err(why) => Err(why),
    };
    if let Err(why) = outcome {
        tracing::warn!(function.name = function.name, why, "the timer's invocation failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::host::app::AppFiles;

    fn next(schedule: &str, after: &str) -> Option<String> {
        let mut function = AppFiles::embedded().unwrap().function("sweep").unwrap().clone();
        function.bindings[0].schedule = Some(schedule.to_owned());
        let schedule = Schedule::parse(&function).ok()?;
        Some(schedule.next(after.parse().unwrap()).to_string())
    }

    #[test]
    fn ticks_fall_on_the_schedule() {
        let cases = [
            ("0 */1 * * * *", "2026-08-20T10:00:00Z", "2026-08-20T10:01:00Z"),
            ("0 * * * * *", "2026-08-20T10:00:59.9Z", "2026-08-20T10:01:00Z"),
            ("0 */7 * * * *", "2026-08-20T10:56:00Z", "2026-08-20T11:00:00Z"),
            ("*/15 * * * * *", "2026-08-20T10:00:15Z", "2026-08-20T10:00:30Z"),
            ("0 20 * * * *", "2026-08-20T10:19:59.9Z", "2026-08-20T10:20:00Z"),
            ("0 20 * * * *", "2026-08-20T10:20:00Z", "2026-08-20T11:20:00Z"),
            ("0 0 * * * *", "2026-08-20T23:59:00Z", "2026-08-21T00:00:00Z"),
            ("*/40 * * * * *", "2026-08-20T10:00:41Z", "2026-08-20T10:01:00Z"),
        ];
        for (schedule, after, desired) in cases {
            assert_eq!(next(schedule, after).as_deref(), Some(desired), "{schedule}");
        }
        for schedule in ["", "0 60 * * * *", "0 */0 * * * *", "*/60 * * * * *", "* * * * *", "%Setting%"] {
            assert_eq!(next(schedule, "2026-08-20T10:00:00Z"), None, "{schedule}");
        }
    }
}
