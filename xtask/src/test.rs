//! `cargo xtask test`: the whole suite, with no set-up by hand.

use std::process::Command;

/// All tests of all packages, and the examples in the documentation.
///
/// A failing file of tests does not keep the others from being run: one run shows all that is broken.
pub(crate) fn command(extra: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(extra);
    command
}
