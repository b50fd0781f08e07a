//! Finds slow tests.
//!
//! Stable libtest prints no durations. It reports when a test has been running for a minute, and when that test ends.
//! So the durations of tests that take longer than a minute are known, and those of the others are not.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// After this time libtest reports that a test is still running.
const MINUTE: Duration = Duration::from_secs(60);

/// The tests that take more than a minute.
#[derive(Default)]
pub(crate) struct Slow {
    /// The running ones, by name: when libtest reported that they had been running for a minute.
    running: BTreeMap<String, Duration>,
    /// The ones that have ended: their durations and names.
    ended: Vec<(Duration, String)>,
}

impl Slow {
    /// Runs a command in the project's root, passes its output on and collects slow tests.
    #[expect(clippy::disallowed_methods, reason = "a chore has no clock of its own")]
    pub(crate) fn watch(&mut self, command: &mut Command) -> io::Result<ExitCode> {
        let begun = Instant::now();
        let mut child = command.current_dir(crate::root()).stdout(Stdio::piped()).spawn()?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let mut line = line?;
                self.note(&String::from_utf8_lossy(&line), begun.elapsed());
                line.push(b'\n');
                // If the output is closed, the exit code still shows the result.
                let _ = io::stdout().write_all(&line);
            }
        }
        let status = child.wait()?;
        self.running.clear();
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Reads a line of libtest's output, printed at this time since the start.
    fn note(&mut self, line: &str, at: Duration) {
        let Some(result) = line.strip_prefix("test ") else { return };
        if let Some(name) = result.strip_suffix(" has been running for over 60 seconds") {
            self.running.insert(name.to_owned(), at);
        } else if let Some((name, _)) = result.split_once(" ... ")
            && let Some(since) = self.running.remove(name)
        {
            self.ended.push((MINUTE + at.saturating_sub(since), name.to_owned()));
        }
    }

    /// A line for each slow test, the slowest first.
    pub(crate) fn report(mut self) -> Vec<String> {
        self.ended.sort_by(|one, other| other.cmp(one));
        self.ended.iter().map(|(took, name)| format!("{:5} s  {name}", took.as_secs())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_of_more_than_a_minute_are_reported_the_slowest_first() {
        let mut slow = Slow::default();
        for (at, line) in [
            (1, "test plan::quick ... ok"),
            (61, "test lies::one has been running for over 60 seconds"),
            (65, "test idempotency::other has been running for over 60 seconds"),
            (70, "test lies::one ... ok"),
            (71, "what a test prints ... ok"),
            (165, "test idempotency::other ... FAILED"),
        ] {
            slow.note(line, Duration::from_secs(at));
        }
        assert_eq!(slow.report(), ["  160 s  idempotency::other", "   69 s  lies::one"]);
    }
}
