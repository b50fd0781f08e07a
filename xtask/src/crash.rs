//! `cargo xtask crash`: the program killed again and again, in both worlds.

use std::{
    io,
    process::{Command, ExitCode},
};

use crate::azurite::{self, Azurite};

/// Tells the run where Azurite is.
const ADDRESS: &str = "TENANTRY_TEST_AZURITE";
/// Few enough blows for every run of the suite. The Azure world, where a blow costs a lease, has kills among the tests.
const SHORT: [&str; 8] = ["--world", "local", "--kills", "20", "--tenants", "12", "--seed", "12"];

/// A run as long as it is asked for, of the release.
pub(crate) fn run(arguments: &[String]) -> io::Result<ExitCode> {
    let local_only = arguments.windows(2).any(|pair| pair == ["--world", "local"]);
    let mut command = crate::cargo(&["bench", "--package", "tenantry", "--bench", "crash", "--"]);
    command.args(arguments);
    if local_only {
        return crate::run(&mut command);
    }
    azurite::bring()?;
    let azurite = Azurite::start()?;
    crate::run(command.env(ADDRESS, &azurite.address))
}

/// The run that belongs to the suite, of what the suite was built of.
pub(crate) fn short() -> Command {
    let mut command =
        crate::cargo(&["bench", "--package", "tenantry", "--bench", "crash", "--profile", "test", "--"]);
    command.args(SHORT);
    command
}
