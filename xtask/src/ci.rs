//! `cargo xtask ci`: the same script that the pipeline runs.

use std::process::Command;

/// The script, in bash.
pub(crate) fn command() -> Command {
    let mut command = Command::new("bash");
    command.arg(".ci/run");
    command
}
