//! What the program costs, as numbers to read: `cargo xtask bench [cold] [load] [many] [verdicts] [verify]`.
//!
//! Nothing here passes or fails. Times depend on the machine, so the load is set beside a bare loop of the same
//! requests and the same durable writes, measured in the same run: the ratio of the two travels.
//!
//! - `cold`: from the start of `tenantry serve` to its first answer, and its memory when idle.
//! - `load`: 1000 synthetic tenants through the library, against a stub that answers at once.
//! - `many`: 100 tenants at once through `tenantry local`.
//! - `verdicts`: time and memory of verdicts on bad inputs and good ones.
//! - `verify`: the proof of isolation over 1000, 10,000 and 50,000 tenants in memory.

mod bad;
mod bare;
mod cold;
mod fleet;
mod many;
mod measure;
#[path = "../../tests/suite/testkit/over.rs"]
mod over;
mod stub;
mod synthetic;
mod verdicts;

use std::{
    error::Error,
    fmt::Display,
    io::Write as _,
    process::{Command, ExitCode},
};

use peak_alloc::PeakAlloc;
use serde_json::Value;

/// Counts memory, at a price that is far below what is measured.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The program, built beside this one in the same profile.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tenantry");
/// How often load and bare loop take turns; on a shared machine the best of them says most.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, words): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let done = match words.as_slice() {
        ["stub"] => stub::serve(),
        ["synthetic", url] => synthetic::run(url),
        ["bare", url] => bare::run(url),
        // Cargo says `--bench` when it means measuring; `cargo test --benches` has nothing to check here.
        _ if !flags.contains(&"--bench") => Ok(()),
        parts => measure(parts),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(format_args!("not measured: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(parts: &[&str]) -> Outcome<()> {
    const PARTS: [&str; 5] = ["cold", "load", "many", "verdicts", "verify"];
    if let Some(part) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part `{part}`; there are {}", PARTS.join(", ")).into());
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if wanted("cold") {
        cold::report()?;
    }
    if wanted("load") {
        load()?;
    }
    if wanted("many") {
        many::report()?;
    }
    if wanted("verdicts") {
        verdicts::report()?;
    }
    if wanted("verify") {
        fleet::report()?;
    }
    Ok(())
}

/// Load and bare loop in turns, each in a process of its own, so that memory and processor time are theirs alone.
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
             {:.2} document saves, {:.2} durable changes in all and {:.1} requests per tenant; {} parked",
            number(&load, "p50Ms"),
            number(&load, "p99Ms"),
            number(&load, "cpuSeconds"),
            number(&load, "peakMiB"),
            number(&load, "savesPerTenant"),
            number(&load, "changesPerTenant"),
            number(&load, "requestsPerTenant"),
            number(&load, "parked"),
        ));
        line(format_args!(
            "    bare loop: {bare_rate:.0} tenants/s; {:.2} CPU s; peak memory {:.1} MiB; ratio {:.2}",
            number(&bare, "cpuSeconds"),
            number(&bare, "peakMiB"),
            rate / bare_rate,
        ));
    }
    line(format_args!(
        "  best: {best:.0} tenants/s (wanted: 400); ratio to the best bare loop {:.2}",
        best / best_bare
    ));
    Ok(())
}

/// Runs a part of this program in a process of its own; its last line is what it found.
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

/// Prints one line at once, also into a pipe.
fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // Whoever closed the pipe does not want to know.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
