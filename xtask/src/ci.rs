//! `cargo xtask ci`: runs `.ci/run`, the script that the pipeline runs too.

use std::process::Command;

/// The command that runs the script in bash.
pub(crate) fn command() -> Command {
    let mut command = Command::new("bash");
    command.arg(".ci/run");
    command
}
