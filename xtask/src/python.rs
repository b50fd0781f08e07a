//! Installs packages of Python, each set in a virtual environment of its own in the target folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The names of the Python interpreter; the first one found is used.
const NAMES: [&str; 2] = ["python3", "python"];

/// A virtual environment with exactly the packages of a list.
pub(crate) struct Python {
    /// The folder of the environment's programs.
    pub(crate) programs: PathBuf,
}

impl Python {
    /// Installs the packages of a list in pip's form into a folder, unless exactly these are installed.
    pub(crate) fn bring(folder: &Path, list: &str, options: &[&str]) -> io::Result<Self> {
        let python = Self { programs: folder.join(if cfg!(windows) { "Scripts" } else { "bin" }) };
        if is_whole(folder, list) {
            return Ok(python);
        }
        let begun = NAMES
            .iter()
            .map(|name| environment(name, folder))
            .find(|begun| begun.as_ref().err().is_none_or(|error| error.kind() != io::ErrorKind::NotFound));
        begun.unwrap_or_else(|| Err(io::Error::other("Python can't be started: it is not on the path")))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, list)?;
        let mut pip =
            python.run(&["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        pip.args(options).arg("--requirement").arg(requirements);
        crate::done(&mut pip)?;
        mark(folder, list)?;
        Ok(python)
    }

    /// The command that runs the environment's interpreter with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("python"));
        command.args(arguments).stdin(Stdio::null());
        command
    }
}

fn environment(python: &str, folder: &Path) -> io::Result<()> {
    crate::done(Command::new(python).args(["-m", "venv", "--clear"]).arg(folder))
}

/// Whether exactly these packages were completely installed in a folder.
pub(crate) fn is_whole(folder: &Path, list: &str) -> bool {
    fs::read_to_string(folder.join("is-whole")).is_ok_and(|brought| brought == list)
}

/// Records that the packages of the list are completely installed. Call it last, so that an interrupted installation is
/// repeated.
pub(crate) fn mark(folder: &Path, list: &str) -> io::Result<()> {
    fs::write(folder.join("is-whole"), list)
}
