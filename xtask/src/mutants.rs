//! The mutants: seeded faults in the product, each a patch in `tests/sim/mutants` that is named by what it breaks. None is
//! in the product itself. They are put together into a copy of the tree, which is built once; a test in it chooses one
//! after the other.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::copy;

/// Where the patches are.
const PATCHES: &str = "tests/sim/mutants";
/// What chooses one of them, and the tests that look for them.
const HOOKS: &str = "hooks.patch";
/// The module that knows which one is at work, and where it belongs.
const CHOOSER: (&str, &str) = ("tests/sim/mutants/mutant.rs", "crates/core/src/mutant.rs");

/// The packages that are broken, and their manifests.
const BROKEN: [(&str, &str); 3] = [
    ("tenantry", "Cargo.toml"),
    ("tenantry-core", "crates/core/Cargo.toml"),
    ("azure-sim", "crates/azure-sim/Cargo.toml"),
];

/// Looks whether each patch fits the tree as it is.
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
    Err(io::Error::other(format!(
        "the product has changed where these are to break it: {}",
        wrong.join(", ")
    )))
}

/// A copy of the tree with all mutants in it, beside what is built.
pub(crate) fn tree() -> io::Result<PathBuf> {
    let tree = crate::target()?.join("mutants");
    let patches = patches(crate::root())?;
    copy::tree(crate::root(), &tree)?;
    fs::copy(crate::root().join(CHOOSER.0), tree.join(CHOOSER.1))?;
    for patch in patches {
        crate::done(git(&tree).args(["apply", "-C1"]).arg(&patch))?;
    }
    for (package, manifest) in BROKEN {
        give_version(&tree.join(manifest), None)?;
        give_version(&tree.join("Cargo.lock"), Some(package))?;
    }
    Ok(tree)
}

/// Gives a package of the copy another version, in its manifest or where the lock file names it. Cargo tells packages of the
/// same name apart by it, and would else take what is built of the tree for the copy's, and the copy's for the tree's.
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

/// `git` in a folder that it takes for no part of a repository, so that a patch speaks of what is there.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
    git
}

/// Where the tree's own patches are.
pub(crate) fn patches_folder() -> PathBuf {
    crate::root().join(PATCHES)
}

/// The patches, in the order of their names.
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
