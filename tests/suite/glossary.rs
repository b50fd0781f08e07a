//! One term for each concept: the words that docs/glossary.md replaces appear nowhere else in the repository.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::testkit::repository;

/// The page that lists the replaced words.
const GLOSSARY: &str = "docs/glossary.md";

/// Files and folders that are not searched, with the reason.
const NOT_SEARCHED: [(&str, &str); 5] = [
    (GLOSSARY, "it lists the words"),
    ("Cargo.lock", "names of packages"),
    ("tests/fuzz/corpus/", "inputs that are kept byte by byte"),
    ("LICENSE", "legal texts"),
    ("tests/suite/glossary.rs", "it lists the exceptions"),
];

/// Where a word is imposed from outside: the start of a path, the word, and the reason.
const EXCEPTIONS: [(&str, &str, &str); 10] = [
    ("crates/core/src/blueprint/forbidden.rs", "lab", "the provider Microsoft.DevTestLab"),
    ("crates/core/data/", "notice", "the usual name of a file with licences"),
    ("crates/core/src/isolation/", "subject", "a member of Entra's federated credentials"),
    ("crates/core/src/tenant/cloud_event.rs", "subject", "an attribute of CloudEvents"),
    ("src/scan/quarantine.rs", "subject", "a member of Entra's federated credentials"),
    ("tests/suite/adapters/service_bus.rs", "subject", "an attribute of CloudEvents"),
    ("tests/suite/differential/ports.rs", "place", "tokio's `block_in_place`"),
    ("xtask/package/src/", "notice", "the usual name of a file with licences"),
    ("xtask/package/src/", "notices", "the usual name of a file with licences"),
    ("xtask/types/src/", "notice", "the usual name of a file with licences"),
];

#[test]
fn words_of_the_old_vocabulary_appear_only_in_the_glossary() {
    let page = std::fs::read_to_string(repository().join(GLOSSARY)).unwrap();
    let section = page.split("## Words that are not used").nth(1).unwrap();
    let (everywhere, in_identifiers) = section.split_once("In identifiers").unwrap();
    let (everywhere, in_identifiers) = (listed(everywhere), listed(in_identifiers));
    assert!(everywhere.len() > 80 && in_identifiers.len() > 5, "the tables of {GLOSSARY} are not found");
    let mut found = Vec::new();
    for file in tracked_files() {
        if NOT_SEARCHED.iter().any(|(skipped, _)| file.starts_with(skipped)) {
            continue;
        }
        let mut report = |line: usize, word: &str| {
            let excepted =
                |(path, excepted, _): &(&str, &str, &str)| file.starts_with(path) && *excepted == word;
            if !EXCEPTIONS.iter().any(excepted) {
                found.push(format!("{file}:{line}: {word}"));
            }
        };
        parts(&file).filter(|part| everywhere.contains(part)).for_each(|part| report(0, &part));
        // A file that is not UTF-8 text is not searched.
        let Ok(text) = std::fs::read_to_string(repository().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = without_in_place(line);
            parts(&line).filter(|part| everywhere.contains(part)).for_each(|part| report(number + 1, &part));
        }
        if Path::new(&file).extension().is_some_and(|is| is == "rs") {
            for (number, code) in code_of(&text).lines().enumerate() {
                parts(code)
                    .filter(|part| in_identifiers.contains(part))
                    .for_each(|part| report(number + 1, &part));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} places use words that {GLOSSARY} replaces:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// The words in the first column of the tables in a section.
fn listed(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let words = rows.filter(|cell| !cell.starts_with("instead of") && !cell.starts_with("---"));
    words.flat_map(|cell| cell.split(", ")).map(|word| word.trim().to_owned()).collect()
}

/// The paths of all files of the repository: tracked files, and new files that git does not ignore.
fn tracked_files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(repository())
        .output();
    let files = String::from_utf8(listed.unwrap().stdout).unwrap();
    let files: Vec<String> =
        files.lines().map(str::to_owned).filter(|file| repository().join(file).is_file()).collect();
    assert!(files.len() > 500, "only {} files are found", files.len());
    files
}

/// The words of a text in lower case; an identifier is split where its case changes and at underscores.
fn parts(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_ascii_alphabetic()).flat_map(|run| {
        let starts_at = |at: usize| {
            let letters = run.as_bytes();
            let upper = |at: usize| letters.get(at).is_some_and(u8::is_ascii_uppercase);
            upper(at) && (!upper(at - 1) || (at + 1 < letters.len() && !upper(at + 1)))
        };
        if run.is_empty() {
            return Vec::new();
        }
        let mut starts = vec![0];
        starts.extend((1..run.len()).filter(|at| starts_at(*at)));
        starts.push(run.len());
        let pieces: Vec<String> =
            starts.windows(2).map(|pair| run[pair[0]..pair[1]].to_ascii_lowercase()).collect();
        pieces
    })
}

/// The line without `in place`, which is an established term and allowed.
fn without_in_place(line: &str) -> String {
    let mut line = line.to_owned();
    for phrase in ["in place", "in-place", "In place", "In-place"] {
        line = line.replace(phrase, "");
    }
    line
}

/// The code without comments and strings; the line breaks stay.
fn code_of(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let skipped = match () {
            () if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            () if letter == '"' => end_of_string(rest),
            () if rest.starts_with("'\"'") || rest.starts_with("'\\") => {
                rest[2..].find('\'').map_or(1, |end| end + 3)
            }
            () if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            () => 0,
        };
        if skipped == 0 {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            code.extend(rest[..skipped].matches('\n').map(|_| '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of the string literal with which a text begins, including the quotes.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    text.len()
}

#[test]
fn identifiers_are_split_and_strings_are_no_code() {
    let of = |text: &str| parts(text).collect::<Vec<_>>();
    assert_eq!(of("HTTPWire to_wire2 lookAtIDs"), ["http", "wire", "to", "wire", "look", "at", "i", "ds"]);
    assert_eq!(
        code_of("let a = \"later \\\" later\"; // later\nlet b = '\"';\n").matches("later").count(),
        0
    );
    assert_eq!(without_in_place("updated in place"), "updated ");
}
