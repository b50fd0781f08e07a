//! `cargo xtask test`: the whole suite, with no set-up by hand.

use std::{
    io,
    process::{Command, ExitCode},
};

use crate::azurite::{self, Azurite};

/// The files of tests that need Azurite; without it, those of their tests are ignored.
const NEED_AZURITE: [&str; 2] = ["state_store", "production"];
/// Tells them where it is.
const ADDRESS: &str = "TENANTRY_TEST_AZURITE";

/// All tests of all packages and the examples in the documentation, then those against Azurite.
pub(crate) fn run(extra: &[String]) -> io::Result<ExitCode> {
    let first = crate::run(&mut suite(extra))?;
    let narrowed =
        !extra.is_empty() && !extra.iter().any(|argument| NEED_AZURITE.contains(&argument.as_str()));
    if narrowed {
        return Ok(first);
    }
    if let Err(error) = azurite::bring() {
        crate::complain(&format!(
            "NOT RUN are the tests that need Table Storage, for Azurite is not here: {error}"
        ));
        return Ok(first);
    }
    let azurite = Azurite::start()?;
    let second = crate::run(&mut against(&azurite, extra))?;
    Ok(if first == ExitCode::SUCCESS { second } else { first })
}

/// A failing file of tests does not keep the others from being run: one run shows all that is broken.
fn suite(extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(extra);
    command
}

/// The tests that the suite has ignored.
fn against(azurite: &Azurite, extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--package", "tenantry"]);
    command.env(ADDRESS, &azurite.address);
    if extra.is_empty() {
        command.args(NEED_AZURITE.iter().flat_map(|file| ["--test", file]));
    } else {
        command.args(extra);
    }
    if !extra.iter().any(|argument| argument == "--") {
        command.arg("--");
    }
    command.arg("--ignored");
    command
}
