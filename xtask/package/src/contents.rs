//! Lists the files of the package, with their contents.

use std::{fs, path::Path};

use crate::{Outcome, files, licences, parts::Parts};

/// The name of the program, the only executable file.
pub(crate) const PROGRAM: &str = "tenantry";
/// The name of the file with the licences of the crates in the program.
pub(crate) const LICENCES: &str = "THIRD-PARTY-NOTICES.txt";

/// A file of the package.
pub(crate) struct Entry {
    /// The file's path in the package.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// All files of the package, sorted by name.
pub(crate) fn entries(root: &Path, program: Vec<u8>, parts: &Parts) -> Outcome<Vec<Entry>> {
    let mut entries = vec![
        Entry { name: PROGRAM.to_owned(), bytes: program, mode: 0o755 },
        Entry { name: LICENCES.to_owned(), bytes: licences::write(parts)?.into_bytes(), mode: 0o644 },
    ];
    for name in own(root)? {
        entries.push(Entry { bytes: fs::read(root.join(&name))?, name, mode: 0o644 });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// The names of the files that are copied from the repository: `host.json`, the functions, the blueprints, our
/// licences.
pub(crate) fn own(root: &Path) -> Outcome<Vec<String>> {
    let mut names: Vec<String> = ["host.json", "LICENSE-APACHE", "LICENSE-MIT"].map(str::to_owned).into();
    for entry in fs::read_dir(root)? {
        let folder = entry?;
        if folder.path().join("function.json").is_file() {
            names.push(format!("{}/function.json", folder.file_name().to_string_lossy()));
        }
    }
    for file in files(&root.join("blueprints"))? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            names.push(format!("blueprints/{name}"));
        }
    }
    names.sort();
    Ok(names)
}
