//! Installs Zig and cargo-zigbuild from PyPI, and builds the package's program with them, so that the program runs with
//! an old glibc.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{done, python::Python};

/// The target platform, with the glibc that is linked against (docs/decisions/0034-package.md).
const TARGET: &str = "x86_64-unknown-linux-gnu.2.28";
/// The target platform as rustc names it.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "dist";

/// The folders of the installed tools.
pub(crate) struct Tools {
    programs: PathBuf,
    /// The folder of CycloneDX's schemas.
    pub(crate) schemas: PathBuf,
}

/// Installs the tools, unless they are installed.
pub(crate) fn bring() -> io::Result<Tools> {
    let list = fs::read_to_string(crate::root().join("xtask/package/tools.txt"))?;
    let folder = crate::target()?.join("tools/package");
    let python = Python::bring(&folder, &list, &["--no-deps", "--require-hashes"])?;
    let asked = python.run(&["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).output()?;
    let library = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let schemas = Path::new(&library).join("cyclonedx/schema/_res");
    Ok(Tools { programs: python.programs, schemas })
}

/// Builds the program of a source folder, without `tenantry local` and without paths of this machine. Returns its path.
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

/// Deletes the build of our own crate, so that it is built again.
pub(crate) fn forget_ours(source: &Path, target: &Path) -> io::Result<()> {
    let mut cargo = crate::cargo(&["clean", "--quiet", "--locked", "--package", "tenantry"]);
    cargo.args(["--profile", PROFILE, "--target", PLATFORM]);
    environment(&mut cargo, source, target)?;
    done(&mut cargo)
}

/// Sets the build's folders and variables so that the same sources give the same program. Compilers write source paths
/// into panics and assertions: paths of dependencies are mapped to fixed ones, and our own are relative anyway.
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

/// The folder where cargo keeps the sources of crates.
pub(crate) fn cargo_home() -> io::Result<PathBuf> {
    let home = || Some(Path::new(&crate::variable("HOME")?).join(".cargo"));
    crate::variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .ok_or_else(|| io::Error::other("neither CARGO_HOME nor HOME is set"))
}
