//! `cargo xtask sim`: runs many seeds of the simulator in `tests/sim`, optimised but with assertions.

use std::{
    io,
    path::Path,
    process::{Command, ExitCode},
};

use crate::mutants;

/// The parsed arguments.
#[derive(Default)]
struct Asked {
    seeds: Option<u64>,
    first: Option<u64>,
    seed: Option<u64>,
    mutants: bool,
    /// A part of a name: only mutants with it in their names are run.
    mutant: Option<String>,
    /// Whether each patch records the seed that detects it.
    record: bool,
    fresh: bool,
    debug: bool,
    profile: Option<String>,
}

/// Runs the simulator as the arguments ask. `cargo xtask help` describes them. Stops after the first test that fails.
pub(crate) fn run(arguments: &[String]) -> io::Result<ExitCode> {
    let asked = read(arguments).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let tests: &[&str] = match asked {
        Asked { mutant: Some(_), .. } => &["mutants::every_mutant_is_caught"],
        Asked { mutants: true, .. } => {
            &["mutants::every_mutant_is_caught", "below::a_mutant_that_gives_tokens_away_is_caught"]
        }
        Asked { seed: Some(_), .. } => &["many_seeds_hold"],
        Asked { .. } => &["many_seeds_hold", "a_noisy_neighbour_delays_nobody"],
    };
    let tree = if asked.mutants { mutants::tree()? } else { crate::root().to_owned() };
    for test in tests {
        let done = crate::run_in(&tree, &mut command(&asked, &tree, test)?)?;
        if done != ExitCode::SUCCESS {
            return Ok(done);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || {
            let given = rest.next().and_then(|text| text.parse().ok());
            given.map(Some).ok_or_else(|| format!("{argument} wants a number"))
        };
        match argument.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--first" => asked.first = number()?,
            "--seed" => asked.seed = number()?,
            "--mutants" => asked.mutants = true,
            "--mutant" => {
                asked.mutants = true;
                asked.mutant = Some(rest.next().ok_or("--mutant wants a name")?.clone());
            }
            "--record" => asked.record = true,
            "--fresh" => asked.fresh = true,
            "--debug" => asked.debug = true,
            "--profile" => asked.profile = Some(rest.next().ok_or("--profile wants a name")?.clone()),
            _ => {
                let known = "--seeds N, --fresh, --first N, --profile NAME, --seed N, --mutants, --mutant NAME, --record or --debug";
                return Err(format!("`{argument}` is not {known}"));
            }
        }
    }
    if asked.record && !asked.mutants {
        return Err("--record goes with --mutants or --mutant NAME".to_owned());
    }
    Ok(asked)
}

/// The command `cargo test` for a tree, with the shared target folder, so that dependencies are not built twice. An
/// optimised build takes minutes, which thousands of seeds make up for. With `--debug` the build is that of the tests.
fn cargo(asked: &Asked, tree: &Path) -> io::Result<Command> {
    let mut command = crate::cargo(&["test", "--locked", "--package", "tenantry"]);
    if !asked.debug {
        command.args(["--profile", "sim"]);
    }
    command.arg("--manifest-path").arg(tree.join("Cargo.toml"));
    command.env("CARGO_TARGET_DIR", crate::target()?);
    Ok(command)
}

fn command(asked: &Asked, tree: &Path, test: &str) -> io::Result<Command> {
    let mut command = cargo(asked, tree)?;
    command.args(["--test", "sim", "--", "--ignored", "--exact", test, "--nocapture"]);
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    for (name, value) in [
        ("TENANTRY_SIM_SEEDS", number(asked.seeds)),
        ("TENANTRY_SIM_FIRST", number(asked.first)),
        ("TENANTRY_SIM_SEED", number(asked.seed)),
        ("TENANTRY_SIM_FRESH", number(asked.fresh.then(fresh))),
        ("TENANTRY_SIM_PROFILE", asked.profile.clone()),
        ("TENANTRY_SIM_MUTANT", asked.mutant.clone()),
        ("TENANTRY_SIM_RECORD", asked.record.then(|| mutants::patches_folder().display().to_string())),
        // Mutants that need thousands of seeds are only detected with the optimised build.
        ("TENANTRY_SIM_MOST", asked.debug.then(|| "500".to_owned())),
    ] {
        command.env_remove(name);
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Ok(command)
}

/// The first of many seeds that no earlier run has used: the current second times a million, more than a run uses.
#[expect(clippy::disallowed_methods, reason = "a chore has no clock of its own")]
fn fresh() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs()) * 1_000_000
}
