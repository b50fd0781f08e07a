//! The compiler and linker that lets the program run with an old glibc: Zig's, with cargo-zigbuild, from PyPI; and the
//! build of the package with them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The platform of the plan, with the glibc that is linked against (docs/decisions/0034-package.md).
const TARGET: &str = "x86_64-unknown-linux-gnu.2.28";
/// The same for the compilers.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "dist";

/// Where the tools are, once they are there.
pub(crate) struct Tools {
    programs: PathBuf,
    /// CycloneDX's schemas.
    pub(crate) schemas: PathBuf,
}

/// Installs the tools into a virtual environment, unless they are there.
pub(crate) fn bring() -> io::Result<Tools> {
    let folder = crate::target()?.join("tools/package");
    let list = crate::root().join("xtask/package/tools.txt");
    let wanted = fs::read_to_string(&list)?;
    // Written last, so that what was broken off is begun again; other versions are installed anew.
    let whole = folder.join("is-whole");
    if fs::read_to_string(&whole).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(&folder);
        done(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        done(pip.args(["--require-hashes", "--requirement"]).arg(list))?;
        fs::write(&whole, wanted)?;
    }
    let mut python = Command::new(folder.join("bin/python"));
    let asked = python.args(["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).output()?;
    let library = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    Ok(Tools { programs: folder.join("bin"), schemas: Path::new(&library).join("cyclonedx/schema/_res") })
}

/// Runs a command that has to succeed.
pub(crate) fn done(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status =
        command.status().map_err(|error| io::Error::other(format!("{name} can't be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{name} failed: {status}"))) }
}

/// Builds the program of a source folder, without the local world and without a word about where it was built.
pub(crate) fn build(tools: &Tools, source: &Path, target: &Path) -> io::Result<PathBuf> {
    let mut cargo = crate::cargo(&["zigbuild", "--locked", "--profile", PROFILE, "--target", TARGET]);
    cargo.args(["--package", "tenantry", "--bin", "tenantry", "--no-default-features"]);
    environment(&mut cargo, source, target)?;
    let path = crate::variable("PATH").unwrap_or_default();
    let paths = std::iter::once(tools.programs.clone()).chain(env::split_paths(&path));
    cargo.env("PATH", env::join_paths(paths).map_err(io::Error::other)?);
    done(&mut cargo)?;
    Ok(target.join(PLATFORM).join(PROFILE).join("tenantry"))
}

/// Takes away what was built of our own crate, so that it is built again.
pub(crate) fn forget_ours(source: &Path, target: &Path) -> io::Result<()> {
    let mut cargo = crate::cargo(&["clean", "--quiet", "--locked", "--package", "tenantry"]);
    cargo.args(["--profile", PROFILE, "--target", PLATFORM]);
    environment(&mut cargo, source, target)?;
    done(&mut cargo)
}

/// Compilers write the paths of what they compile into panics and assertions: they are told other ones. Ours are
/// relative anyway.
fn environment(cargo: &mut Command, source: &Path, target: &Path) -> io::Result<()> {
    let mut flags = Vec::new();
    let mut c_flags = vec!["-g0".to_owned()];
    for (path, name) in [(cargo_home()?, "/cargo"), (target.to_owned(), "/target")] {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
        c_flags.push(format!("-ffile-prefix-map={}={name}", path.display()));
    }
    cargo.current_dir(source).env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    cargo.env(format!("CFLAGS_{}", PLATFORM.replace('-', "_")), c_flags.join(" "));
    cargo.env("SOURCE_DATE_EPOCH", "315532800");
    Ok(())
}

/// Where cargo keeps the sources of crates.
pub(crate) fn cargo_home() -> io::Result<PathBuf> {
    let home = || Some(Path::new(&crate::variable("HOME")?).join(".cargo"));
    crate::variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .ok_or_else(|| io::Error::other("neither CARGO_HOME nor HOME is set"))
}
