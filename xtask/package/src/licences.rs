//! Collects the licences of the crates in the program, for users who get the program without the source.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    Outcome, files,
    parts::{OURS, Parts},
};

/// The beginnings, in lower case, of the names of files with licences.
const BEGINNINGS: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];
/// The line that separates the texts.
const LINE: &str = "------------------------------------------------------------------------------\n";

/// The file with the licences: a table of the crates, then each text once, with the crates that have it.
pub(crate) fn write(parts: &Parts) -> Outcome<String> {
    let mut table =
        "tenantry is built of the crates below and the standard library of Rust (MIT OR Apache-2.0).\n\n"
            .to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), part) in parts.crates.iter().filter(|((name, _), _)| name != OURS) {
        let licence = part.licence.as_deref().unwrap_or("see its text below");
        table.push_str(&format!("{name} {version}: {licence}\n"));
        for text in licences(&part.folder)? {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    let mut sections: Vec<(String, String)> =
        texts.into_iter().map(|(text, whose)| (whose.join(", "), text)).collect();
    sections.sort();
    let sections =
        sections.into_iter().map(|(whose, text)| format!("\n{LINE}{whose}\n{LINE}\n{}\n", text.trim_end()));
    Ok(table + &sections.collect::<String>())
}

/// The texts of licences in a crate's folder, and in its `data`, which may come from somebody else: the table of Azure's
/// types in tenantry-core does. A crate without any names its licence in its manifest, and the table does too.
fn licences(folder: &Path) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    let data = folder.join("data");
    let of_data = if data.is_dir() { files(&data)? } else { Vec::new() };
    for file in files(folder)?.into_iter().chain(of_data) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
            found.push(String::from_utf8_lossy(&fs::read(&file)?).replace("\r\n", "\n"));
        }
    }
    Ok(found)
}
