//! Kills the program again and again while tenants are created, changed and deleted: `cargo xtask crash`.
//!
//! There are two environments. `local` is `tenantry local`: it is killed with its state, its queue and its simulated
//! Azure, and started again on the same files. `azure` is two processes of `tenantry serve` behind two embedded hosts
//! with one queue, with Azurite and a simulated Azure that accepts only its own tokens. There a handler is also stopped
//! for longer than its lease while the other one works, and ended with SIGTERM.
//!
//! Afterwards everything is checked: nothing lost, nothing created twice, nothing left behind, no other tenant
//! disturbed. Findings are printed, and the exit code is 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it is a test of its own, which fails by panicking where its own tools fail"
)]

#[path = "../../tests/suite/production/deployment.rs"]
#[allow(dead_code, reason = "its tests take the rest")]
mod deployment;
#[path = "../../tests/suite/production/fault_proxy.rs"]
#[allow(dead_code, reason = "its tests take the rest")]
mod fault_proxy;
#[path = "../../tests/suite/testkit/mod.rs"]
mod testkit;

mod azure;
mod disruptions;
mod local;
mod process;
mod rng;
mod verdict;
mod workload;

use std::{fmt::Display, io::Write as _, process::ExitCode};

use azure_sim::Speed;

use rng::TrialRng;

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// How often a process is killed, in each environment.
    pub(crate) kills: usize,
    /// How often a handler is stopped past its lease and continued, in the environment `azure`.
    pub(crate) pauses: usize,
    /// The number of tenants.
    pub(crate) tenants: usize,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    /// The speed of the simulated Azure in the environment `azure`.
    pub(crate) speed: Speed,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo passes `--bench` when it runs this on purpose; `cargo test --benches` has nothing to check here.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match read(&arguments) {
        Ok((environments, options)) => run(&environments, options),
        Err(why) => {
            line(format_args!(
                "{why}; --kills N --pauses N --tenants N --seed S --speed max|N --environment local|azure|both"
            ));
            ExitCode::from(2)
        }
    }
}

fn read(arguments: &[String]) -> Result<(Vec<&'static str>, Options), String> {
    let mut options = Options { kills: 100, pauses: 2, tenants: 50, seed: 1, speed: Speed::Factor(200.0) };
    let mut environments = vec!["local", "azure"];
    let mut rest = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = value.parse::<usize>().map_err(|_| format!("{name} {value} is no number"));
        match name.as_str() {
            "--kills" => options.kills = number?,
            "--pauses" => options.pauses = number?,
            "--tenants" => options.tenants = number?.max(1),
            "--seed" => options.seed = value.parse().map_err(|_| format!("{name} {value} is no number"))?,
            "--speed" => options.speed = value.parse().map_err(|_| format!("{name} {value} is no speed"))?,
            "--environment" => {
                environments = match value.as_str() {
                    "local" => vec!["local"],
                    "azure" => vec!["azure"],
                    "both" => vec!["local", "azure"],
                    _ => return Err(format!("there is no environment {value}")),
                }
            }
            _ => return Err(format!("there is no {name}")),
        }
    }
    Ok((environments, options))
}

fn run(environments: &[&str], options: Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut all_well = true;
    for environment in environments {
        line(format_args!(
            "{environment}: {} tenants, {} kills, seed {}",
            options.tenants, options.kills, options.seed
        ));
        let rng = TrialRng::new(options.seed);
        let report = match *environment {
            "local" => runtime.block_on(disruptions::run(async || local::Local::new(), options, rng)),
            _ => runtime.block_on(disruptions::run(
                async || azure::Azure::new(options.speed).await,
                options,
                rng,
            )),
        };
        report.lines().iter().for_each(line);
        all_well &= report.is_well();
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line at once, also into a pipe.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is not an error.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
