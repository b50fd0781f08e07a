//! Time, processor time and memory.

use std::{
    fs,
    time::{Duration, Instant},
};

/// Linux counts processor time in hundredths of a second, whatever the kernel's own tick (proc(5), `sysconf`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The instant at which a measurement begins.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits for this many milliseconds, without a runtime.
#[expect(clippy::disallowed_methods, reason = "waits for another process, in a program without a runtime")]
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Milliseconds since an instant.
pub(crate) fn millis_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// The value below which this share of the values lies: with 0.5 the median. Sorts the values; NaN without values.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let at = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Processor time of a process so far, user and system, in seconds; NaN if /proc does not have it. `self` is this
/// process.
pub(crate) fn cpu_seconds(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may contain blanks; utime and stime are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// The value of a line in a process's `/proc/<pid>/status`, such as `VmRSS` or `VmHWM`, in MiB; NaN if /proc does not
/// have it.
pub(crate) fn memory_mib(process: &str, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = found.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
