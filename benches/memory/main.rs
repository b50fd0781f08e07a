//! Counts allocations: `cargo xtask bench verdicts` and, within `cargo xtask bench profile`, `allocations`.
//!
//! These measurements are in a program of their own, because an allocator that counts takes a tenth of the time of a
//! load.
//!
//! - `verdicts`: time and memory to judge bad and good inputs.
//! - `allocations`: allocations, bytes and durable changes of one tenant, by phase.

mod allocations;
mod bad;
#[path = "../load/measure.rs"]
#[expect(dead_code, reason = "written for the load, which measures processes too")]
mod measure;
#[path = "../../tests/suite/testkit/over.rs"]
mod over;
#[path = "../load/stub.rs"]
mod stub;
#[path = "../load/synthetic.rs"]
#[expect(dead_code, reason = "written for the load, which signs up a thousand tenants")]
mod synthetic;
mod verdicts;

use std::{error::Error, fmt::Display, io::Write as _, process::ExitCode};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let done = match names.as_slice() {
        ["stub"] => stub::serve(),
        // Cargo passes `--bench` for a measurement; `cargo test --benches` has nothing to check here.
        _ if !flags.contains(&"--bench") => Ok(()),
        ["allocations"] => allocations::report(),
        ["verdicts"] => verdicts::report(),
        _ => Err("there are the parts `verdicts` and `allocations`".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(format_args!("not measured: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints one line at once, also into a pipe.
fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is not an error.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
