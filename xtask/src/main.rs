//! The project's own tasks, called as `cargo xtask <chore>`, so that no task runner has to be installed.
//!
//! It depends only on the standard library, so that the first `cargo xtask` is fast.

mod azurite;
mod bench;
mod ci;
mod copy;
mod crash;
mod fuzz;
mod infra;
mod mutants;
mod package;
mod payloads;
mod python;
mod samples;
mod sim;
mod slow;
mod test;
mod types;
mod zig;

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// The output of `cargo xtask help`.
const HELP: &str = "\
cargo xtask <chore> [arguments]

  test [ARGS]     the whole suite with the documentation's examples, and what needs Azurite and the
                  signup apps' packages where those can be installed, and which tests took more than a minute; ARGS go to
                  `cargo test`: `cargo xtask test plan::` for one module of tests/suite, `--test sim` for another target;
                  with --thorough first, tests that try every point of a lifecycle skip none, as in each night's run
  fetch           downloads the packages of Python and npm that `test`, `infra`, `azurite` and `samples` need
  azurite         installs Azurite, Microsoft's emulator of Table Storage
  samples         installs what the signup apps of examples/signup-app need (packages of Python and npm), and fails
                  if it can't
  fuzz [ARGS]     generated inputs: --seconds N or --inputs N, --seed S, and names of targets
                  (all when none is named)
  sim [ARGS]      the simulator: `--seeds N` (10000 when not given, from `--first N`), one `--seed N` with its
                  full log, or `--mutants`, the proof that its checkers detect faults; with --fresh as many
                  new seeds too, with --profile NAME only those that draw this profile, with --debug as the tests are built,
                  which needs no other build and runs slower: mutants are then searched for in 500 seeds at
                  most, and fewer scenarios have noisy neighbours
                  (--mutant NAME: only those with this in their names, with all their seeds; --record: writes into
                  each mutant's patch which seed detects it, which is tried first the next time)
  mutants         fails where a mutant of tests/sim/mutants does not apply to the product any more
  bench [PARTS]   the measurements, as numbers and ratios: cold, load, many, verify, verdicts, allocations
                  (all when none is named), and profile: where the time of the load goes (needs perf)
  crash [ARGS]    the program killed again and again while tenants are created, changed and deleted; ARGS:
                  --kills N --pauses N --tenants N --seed S --speed max|N --environment local|azure|both
  infra           infra/ parses as Bicep and follows checkov's rules; installs both with Python's pip
  package [ARGS]  what is deployed, in target/package: app/, tenantry.zip, a bill of materials, sums; needs Python;
                  --check checks it and starts it like the Functions host, --again builds our own crate a
                  second time at another path and --twice everything, and compares
  types [FOLDER]  makes the core's table of Azure's resource types, crates/core/data/azure-types.bin, from a folder
                  beside the checkout; --check fails if the table is not what the folder gives
  ci              everything that has to pass before a change is merged: `bash .ci/run`
  help            this text
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let chore = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    let done = match chore.as_str() {
        "test" => test::run(&rest),
        "azurite" => azurite::bring().map(|()| ExitCode::SUCCESS),
        "bench" => bench::run(&rest),
        "crash" => crash::run(&rest),
        "fetch" => fetch(),
        "fuzz" => run(&mut fuzz::command(&rest)),
        "infra" => infra::run(),
        "mutants" => mutants::check().map(|()| ExitCode::SUCCESS),
        "package" => package::run(&rest),
        "samples" => samples::bring().map(|_| ExitCode::SUCCESS),
        "sim" => sim::run(&rest),
        "types" => types::run(&rest),
        "ci" => run(&mut ci::command()),
        "help" | "--help" | "-h" => return help(io::stdout()),
        _ => {
            complain(&format!("there is no chore `{chore}`"));
            help(io::stderr());
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        complain(&format!("`{chore}` failed: {error}"));
        ExitCode::from(2)
    })
}

/// Downloads and installs the packages that other chores need, so that this can be done while something else runs.
fn fetch() -> io::Result<ExitCode> {
    azurite::bring()?;
    samples::packages()?;
    infra::tools()?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in the project's root, with this process's own input and output.
fn run(command: &mut Command) -> io::Result<ExitCode> {
    run_in(root(), command)
}

/// Runs a command in a folder, with this process's own input and output. Fails if the command does.
fn run_in(folder: &Path, command: &mut Command) -> io::Result<ExitCode> {
    let status = command.current_dir(folder).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a command without input. It is an error if the command does not succeed.
fn done(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status();
    // The kind is kept, so that callers can distinguish a missing program from one that fails.
    let status =
        status.map_err(|error| io::Error::new(error.kind(), format!("{name} can't be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{name} failed: {status}"))) }
}

/// The project's root folder, independent of the current folder.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The value of an environment variable; `None` if it is not set or empty.
#[expect(clippy::disallowed_methods, reason = "chores go by the machine's settings, not by the program's")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Cargo's target folder, which also has everything else that tasks download or make.
fn target() -> io::Result<PathBuf> {
    let here = env::current_exe()?;
    here.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| io::Error::other("there is no target folder"))
}

/// The command `cargo` with these arguments. It is found by name on the path, so that rust-toolchain.toml selects the
/// compiler.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}

fn help(mut to: impl io::Write) -> ExitCode {
    match to.write_all(HELP.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints a line of the result.
fn print(what: &str) {
    use io::Write as _;
    let _ = writeln!(io::stdout(), "{what}");
}

fn complain(what: &str) {
    use io::Write as _;
    // If the output is closed, the exit code still shows the failure.
    let _ = writeln!(io::stderr(), "xtask: {what}");
}
