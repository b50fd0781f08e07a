//! Measures the time and memory that the program needs: `cargo xtask bench [cold] [load] [many] [profile] [verify]`.
//!
//! No measurement passes or fails. Times depend on the machine, so the load is compared with a bare loop of the same
//! requests and as many durable writes, measured in the same run. Only the ratio can be compared between machines.
//!
//! - `cold`: from the start of `tenantry serve` to its first answer, and its memory when idle.
//! - `load`: 1000 synthetic tenants through the library, against a stub that answers at once.
//! - `many`: 100, 1000 and 3000 tenants at once through `tenantry local`.
//! - `profile`: where the time of the load goes; only if it is named.
//! - `verify`: the isolation check over 1000, 10,000 and 50,000 tenants in memory.

mod bare;
mod cold;
mod fleet;
mod many;
mod measure;
#[path = "../../tests/suite/testkit/over.rs"]
mod over;
mod profile;
mod program;
mod stub;
mod synthetic;

use std::process::{Command, ExitCode};

use serde_json::Value;

use program::{Outcome, line};

/// The path of the program, which cargo builds in the same profile as this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tenantry");
/// How many times load and bare loop are measured, alternately. The best round counts, because the machine may be
/// shared.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    program::start(|names, is_measurement| match names {
        ["stub"] => stub::serve(),
        ["synthetic", url] => synthetic::run(url),
        ["bare", url] => bare::run(url),
        _ if !is_measurement => Ok(()),
        parts => measure(parts),
    })
}

fn measure(parts: &[&str]) -> Outcome<()> {
    const PARTS: [&str; 5] = ["cold", "load", "many", "profile", "verify"];
    if let Some(part) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part `{part}`; there are {}", PARTS.join(", ")).into());
    }
    let selected = |part: &str| parts.is_empty() || parts.contains(&part);
    if selected("cold") {
        cold::report()?;
    }
    if selected("load") {
        load()?;
    }
    if selected("many") {
        many::report()?;
    }
    if parts.contains(&"profile") {
        profile::report()?;
    }
    if selected("verify") {
        fleet::report()?;
    }
    Ok(())
}

/// Measures load and bare loop alternately, each in a process of its own, so that memory and processor time are
/// separate.
fn load() -> Outcome<()> {
    let stub = stub::Stub::start()?;
    line(format_args!(
        "load: {} tenants, {} in flight, each 10 ARM steps in 5 levels, state in redb",
        synthetic::TENANTS,
        synthetic::IN_FLIGHT
    ));
    let (mut best, mut best_bare) = (0.0_f64, 0.0_f64);
    for round in 1..=ROUNDS {
        let load = child("synthetic", &stub.url)?;
        let bare = child("bare", &stub.url)?;
        let (rate, bare_rate) = (number(&load, "perSecond"), number(&bare, "perSecond"));
        (best, best_bare) = (best.max(rate), best_bare.max(bare_rate));
        line(format_args!(
            "  round {round}: {rate:.0} tenants/s; p50 {:.0} ms, p99 {:.0} ms; {:.2} CPU s; peak memory {:.1} MiB; \
             {:.2} document saves, {:.2} durable changes in all and {:.1} requests per tenant; {} requeued",
            number(&load, "p50Ms"),
            number(&load, "p99Ms"),
            number(&load, "cpuSeconds"),
            number(&load, "peakMiB"),
            number(&load, "savesPerTenant"),
            number(&load, "changesPerTenant"),
            number(&load, "requestsPerTenant"),
            number(&load, "requeued"),
        ));
        line(format_args!(
            "    bare loop: {bare_rate:.0} tenants/s; {:.2} CPU s; peak memory {:.1} MiB; ratio {:.2}",
            number(&bare, "cpuSeconds"),
            number(&bare, "peakMiB"),
            rate / bare_rate,
        ));
    }
    line(format_args!(
        "  best: {best:.0} tenants/s (target: 400); ratio to the best bare loop {:.2}",
        best / best_bare
    ));
    Ok(())
}

/// Runs a part of this bench in a process of its own. The last line that it prints is the result, as JSON.
fn child(part: &str, url: &str) -> Outcome<Value> {
    let output = Command::new(std::env::current_exe()?)
        .args([part, url])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().last().unwrap_or_default();
    if !output.status.success() {
        return Err(format!("{part}: {found}").into());
    }
    Ok(serde_json::from_str(found)?)
}

fn number(found: &Value, name: &str) -> f64 {
    found.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
