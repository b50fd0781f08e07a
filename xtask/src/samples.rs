//! What the signup apps of examples/signup-app need: packages of Python and of npm, exactly those that are pinned
//! beside their source.

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// Where the apps are.
const SOURCES: &str = "examples/signup-app";
/// The names under which Python is found, the first that is there.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// Where what they need is kept, beside what cargo has built.
fn folder() -> io::Result<PathBuf> {
    let here = env::current_exe()?;
    let target = here.ancestors().nth(2).ok_or_else(|| io::Error::other("there is no target folder"))?;
    Ok(target.join("tools/samples"))
}

/// Brings what is not there yet, and builds the one in Rust; returns the folder.
pub(crate) fn bring() -> io::Result<PathBuf> {
    let folder = folder()?;
    let sources = crate::root().join(SOURCES);
    python(&sources.join("python"), &folder.join("python"))?;
    typescript(&sources.join("typescript"), &folder.join("typescript"))?;
    let mut build = crate::cargo(&["build", "--quiet", "--package", "tenantry", "--example", "signup-app"]);
    done(build.current_dir(crate::root()), "cargo could not build the signup app")?;
    Ok(folder)
}

/// An environment with the packages of requirements.txt.
fn python(sources: &Path, to: &Path) -> io::Result<()> {
    let wanted = fs::read_to_string(sources.join("requirements.txt"))?;
    if is_whole(to, &wanted) {
        return Ok(());
    }
    let mut made: io::Result<ExitStatus> = Err(ErrorKind::NotFound.into());
    for name in PYTHONS {
        if matches!(&made, Err(error) if error.kind() == ErrorKind::NotFound) {
            made = Command::new(name).args(["-m", "venv", "--clear"]).arg(to).stdin(Stdio::null()).status();
        }
    }
    match made {
        Ok(status) if status.success() => {}
        Ok(status) => {
            return Err(io::Error::other(format!("Python could not make an environment: {status}")));
        }
        Err(error) => return Err(io::Error::other(format!("Python can't be started: {error}"))),
    }
    let mut pip = Command::new(to.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" }));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    done(pip.arg(sources.join("requirements.txt")), "pip could not install the packages")?;
    mark(to, &wanted)
}

/// The packages of package-lock.json, with what the compiler is told. The source is copied by whoever compiles it.
fn typescript(sources: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in ["package.json", "package-lock.json", "tsconfig.json"] {
        fs::copy(sources.join(file), to.join(file))?;
    }
    let wanted = fs::read_to_string(sources.join("package-lock.json"))?;
    if is_whole(to, &wanted) {
        return Ok(());
    }
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(to);
    done(&mut npm, "npm could not install the packages")?;
    mark(to, &wanted)
}

/// Whether a folder was brought to its end with just these packages.
fn is_whole(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join("is-whole")).is_ok_and(|brought| brought == wanted)
}

/// Written last, so that what was broken off is begun again.
fn mark(folder: &Path, wanted: &str) -> io::Result<()> {
    fs::write(folder.join("is-whole"), wanted)
}

fn done(command: &mut Command, failed: &str) -> io::Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| io::Error::other(format!("{failed}: {error}")))?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{failed}: {status}"))) }
}
