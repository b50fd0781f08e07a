//! Fuzz tests: every decoder gets generated inputs and has to keep its guarantees.
//!
//! `cargo test --test fuzz` replays the corpus and every input that has ever made a target fail, then generates
//! thousands of new inputs per target, the same ones on every run. `cargo xtask fuzz [--seconds N | --inputs N]
//! [--seed S] [TARGETS]` runs for the given time or number of inputs. docs/decisions/0026 gives the reasons for this
//! design.
//!
//! Every target guarantees that it does not panic, that it decides the same for the same input, and that it uses no
//! more memory than the input's size allows. Targets add their own guarantees. The target `fuzzer` runs a decoder
//! that violates guarantees, to prove that the fuzzer finds violations.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check fails by panicking, and its numbers are for people"
)]

mod arguments;
mod canary;
mod corpus;
mod draw;
mod mutate;
#[path = "../suite/testkit/rng.rs"]
#[allow(dead_code, reason = "the simulator draws in more ways")]
mod rng;
mod run;
mod shrink;
mod targets;
mod tree;

#[path = "../suite/steps/kinds.rs"]
mod kinds;

use std::process::ExitCode;

use arguments::Arguments;
fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            println!("fuzz: {why}");
            return ExitCode::from(2);
        }
    };
    if arguments.long {
        println!("fuzz: seed {}", arguments.seed);
    }
    let mut failed = 0;
    for (name, run) in targets::ALL.iter().filter(|(name, _)| arguments.asks_for(name)) {
        let outcome = run(&arguments);
        println!("fuzz {name} ... {outcome}");
        failed += usize::from(!outcome.faults.is_empty());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}
