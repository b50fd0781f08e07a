//! `cargo xtask crash`: the program killed again and again, in both environments.

use std::{
    io,
    process::{Command, ExitCode},
};

use crate::azurite::{self, Azurite};

/// Few enough kills for every run of the suite. The environment `azure`, where a kill costs a lease, has kills among
/// the tests.
const SHORT: [&str; 8] = ["--environment", "local", "--kills", "20", "--tenants", "12", "--seed", "12"];

/// A run of the release, with the given arguments.
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

/// The run that belongs to the suite, built like the suite.
pub(crate) fn short() -> Command {
    let mut command =
        crate::cargo(&["bench", "--package", "tenantry", "--bench", "crash", "--profile", "test", "--"]);
    command.args(SHORT);
    command
}
