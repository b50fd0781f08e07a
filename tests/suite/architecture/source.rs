//! Source read as text: its imports and its functions.

use super::*;

/// A source file: its path below the folder that was read, its whole text, and its code without comments and tests.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) code: String,
}

impl Source {
    /// The part that the file belongs to: the module directly below the crate's root.
    pub(super) fn part(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

#[test]
fn the_reader_of_imports_sees_all_forms() {
    let code = "use crate::{\n    ids::TenantId,\n    steps::{self, Api},\n    tenant,\n};\nuse crate::ports;\n\
                fn f() -> crate::reconciler::Progress { tenantry::cli::run() }";
    let seen: Vec<_> = used_by(code).into_iter().collect();
    assert_eq!(seen, ["cli", "ids", "ports", "reconciler", "steps", "tenant"]);
}

/// The parts that a piece of code names after `crate::` or, in the binary, after the crate's name.
pub(super) fn used_by(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for behind in ["crate::", "tenantry::"].into_iter().flat_map(|root| code.split(root).skip(1)) {
        match behind.trim_start().strip_prefix('{') {
            Some(list) => used.extend(members(list).into_iter().map(first_identifier)),
            None => _ = used.insert(first_identifier(behind)),
        }
    }
    used.retain(|part| !part.is_empty());
    used
}

/// The members of a list in braces, up to the brace that closes it.
pub(super) fn members(list: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members
}

pub(super) fn first_identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The name and the length in lines of each function. The text is formatted by rustfmt, so a function ends at the first
/// brace with the indentation of its `fn` line.
pub(super) fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let depth = line.len() - code.len();
        let before = code.split("fn ").next().unwrap_or_default();
        let is_head = code.contains("fn ")
            && before.split_whitespace().all(|keyword| {
                ["pub", "const", "async", "unsafe"].contains(&keyword) || keyword.starts_with("pub(")
            });
        if !is_head || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        // A declaration in a trait has no body: the line that closes its parameters ends with a semicolon.
        let same_depth = |line: &&&str| line.len() - line.trim_start().len() == depth && !line.is_empty();
        if lines.iter().skip(number + 1).find(same_depth).is_some_and(|line| line.ends_with(';')) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(depth));
        let length = lines.iter().skip(number).position(|line| *line == end).unwrap_or_default() + 1;
        functions.push((first_identifier(code.split("fn ").nth(1).unwrap_or_default()), length));
    }
    functions
}

/// The source folder of the core.
pub(super) const CORE: &str = "crates/core/src";
/// The source folder of the simulated Azure.
pub(super) const SIMULATED_AZURE: &str = "crates/azure-sim/src";

pub(super) fn sources() -> Vec<Source> {
    sources_in(&root().join("src"))
}

pub(super) fn core() -> Vec<Source> {
    sources_in(&root().join(CORE))
}

pub(super) fn simulated_azure() -> Vec<Source> {
    sources_in(&root().join(SIMULATED_AZURE))
}

pub(super) fn sources_in(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(&path);
                let code = code_of(&text);
                let path = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text, code });
            }
        }
    }
    assert!(!found.is_empty(), "{} has no source", folder.display());
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The code without its tests and comments; the lines of comments stay, so that line numbers stay right.
pub(super) fn code_of(text: &str) -> String {
    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = own.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
