//! `cargo xtask bench`: runs the measurements of `benches/load` and `benches/memory` in the profile `bench`, which is
//! fully optimised. Cargo builds the measured program in the same profile.

use std::{
    io,
    process::{Command, ExitCode},
};

/// The parts that count allocations, in a program of their own.
const COUNTING: [&str; 2] = ["allocations", "verdicts"];

/// Runs these parts, or all of them without any. The profile is run only if it is named.
pub(crate) fn run(parts: &[String]) -> io::Result<ExitCode> {
    let (counting, timing): (Vec<&str>, Vec<&str>) =
        parts.iter().map(String::as_str).partition(|part| COUNTING.contains(part));
    let times = (parts.is_empty() || !timing.is_empty()).then(|| bench("load", &timing));
    let counting = if parts.is_empty() { COUNTING.to_vec() } else { counting };
    let counts = counting.into_iter().map(|part| bench("memory", &[part]));
    for mut command in times.into_iter().chain(counts) {
        let ended = crate::run(&mut command)?;
        if ended != ExitCode::SUCCESS {
            return Ok(ended);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn bench(name: &str, parts: &[&str]) -> Command {
    let mut command = crate::cargo(&["bench", "--workspace", "--bench", name, "--"]);
    command.args(parts);
    command
}
