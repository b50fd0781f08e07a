//! The crates in the program, as cargo reports them for exactly the build that is packed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::Outcome;

/// The target platform.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The crate that is packed.
pub(crate) const OURS: &str = "tenantry";

/// A crate's name and version.
pub(crate) type Key = (String, String);

/// A crate in the program.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) licence: Option<String>,
    pub(crate) repository: Option<String>,
    /// The folder of its source.
    pub(crate) folder: PathBuf,
    /// The checksum of the registry's archive, as in Cargo.lock.
    pub(crate) checksum: Option<String>,
    pub(crate) needs: BTreeSet<Key>,
}

/// All crates, including ours.
pub(crate) struct Parts {
    pub(crate) crates: BTreeMap<Key, Part>,
    /// The compiler's version, which is that of the standard library.
    pub(crate) compiler: String,
}

/// Asks cargo. Crates that only take part in building, such as procedural macros, are not in the program.
pub(crate) fn of(root: &Path) -> Outcome<Parts> {
    let tree = run(
        root,
        "cargo",
        &[
            "tree",
            "--locked",
            "--package",
            OURS,
            "--no-default-features",
            "--edges",
            "normal,no-proc-macro",
            "--target",
            TARGET,
            "--prefix",
            "depth",
            "--format",
            "{p}",
        ],
    )?;
    let mut crates = needs(&tree)?;
    let metadata: Value = serde_json::from_str(&run(
        root,
        "cargo",
        &["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET],
    )?)?;
    let text = |package: &Value, name: &str| package[name].as_str().map(str::to_owned);
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let key = (text(package, "name").unwrap_or_default(), text(package, "version").unwrap_or_default());
        if let Some(part) = crates.get_mut(&key) {
            // Old manifests have a slash for an OR.
            part.licence = text(package, "license").map(|licence| licence.replace('/', " OR "));
            part.repository = text(package, "repository");
            let manifest = PathBuf::from(text(package, "manifest_path").unwrap_or_default());
            part.folder = manifest.parent().map(Path::to_owned).unwrap_or_default();
        }
    }
    for (key, checksum) in checksums(&fs::read_to_string(root.join("Cargo.lock"))?) {
        if let Some(part) = crates.get_mut(&key) {
            part.checksum = Some(checksum);
        }
    }
    let output = run(root, "rustc", &["--version"])?;
    let compiler = output.split_whitespace().nth(1).unwrap_or_default().to_owned();
    Ok(Parts { crates, compiler })
}

/// Runs a command in a folder and returns its output.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output()?;
    if !output.status.success() {
        return Err(format!(
            "{program} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Parses `cargo tree`: a depth, a name, a version. A crate that is repeated has no needs listed.
fn needs(tree: &str) -> Outcome<BTreeMap<Key, Part>> {
    let mut crates: BTreeMap<Key, Part> = BTreeMap::new();
    let mut path: Vec<Key> = Vec::new();
    for line in tree.lines() {
        let strange = || format!("`cargo tree` says `{line}`, which was not expected");
        let name_at = line.find(|c: char| !c.is_ascii_digit()).ok_or_else(strange)?;
        let depth: usize = line[..name_at].parse().map_err(|_| strange())?;
        let mut fields = line[name_at..].split_whitespace();
        let (Some(name), Some(version)) = (fields.next(), fields.next().and_then(|v| v.strip_prefix('v')))
        else {
            return Err(strange().into());
        };
        let key = (name.to_owned(), version.to_owned());
        path.truncate(depth);
        if let Some(above) = path.last() {
            crates.entry(above.clone()).or_default().needs.insert(key.clone());
        }
        crates.entry(key.clone()).or_default();
        path.push(key);
    }
    Ok(crates)
}

/// The checksums of a lock file. It is generated, with one member on a line.
fn checksums(lock: &str) -> BTreeMap<Key, String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let member = |name: &str| {
            let start = format!("{name} = \"");
            package.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"')).map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(sum)) =
            (member("name"), member("version"), member("checksum"))
        {
            found.insert((name, version), sum);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (name.to_owned(), "1.0.0".to_owned())
    }

    #[test]
    fn a_tree_becomes_a_graph() {
        let tree =
            "0tenantry v1.0.0 (/some/where)\n1axum v1.0.0\n2bytes v1.0.0\n1bytes v1.0.0\n1serde v1.0.0 (*)\n";
        let crates = needs(tree).unwrap();
        assert_eq!(crates.len(), 4);
        assert_eq!(crates[&key("tenantry")].needs, ["axum", "bytes", "serde"].map(key).into());
        assert_eq!(crates[&key("axum")].needs, [key("bytes")].into());
        assert!(needs("tenantry").is_err());
    }

    #[test]
    fn a_lock_file_has_sums() {
        let lock = "version = 4\n\n[[package]]\nname = \"axum\"\nversion = \"1.0.0\"\nsource = \"x\"\nchecksum = \"ab\"\n\n\
                    [[package]]\nname = \"tenantry\"\nversion = \"1.0.0\"\n";
        assert_eq!(checksums(lock), [(key("axum"), "ab".to_owned())].into());
    }
}
