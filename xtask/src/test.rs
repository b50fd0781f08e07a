//! `cargo xtask test`: the whole suite, without manual set-up.
//!
//! Tests that need more than the checkout are ignored by cargo, so that it never prints `ok` for a test that did not
//! run. This chore runs them by name if what they need is available; otherwise it prints a message.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use crate::{
    azurite::{self, Azurite},
    crash, payloads, samples,
    slow::Slow,
};

/// The modules of the suite with tests that need Azurite.
const NEED_AZURITE: [&str; 2] = ["state_store", "production"];
/// The modules with tests that need the Functions host's payloads.
const NEED_PAYLOADS: [&str; 2] = ["host_contract", "binary"];
/// The module with tests that need the signup apps.
const NEED_SAMPLES: [&str; 1] = ["samples"];
/// The environment variable from which the tests read the folder of the signup apps' packages.
const SAMPLES: &str = "TENANTRY_TEST_SAMPLES";
/// The environment variable with which tests try every case instead of a sample.
const THOROUGH: &str = "TENANTRY_TEST_THOROUGH";
/// The arguments of `cargo test` that choose targets. With any of them, other than `--test suite`, the suite is not
/// run.
const CHOICES: [&str; 9] =
    ["--test", "--package", "-p", "--lib", "--bin", "--bins", "--doc", "--example", "--examples"];

/// Runs all tests of all packages and the examples in the documentation, then the tests that cargo has ignored, then
/// the short crash test; with arguments for `cargo test`, only the tests that these select.
pub(crate) fn run(extra: &[String]) -> io::Result<ExitCode> {
    let thorough = extra.first().is_some_and(|argument| argument == "--thorough");
    let extra = extra.get(usize::from(thorough)..).unwrap_or_default();
    let mut slow = Slow::default();
    let mut watch = |mut command: Command| {
        if thorough {
            command.env(THOROUGH, "1");
        }
        slow.watch(&mut command)
    };
    let mut all = vec![watch(plainly(extra))?];
    let asked = ignored(extra)?;
    let of = |modules: &[&str]| -> Vec<String> {
        let below = |test: &&String| test.split("::").next().is_some_and(|module| modules.contains(&module));
        asked.iter().filter(below).cloned().collect()
    };
    let (mut tests, needs) = (of(&NEED_PAYLOADS), [of(&NEED_AZURITE), of(&NEED_SAMPLES)]);
    if !tests.is_empty() && !payloads::at_hand() {
        crate::complain("NOT RUN are the tests of the host's payloads: they are not beside the checkout");
        tests.clear();
    }
    let [need_azurite, need_samples] = needs;
    let azurite = if need_azurite.is_empty() { None } else { azurite() };
    if azurite.is_some() {
        tests.extend(need_azurite);
    }
    let samples = if need_samples.is_empty() { None } else { samples() };
    if samples.is_some() {
        tests.extend(need_samples);
    }
    if !tests.is_empty() {
        all.push(watch(these(&tests, extra, azurite.as_ref(), samples.as_deref()))?);
    }
    if extra.is_empty() {
        all.push(crate::run(&mut crash::short())?);
    }
    for line in slow.report() {
        crate::print(&line);
    }
    Ok(all.into_iter().find(|code| *code != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS))
}

/// A running Azurite; `None`, after a message about what is not run, if it can't be installed or started.
fn azurite() -> Option<Azurite> {
    let started = azurite::bring().and_then(|()| Azurite::start());
    started
        .inspect_err(|error| {
            crate::complain(&format!(
                "NOT RUN are the tests that need Table Storage: Azurite is not available: {error}"
            ));
        })
        .ok()
}

/// The folder of the signup apps' packages; `None`, after a message about what is not run, if they can't be installed.
fn samples() -> Option<PathBuf> {
    let brought = samples::bring();
    brought
        .inspect_err(|error| {
            crate::complain(&format!(
                "NOT RUN are the tests of the signup apps: something is missing: {error}"
            ));
        })
        .ok()
}

/// The command for all tests that cargo does not ignore. A failing target does not stop the others, so one run shows
/// all failures.
fn plainly(extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(extra);
    command
}

/// The names of the suite's ignored tests among the requested ones; none if the suite does not build, which the run
/// before has reported.
fn ignored(extra: &[String]) -> io::Result<Vec<String>> {
    if !means_the_suite(extra) {
        return Ok(Vec::new());
    }
    let mut list = suite(extra);
    let listed = list.arg("--list").current_dir(crate::root()).stderr(Stdio::null()).output()?;
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(lines.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// Whether the suite is among the chosen targets.
fn means_the_suite(extra: &[String]) -> bool {
    let chosen: Vec<&String> = extra.iter().take_while(|argument| *argument != "--").collect();
    chosen.windows(2).any(|pair| pair[0] == "--test" && pair[1] == "suite")
        || !chosen.iter().any(|argument| CHOICES.contains(&argument.as_str()))
}

/// The command for the suite's ignored tests, with the given arguments and filters.
fn suite(extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--package", "tenantry", "--no-fail-fast"]);
    if !extra.iter().any(|argument| argument == "--test") {
        command.args(["--test", "suite"]);
    }
    command.args(extra.iter().filter(|argument| !argument.ends_with("ignored")));
    if !extra.iter().any(|argument| argument == "--") {
        command.arg("--");
    }
    command.arg("--ignored");
    command
}

/// The command for these ignored tests of the suite, with the variables for Azurite and the signup apps.
fn these(tests: &[String], extra: &[String], azurite: Option<&Azurite>, samples: Option<&Path>) -> Command {
    let mut command = suite(extra);
    if let Some(azurite) = azurite {
        command.env(azurite::ADDRESS, &azurite.address);
    }
    if let Some(samples) = samples {
        command.env(SAMPLES, samples);
    }
    command.arg("--exact").args(tests);
    command
}
