//! The seeded mutants: faults for the product, each a patch in `tests/sim/mutants` that is named by what it breaks. All
//! are applied to a copy of the tree, which is built once; a test in the copy activates one after the other. The
//! product itself contains none.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::copy;

/// The folder of the patches.
const PATCHES: &str = "tests/sim/mutants";
/// The patch with the code that activates a mutant, and with the tests that must fail with it.
const HOOKS: &str = "hooks.patch";
/// The source file that knows the active mutant, and the path that it gets in the copy.
const CHOOSER: (&str, &str) = ("tests/sim/mutants/mutant.rs", "crates/core/src/mutant.rs");

/// The packages that the patches change, and their manifests.
const PATCHED: [(&str, &str); 3] = [
    ("tenantry", "Cargo.toml"),
    ("tenantry-core", "crates/core/Cargo.toml"),
    ("azure-sim", "crates/azure-sim/Cargo.toml"),
];

/// Checks that each patch applies to the current tree.
pub(crate) fn check() -> io::Result<()> {
    let mut wrong = Vec::new();
    for patch in patches(crate::root())? {
        if crate::done(git(crate::root()).args(["apply", "--check"]).arg(&patch)).is_err() {
            wrong.push(patch.display().to_string());
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!("these no longer apply to the product: {}", wrong.join(", "))))
}

/// A copy of the tree with all mutants in it, in the target folder.
pub(crate) fn tree() -> io::Result<PathBuf> {
    let tree = crate::target()?.join("mutants");
    let patches = patches(crate::root())?;
    copy::tree(crate::root(), &tree)?;
    fs::copy(crate::root().join(CHOOSER.0), tree.join(CHOOSER.1))?;
    for patch in patches {
        crate::done(git(&tree).args(["apply", "-C1"]).arg(&patch))?;
    }
    for (package, manifest) in PATCHED {
        give_version(&tree.join(manifest), None)?;
        give_version(&tree.join("Cargo.lock"), Some(package))?;
    }
    Ok(tree)
}

/// Gives a package of the copy another version, in its manifest or in the lock file. Cargo distinguishes packages of
/// the same name by their versions; otherwise it would mix up the builds of the tree and of the copy.
fn give_version(file: &Path, package: Option<&str>) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let name = package.map_or_else(String::new, |package| format!("name = \"{package}\"\n"));
    let (own, other) =
        (format!("{name}version = \"0.1.0\"\n"), format!("{name}version = \"0.1.0+mutants\"\n"));
    if !text.contains(&own) {
        return Err(io::Error::other(format!("{} has no version 0.1.0", file.display())));
    }
    fs::write(file, text.replacen(&own, &other, 1))
}

/// The command `git` in a folder that git does not treat as part of a repository above it, so that the paths in patches
/// are relative to the folder.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
    git
}

/// The folder of the patches in the source tree.
pub(crate) fn patches_folder() -> PathBuf {
    crate::root().join(PATCHES)
}

/// The paths of all patches below a tree, sorted.
fn patches(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join(PATCHES))? {
        let path = entry?.path();
        if path.extension().is_some_and(|is| is == "patch") {
            found.insert(path);
        }
    }
    if found.is_empty() || !found.contains(&root.join(PATCHES).join(HOOKS)) {
        return Err(io::Error::other(format!("{PATCHES} has no mutants")));
    }
    Ok(found)
}
