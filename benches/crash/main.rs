//! The program, killed again and again while tenants are made, changed and removed: `cargo xtask crash`.
//!
//! Two worlds. In `local` it is `tenantry local`, killed as a whole with its state, its queue and its simulated Azure,
//! and started again on the same files. In `azure` it is `tenantry serve`, two of them behind two embedded hosts with one
//! queue, against a simulated Azure that takes only its own tokens, and Azurite. There a handler is also stopped for longer
//! than its lease while the other one goes on, and told to end.
//!
//! Afterwards everything is judged: nothing lost, nothing made twice, nothing left over, nobody disturbed. What is found
//! is printed, and the exit code is 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it is a test of its own, which fails by panicking where its own tools fail"
)]

#[path = "../../tests/suite/production/plant.rs"]
#[allow(dead_code, reason = "its tests take the rest")]
mod plant;
#[path = "../../tests/suite/testkit/mod.rs"]
mod testkit;
#[path = "../../tests/suite/production/trouble.rs"]
#[allow(dead_code, reason = "its tests take the rest")]
mod trouble;

mod azure;
mod blows;
mod dice;
mod lives;
mod local;
mod process;
mod verdict;

use std::{fmt::Display, io::Write as _, process::ExitCode};

use azure_sim::Speed;

use dice::Dice;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// How often a process is killed, in each world.
    pub(crate) kills: usize,
    /// How often a handler is stopped past its lease and let go on, in the Azure world.
    pub(crate) pauses: usize,
    /// How many tenants there are.
    pub(crate) tenants: usize,
    /// What all chances come from.
    pub(crate) seed: u64,
    /// How much faster than Azure the simulated one of the Azure world is.
    pub(crate) speed: Speed,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo says `--bench` when it runs this on purpose; `cargo test --benches` has nothing to check here.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match read(&arguments) {
        Ok((worlds, wanted)) => run(&worlds, wanted),
        Err(why) => {
            line(format_args!(
                "{why}; --kills N --pauses N --tenants N --seed S --speed max|N --world local|azure|both"
            ));
            ExitCode::from(2)
        }
    }
}

fn read(arguments: &[String]) -> Result<(Vec<&'static str>, Wanted), String> {
    let mut wanted = Wanted { kills: 100, pauses: 2, tenants: 50, seed: 1, speed: Speed::Factor(200.0) };
    let mut worlds = vec!["local", "azure"];
    let mut rest = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = value.parse::<usize>().map_err(|_| format!("{name} {value} is no number"));
        match name.as_str() {
            "--kills" => wanted.kills = number?,
            "--pauses" => wanted.pauses = number?,
            "--tenants" => wanted.tenants = number?.max(1),
            "--seed" => wanted.seed = value.parse().map_err(|_| format!("{name} {value} is no number"))?,
            "--speed" => wanted.speed = value.parse().map_err(|_| format!("{name} {value} is no speed"))?,
            "--world" => {
                worlds = match value.as_str() {
                    "local" => vec!["local"],
                    "azure" => vec!["azure"],
                    "both" => vec!["local", "azure"],
                    _ => return Err(format!("there is no world {value}")),
                }
            }
            _ => return Err(format!("there is no {name}")),
        }
    }
    Ok((worlds, wanted))
}

fn run(worlds: &[&str], wanted: Wanted) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut all_well = true;
    for world in worlds {
        line(format_args!(
            "{world}: {} tenants, {} kills, seed {}",
            wanted.tenants, wanted.kills, wanted.seed
        ));
        let dice = Dice::new(wanted.seed);
        let report = match *world {
            "local" => runtime.block_on(blows::deal(async || local::Local::new(), wanted, dice)),
            _ => runtime.block_on(blows::deal(async || azure::Azure::new(wanted.speed).await, wanted, dice)),
        };
        report.lines().iter().for_each(line);
        all_well &= report.is_well();
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line at once, also into a pipe.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // Whoever closed the pipe does not want to know.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
