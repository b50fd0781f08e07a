//! Fuzz tests: every decoder gets generated inputs, and has to fulfil its guarantees.
//!
//! `cargo test --test fuzz` replays the corpus and every input that has ever made a target fail, then generates some
//! thousands of new ones per target, the same ones on every run. `cargo xtask fuzz [--seconds N | --inputs N] [--seed
//! S] [TARGETS]` runs for the given time. docs/decisions/0026 gives the reasons for this design.
//!
//! Every target guarantees: no panic, an answer of a type, the same answer for the same input, and no more memory and
//! text than the input's size allows. The targets add their own guarantees. The target `fuzzer` is a decoder that
//! violates them, to prove that violations are found.

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
use peak_alloc::PeakAlloc;

/// Measures the memory of a check.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

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
