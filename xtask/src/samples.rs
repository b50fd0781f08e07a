//! Installs what the signup apps of examples/signup-app need: exactly the packages of Python and npm that are pinned
//! beside the apps' source.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    done,
    python::{Python, is_whole, mark},
};

/// The folder of the signup apps.
const SOURCES: &str = "examples/signup-app";
/// Installs the packages that are missing, and builds the app in Rust. Returns the folder of the packages.
pub(crate) fn bring() -> io::Result<PathBuf> {
    let folder = packages()?;
    let mut build = crate::cargo(&["build", "--quiet", "--workspace", "--example", "signup-app"]);
    done(build.current_dir(crate::root()))?;
    Ok(folder)
}

/// Installs the packages that are missing. Returns their folder.
pub(crate) fn packages() -> io::Result<PathBuf> {
    let folder = crate::target()?.join("tools/samples");
    let sources = crate::root().join(SOURCES);
    let packages = fs::read_to_string(sources.join("python/requirements.txt"))?;
    Python::bring(&folder.join("python"), &packages, &[])?;
    typescript(&sources.join("typescript"), &folder.join("typescript"))?;
    Ok(folder)
}

/// Installs the packages of package-lock.json in a folder, with the settings of the TypeScript compiler. The tests copy
/// the app's source there.
fn typescript(sources: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in ["package.json", "package-lock.json", "tsconfig.json"] {
        fs::copy(sources.join(file), to.join(file))?;
    }
    let lock = fs::read_to_string(sources.join("package-lock.json"))?;
    if is_whole(to, &lock) {
        return Ok(());
    }
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(to);
    done(&mut npm)?;
    mark(to, &lock)
}
