//! What every measuring program does: reads its arguments, prints lines, and ends with an exit code.

use std::{error::Error, fmt::Display, io::Write as _, process::ExitCode};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Runs what the arguments name. `run` gets the names, and whether this is a measurement: cargo passes `--bench` for one;
/// `cargo test --benches` has nothing to check here.
pub(crate) fn start(run: impl FnOnce(&[&str], bool) -> Outcome<()>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    match run(&names, flags.contains(&"--bench")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(format_args!("not measured: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints one line at once, also into a pipe.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is not an error.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
