//! Whatever comes in is answered: every decoder gets inputs that nobody would write, and has to keep its promises.
//!
//! `cargo test --test fuzz` replays the corpus and every input that was ever found to break something, then makes some
//! thousands of new ones per target, the same ones on every run. `cargo xtask fuzz [--seconds N | --inputs N] [--seed S]
//! [TARGETS]` goes on for as long as it is told to. docs/decisions/0026 says why it is made like this.
//!
//! What is promised of every target: no panic, an answer of a type, the same answer for the same input, and no more
//! memory and text than the input's size allows. The targets say what else. That broken promises are found at all is
//! tried too: the target `fuzzer` is a decoder that breaks them.

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

/// Counts what a check needs.
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
