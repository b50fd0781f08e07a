//! `cargo xtask test`: the whole suite, with no set-up by hand.
//!
//! Tests that need more than the checkout are ignored by cargo, so that it never says `ok` for what it did not do. They
//! are asked for here, where what they need is at hand; where it is not, that is said.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::{
    azurite::{self, Azurite},
    crash, payloads, samples,
};

/// The files with tests that need Azurite.
const NEED_AZURITE: [&str; 2] = ["state_store", "production"];
/// The files with tests that need the Functions host's payloads.
const NEED_PAYLOADS: [&str; 2] = ["host_contract", "binary"];

/// The file with tests that need the signup apps.
const NEED_SAMPLES: [&str; 1] = ["samples"];
/// Tells them where that is which the apps need.
const SAMPLES: &str = "TENANTRY_TEST_SAMPLES";

/// All tests of all packages and the examples in the documentation, then those that cargo has ignored,
/// then a few kills.
pub(crate) fn run(extra: &[String]) -> io::Result<ExitCode> {
    let first = crate::run(&mut suite(extra))?;
    let wanted = |files: &[&'static str]| -> Vec<&'static str> {
        let named = |file: &&str| extra.is_empty() || extra.iter().any(|argument| argument == file);
        files.iter().copied().filter(named).collect()
    };
    let mut files = wanted(&NEED_PAYLOADS);
    if !files.is_empty() && !payloads::at_hand() {
        crate::complain("NOT RUN are the tests of the host's payloads, which are not beside the checkout");
        files.clear();
    }
    let need_azurite = wanted(&NEED_AZURITE);
    let azurite = if need_azurite.is_empty() { None } else { azurite() };
    if azurite.is_some() {
        files.extend(need_azurite);
    }
    let need_samples = wanted(&NEED_SAMPLES);
    let samples = if need_samples.is_empty() { None } else { samples() };
    if samples.is_some() {
        files.extend(need_samples);
    }
    let mut all = vec![first];
    if !files.is_empty() {
        all.push(crate::run(&mut ignored(&files, azurite.as_ref(), samples.as_deref(), extra))?);
    }
    if extra.is_empty() {
        all.push(crate::run(&mut crash::short())?);
    }
    Ok(all.into_iter().find(|code| *code != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS))
}

/// Azurite at work, or a word about what is not run without it.
fn azurite() -> Option<Azurite> {
    let started = azurite::bring().and_then(|()| Azurite::start());
    started
        .inspect_err(|error| {
            crate::complain(&format!(
                "NOT RUN are the tests that need Table Storage, for Azurite is not here: {error}"
            ));
        })
        .ok()
}

/// What the signup apps need, or a word about what is not run without it.
fn samples() -> Option<PathBuf> {
    let brought = samples::bring();
    brought
        .inspect_err(|error| {
            crate::complain(&format!(
                "NOT RUN are the tests of the signup apps, for something is missing: {error}"
            ));
        })
        .ok()
}

/// A failing file of tests does not keep the others from being run: one run shows all that is broken.
fn suite(extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(extra);
    command
}

/// The tests that the suite has ignored.
fn ignored(files: &[&str], azurite: Option<&Azurite>, samples: Option<&Path>, extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--package", "tenantry", "--no-fail-fast"]);
    if let Some(azurite) = azurite {
        command.env(azurite::ADDRESS, &azurite.address);
    }
    if let Some(samples) = samples {
        command.env(SAMPLES, samples);
    }
    if extra.is_empty() {
        command.args(files.iter().flat_map(|file| ["--test", file]));
    } else {
        command.args(extra);
    }
    if !extra.iter().any(|argument| argument == "--") {
        command.arg("--");
    }
    command.arg("--ignored");
    command
}
