//! `cargo xtask crash`: kills the program again and again, in both environments.

use std::{
    io,
    process::{Command, ExitCode},
};

use crate::azurite::{self, Azurite};

/// The arguments of a run that is short enough for each run of the suite. For the environment `azure`, where a kill
/// costs the time of a lease, the suite has tests with kills.
const SHORT: [&str; 8] = ["--environment", "local", "--kills", "20", "--tenants", "12", "--seed", "12"];

/// Runs the crash test in the profile `bench`, which is fully optimised, with these arguments.
pub(crate) fn run(arguments: &[String]) -> io::Result<ExitCode> {
    let local_only = arguments.windows(2).any(|pair| pair == ["--environment", "local"]);
    let mut command = crate::cargo(&["bench", "--package", "tenantry", "--bench", "crash", "--"]);
    command.args(arguments);
    if local_only {
        return crate::run(&mut command);
    }
    azurite::bring()?;
    let azurite = Azurite::start()?;
    crate::run(command.env(azurite::ADDRESS, &azurite.address))
}

/// The command for the short run that belongs to the suite, built in the suite's profile.
pub(crate) fn short() -> Command {
    let mut command =
        crate::cargo(&["bench", "--package", "tenantry", "--bench", "crash", "--profile", "test", "--"]);
    command.args(SHORT);
    command
}
