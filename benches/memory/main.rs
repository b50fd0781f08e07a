//! Counts allocations: `cargo xtask bench verdicts` and `cargo xtask bench allocations`.
//!
//! These measurements are in a program of their own, because an allocator that counts takes a fifth of the time of a
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
#[path = "../load/program.rs"]
mod program;
#[path = "../load/stub.rs"]
mod stub;
#[path = "../load/synthetic.rs"]
#[expect(dead_code, reason = "written for the load, which signs up a thousand tenants")]
mod synthetic;
mod verdicts;

use std::process::ExitCode;

use program::{Outcome, line};

fn main() -> ExitCode {
    program::start(|names, is_measurement| match names {
        ["stub"] => stub::serve(),
        _ if !is_measurement => Ok(()),
        ["allocations"] => allocations::report(),
        ["verdicts"] => verdicts::report(),
        _ => Err("there are the parts `verdicts` and `allocations`".into()),
    })
}
