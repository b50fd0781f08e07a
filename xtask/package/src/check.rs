//! Checks a package, and reports all faults together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{
    BILL, Outcome, SUMS, TREE, ZIP, archive,
    contents::{LICENCES, PROGRAM, own},
    floor, say, sum,
};

/// The oldest glibc that the program has to run with: that of Debian 10, older than that of any image of the plan.
const FLOOR: floor::Version = (2, 28);
/// The largest size of the zip, in bytes. A larger package starts slower, because the platform loads it at every cold
/// start.
const MOST: usize = 15_000_000;
/// Texts that only a program with `tenantry local` contains: the path of the simulated Azure's own API, and the source
/// path of the crate redb in panic messages.
const LOCAL: [&str; 2] = ["/_sim/", "/redb-"];

/// Checks the package in a folder. The error lists all faults. `paths` are paths of this machine that must not occur in
/// it.
pub(crate) fn check(root: &Path, folder: &Path, paths: &[&str]) -> Outcome<()> {
    let zip = fs::read(folder.join(ZIP))?;
    let found = archive::read(&zip)?;
    let mut faults = Vec::new();
    if zip.len() > MOST {
        faults.push(format!("it has {} bytes; {MOST} are the limit", zip.len()));
    }
    faults.extend(entries(root, &found)?);
    faults.extend(tree(&folder.join(TREE), &found)?);
    for (name, (bytes, _)) in &found {
        for path in paths.iter().filter(|path| contains(bytes, path)) {
            faults.push(format!("{name} has a path of this machine in it: {path}"));
        }
    }
    let program = found.get(PROGRAM).map(|(bytes, _)| bytes.as_slice()).unwrap_or_default();
    let (major, minor) = floor::glibc(program)?;
    if (major, minor) > FLOOR {
        faults.push(format!("{PROGRAM} needs glibc {major}.{minor}; {}.{} is the floor", FLOOR.0, FLOOR.1));
    }
    faults.extend(
        LOCAL
            .iter()
            .filter(|text| contains(program, text))
            .map(|text| format!("{PROGRAM} contains `tenantry local`: {text}")),
    );
    let materials = fs::read(folder.join(BILL))?;
    faults.extend(sums(&fs::read_to_string(folder.join(SUMS))?, &[(BILL, &materials), (ZIP, &zip)]));
    if faults.is_empty() {
        say(&format!(
            "{} entries, {} bytes, glibc {major}.{minor}, no path of this machine",
            found.len(),
            zip.len()
        ))?;
        return Ok(());
    }
    Err(faults.join("\n").into())
}

/// Checks that the zip has exactly the expected entries, identical to the repository's files, and that only the program
/// is executable.
fn entries(root: &Path, found: &BTreeMap<String, (Vec<u8>, u32)>) -> Outcome<Vec<String>> {
    let own = own(root)?;
    let expected: BTreeSet<&str> = own.iter().map(String::as_str).chain([PROGRAM, LICENCES]).collect();
    let there: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let missing = expected.difference(&there).map(|name| format!("{name} is missing"));
    let strange = there.difference(&expected).map(|name| format!("{name} does not belong there"));
    let mut faults: Vec<String> = missing.chain(strange).collect();
    for (name, (bytes, mode)) in found {
        let mode = mode & 0o777;
        if mode != if name == PROGRAM { 0o755 } else { 0o644 } {
            faults.push(format!("{name} has the mode {mode:o}"));
        }
        if own.contains(name) && *bytes != fs::read(root.join(name))? {
            faults.push(format!("{name} is not that of the repository"));
        }
    }
    Ok(faults)
}

/// Checks that the folder with the unpacked files has the same content as the zip.
fn tree(folder: &Path, found: &BTreeMap<String, (Vec<u8>, u32)>) -> Outcome<Vec<String>> {
    let mut faults = Vec::new();
    for (name, (bytes, _)) in found {
        if fs::read(folder.join(name)).ok().as_ref() != Some(bytes) {
            faults.push(format!("{TREE}/{name} is not what the zip has"));
        }
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !found.contains_key(&name) {
                faults.push(format!("{TREE}/{name} is not in the zip"));
            }
        }
    }
    Ok(faults)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Checks that the file of sums is what `sha256sum` prints.
fn sums(text: &str, of: &[(&str, &[u8])]) -> Vec<String> {
    let expected: String = of.iter().map(|(name, bytes)| format!("{}  {name}\n", sum(bytes))).collect();
    if text == expected { Vec::new() } else { vec![format!("{SUMS} does not match")] }
}
