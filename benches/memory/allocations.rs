//! Allocations, bytes and durable changes of the load's tenants, by phase, on one thread.

use allocation_counter::{AllocationInfo, measure};

use crate::{Outcome, line, stub::Stub, synthetic::Crew};

/// How many tenants are signed up before the counted ones, so that caches and connections are there.
const BEFORE: usize = 8;
/// How many tenants are counted.
const COUNTED: usize = 64;

/// Prints the average of the counted tenants.
pub(crate) fn report() -> Outcome<()> {
    let stub = Stub::start()?;
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let crew = runtime.block_on(Crew::new(&stub.url, folder.path(), true))?;
    for number in 0..BEFORE {
        runtime.block_on(crew.tenant(number))?;
    }
    let before = crew.saved();
    let (mut intake, mut reconciling) = (AllocationInfo::default(), AllocationInfo::default());
    for number in BEFORE..BEFORE + COUNTED {
        let (mut signed_up, mut active) = (None, None);
        intake += measure(|| signed_up = Some(runtime.block_on(crew.sign_up(number))));
        let id = signed_up.ok_or("the sign-up did not run")??;
        reconciling += measure(|| active = Some(runtime.block_on(crew.until_active(&id))));
        active.ok_or("the reconciler did not run")??;
    }
    let after = crew.saved();
    line(format_args!("allocations: average of {COUNTED} tenants of the load, on one thread"));
    for (phase, counted) in [("intake", intake), ("reconcile", reconciling)] {
        line(format_args!(
            "  {phase}: {} allocations, {} KiB",
            counted.count_total / COUNTED as u64,
            (counted.bytes_total / COUNTED as u64) >> 10
        ));
    }
    let each = |now: u64, then: u64| (now - then) as f64 / COUNTED as f64;
    line(format_args!(
        "  saved: {:.2} documents with {:.1} KiB, {:.2} durable changes in all",
        each(after.documents, before.documents),
        each(after.bytes, before.bytes) / 1024.0,
        each(after.changes, before.changes),
    ));
    Ok(())
}
