//! Measures concurrent tenants: 100 sign-ups through `tenantry local`, at the simulated Azure's full speed.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use crate::{Outcome, PROGRAM, line, measure};

const TENANTS: usize = 100;

pub(crate) fn report() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(PROGRAM);
    command
        .args(["local", "--speed", "max", "--json", "--port", "0", "--data"])
        .arg(folder.path().join("data"));
    for number in 0..TENANTS {
        let file = folder.path().join(format!("{number:03}.json"));
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
    let mut peak = 0.0_f64;
    let status = loop {
        // The kernel keeps the highest value, but it can't be read after the process has ended.
        peak = peak.max(measure::memory_mib(&id, "VmHWM"));
        if let Some(status) = process.try_wait()? {
            break status;
        }
        measure::pause(10);
    };
    let seconds = measure::millis_since(begun) / 1000.0;
    let text = reader.join().map_err(|_| "the program's output could not be read")??;
    let lines = text.lines().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let ready = lines.filter(|line| line["status"] == "active" && line.get("durationMs").is_some()).count();
    line(format_args!(
        "many: {ready} of {TENANTS} tenants ready in {seconds:.1} s ({status}); peak memory {peak:.1} MiB (target: below \
         100)"
    ));
    Ok(())
}

/// The sign-up with this number: every second one is dedicated, the others are pooled.
fn sign_up(number: usize) -> Value {
    let id = format!("many-{number:03}");
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
