//! `cargo xtask package`: builds and tests the package, from a source folder to a zip.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use crate::{
    azurite::{self, Azurite},
    copy, done, payloads,
    zig::{self, Tools},
};

/// The files that two builds must have in common, byte for byte.
const RESULTS: [&str; 3] = ["tenantry.zip", "tenantry.cdx.json", "SHA256SUMS"];
/// The environment variable from which the tests read the folder of the unpacked package.
const UNPACKED: &str = "TENANTRY_TEST_PACKAGE";
/// The environment variable from which the tests read the path of the package's bill of materials.
const BILL: &str = "TENANTRY_TEST_BILL";
/// The environment variable from which the tests read the folder of CycloneDX's schemas.
const SCHEMAS: &str = "TENANTRY_TEST_SCHEMAS";
pub(crate) fn run(arguments: &[String]) -> io::Result<ExitCode> {
    if let Some(strange) =
        arguments.iter().find(|argument| !["--check", "--again", "--twice"].contains(&argument.as_str()))
    {
        crate::complain(&format!("`package` takes --check, --again and --twice, not `{strange}`"));
        return Ok(ExitCode::from(2));
    }
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let (root, folder) = (crate::root(), crate::target()?.join("package"));
    let target = folder.join("build");
    let tools = zig::bring()?;
    timed("built", || make(&tools, root, &target, &folder))?;
    if asked("--check") {
        timed("checked", || check(root, &folder))?;
        timed("tried", || attempt(&tools, &folder))?;
    }
    if asked("--again") {
        timed("our own crate built again, at another path", || {
            let copy = copied(root, &folder)?;
            zig::forget_ours(&copy, &target)?;
            same(&tools, &copy, &target, &folder)
        })?;
    }
    if asked("--twice") {
        timed("everything built again, at another path", || {
            let target = folder.join("second/build");
            let _ = fs::remove_dir_all(&target);
            let copy = copied(root, &folder)?;
            same(&tools, &copy, &target, &folder)
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a part of the work and prints how long it took.
#[expect(clippy::disallowed_methods, reason = "a chore has no clock of its own")]
fn timed(what: &str, step: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let begun = Instant::now();
    step()?;
    crate::print(&format!("package: {what} in {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// Builds the program from a source folder, and packs it into `folder`.
fn make(tools: &Tools, source: &Path, target: &Path, folder: &Path) -> io::Result<()> {
    let program = zig::build(tools, source, target)?;
    fs::create_dir_all(folder)?;
    done(packer().arg("assemble").args([source, &program, folder]))
}

/// Checks the package without starting it.
fn check(root: &Path, folder: &Path) -> io::Result<()> {
    let mut command = packer();
    command.arg("check").args([root, folder]);
    // A home as short as `/` would be found in every file.
    let home = crate::variable("HOME").map(PathBuf::from).filter(|home| home.components().count() > 1);
    command.args([root.to_owned(), crate::target()?, zig::cargo_home()?]).args(home);
    done(&mut command)
}

/// Unpacks the package into an empty folder, and runs the tests that start it there like the Functions host.
fn attempt(tools: &Tools, folder: &Path) -> io::Result<()> {
    azurite::bring()?;
    let azurite = Azurite::start()?;
    let empty = env::temp_dir().join(format!("tenantry-package-{}", std::process::id()));
    let _ = fs::remove_dir_all(&empty);
    done(packer().arg("unpack").args([&folder.join("tenantry.zip"), &empty]))?;
    let mut cargo =
        crate::cargo(&["test", "--locked", "--package", "tenantry", "--test", "suite", "--", "--ignored"]);
    cargo.arg("package::");
    if !payloads::at_hand() {
        crate::complain("NOT RUN: the host's payloads against the package: they are not beside the checkout");
        cargo.args(["--skip", "payload"]);
    }
    cargo.env(BILL, folder.join("tenantry.cdx.json")).env(SCHEMAS, &tools.schemas);
    cargo.env(UNPACKED, &empty).env(azurite::ADDRESS, &azurite.address);
    let tried = done(cargo.current_dir(crate::root()));
    fs::remove_dir_all(&empty)?;
    tried
}

/// Builds and packs the same sources at another path. It is an error if a result differs.
fn same(tools: &Tools, source: &Path, target: &Path, folder: &Path) -> io::Result<()> {
    let second = folder.join("second/package");
    make(tools, source, target, &second)?;
    for name in RESULTS {
        if fs::read(folder.join(name))? != fs::read(second.join(name))? {
            let (one, other) = (folder.display(), second.display());
            return Err(io::Error::other(format!("{name} differs: see {one} and {other}")));
        }
    }
    Ok(())
}

/// Copies the sources to a path of another length. Returns that path.
fn copied(root: &Path, folder: &Path) -> io::Result<PathBuf> {
    let copy = folder.join("second/a-path-of-another-length/source");
    copy::tree(root, &copy)?;
    Ok(copy)
}

/// The command for `tenantry-package`, which packs and checks. It is a crate of its own because it has dependencies.
fn packer() -> Command {
    let mut command = crate::cargo(&["run", "--quiet", "--locked", "--package", "tenantry-package", "--"]);
    command.current_dir(crate::root());
    command
}
