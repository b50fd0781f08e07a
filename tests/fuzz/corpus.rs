//! The inputs that a fuzz target starts with: the files of its corpus, the examples, the fixtures and the bad inputs
//! of other tests.

use std::{fs, path::PathBuf};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The contents of all files with this extension (any, if it is empty) below a folder of the repository, in the order
/// of their paths.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut folders = vec![root().join(folder)];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        // A target without a corpus has no folder.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if ending.is_empty() || path.extension().is_some_and(|other| other == ending) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The inputs that made a target fail in an earlier run, with the names of their files.
pub(crate) fn regressions(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("tests/fuzz/regressions").join(target);
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Saves a failing input, so that every later run tries it, and returns the file's path.
pub(crate) fn remember(target: &str, input: &[u8]) -> PathBuf {
    let folder = root().join("tests/fuzz/regressions").join(target);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(&tenantry_core::ids::sha256_hex(input)[..16]);
    fs::write(&path, input).unwrap();
    path
}
