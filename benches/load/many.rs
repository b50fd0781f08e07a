//! Measures concurrent tenants: sign-ups that are sent at once through `tenantry local`, at the simulated Azure's full
//! speed. Prints a row for each number of tenants: the cost per tenant should not depend on that number.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use crate::{Outcome, PROGRAM, line, measure};

/// The numbers of tenants. The first one is what the others are compared with.
const FLEETS: [usize; 3] = [100, 1000, 3000];

/// What a fleet took.
struct Cost {
    ready: usize,
    seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
}

pub(crate) fn report() -> Outcome<()> {
    line("many: tenants that sign up at once, `tenantry local --speed max`");
    let mut first = None;
    for tenants in FLEETS {
        let Cost { ready, seconds, cpu_seconds, peak_mib } = run(tenants)?;
        let each = cpu_seconds * 1000.0 / tenants as f64;
        let ratio = each / *first.get_or_insert(each);
        line(format_args!(
            "  {ready:>5} of {tenants:>5} ready in {seconds:>6.1} s; {each:>6.1} CPU ms per tenant, {ratio:.2} times that \
             of {}; peak memory {peak_mib:.1} MiB",
            FLEETS[0]
        ));
    }
    Ok(())
}

/// Signs up so many tenants in a new folder.
fn run(tenants: usize) -> Outcome<Cost> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(PROGRAM);
    command
        .args(["local", "--speed", "max", "--json", "--port", "0", "--data"])
        .arg(folder.path().join("data"));
    for number in 0..tenants {
        let file = folder.path().join(format!("{number:05}.json"));
        std::fs::write(&file, sign_up(number).to_string())?;
        command.arg(file);
    }
    let begun = measure::now();
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let out = process.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        out.map(|mut out| out.read_to_string(&mut text)).transpose().map(|_| text)
    });
    let id = process.id().to_string();
    let (mut peak_mib, mut cpu_seconds) = (0.0_f64, 0.0_f64);
    loop {
        // The kernel keeps these values, but they can't be read after the process has ended.
        peak_mib = peak_mib.max(measure::memory_mib(&id, "VmHWM"));
        cpu_seconds = cpu_seconds.max(measure::cpu_seconds(&id));
        if process.try_wait()?.is_some() {
            break;
        }
        measure::pause(10);
    }
    let seconds = measure::millis_since(begun) / 1000.0;
    let text = reader.join().map_err(|_| "the program's output could not be read")??;
    let lines = text.lines().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let ready = lines.filter(|line| line["status"] == "active" && line.get("durationMs").is_some()).count();
    Ok(Cost { ready, seconds, cpu_seconds, peak_mib })
}

/// The sign-up with this number: every second one is dedicated, the others are pooled.
fn sign_up(number: usize) -> Value {
    let id = format!("many-{number:05}");
    json!({
        "schema": "tenantry.request/1",
        "requestId": format!("signup-{id}"),
        "action": "signup",
        "tenantId": id,
        "spec": {
            "displayName": id,
            "tier": if number.is_multiple_of(2) { "dedicated" } else { "pooled" },
            "adminContact": "ops@example.com",
        },
    })
}
