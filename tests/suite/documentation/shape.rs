//! The form of pages: short, with valid blocks of their language, and commands in `sh` blocks.

use tenantry_core::blueprint::Blueprint;

use super::pages::{blocks, pages, prose, read};

/// Pages that may be longer, because each release adds to them.
const LISTS: [&str; 1] = ["CHANGELOG.md"];

#[test]
fn pages_stay_short_enough_to_be_read() {
    for (page, text) in pages().into_iter().filter(|(page, _)| !LISTS.contains(&page.as_str())) {
        let lines = text.lines().count();
        assert!(lines <= 280, "{page} has {lines} lines");
    }
    assert!(read("README.md").lines().count() <= 130);
}

#[test]
fn the_examples_of_json_are_json() {
    for (page, text) in pages() {
        for block in blocks(&text).into_iter().filter(|block| block.language == "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
            assert!(parsed.is_ok(), "{page}:{}: {:?}\n{}", block.line, parsed.err(), block.text);
        }
    }
}

/// Each complete blueprint on a page is valid; parts of blueprints can't be checked.
#[test]
fn the_examples_of_blueprints_are_valid() {
    let mut whole = 0;
    for (page, text) in pages() {
        for block in blocks(&text).into_iter().filter(|block| block.language == "yaml") {
            if !block.text.starts_with("blueprint:") {
                continue;
            }
            whole += 1;
            let checked = Blueprint::check(&block.text);
            assert!(checked.is_ok(), "{page}:{}: {:#?}", block.line, checked.err());
        }
    }
    assert!(whole >= 2, "only {whole} blueprints were found");
}

/// The beginnings of lines that are commands.
const PROGRAMS: [&str; 8] = ["tenantry ", "cargo ", "curl ", "az ", "azd ", "docker ", "func ", "npm "];

/// A command outside an `sh` block would be neither run nor listed.
#[test]
fn commands_are_in_sh_blocks() {
    let mut wrong = Vec::new();
    let is_command = |line: &str| PROGRAMS.iter().any(|program| line.trim_start().starts_with(program));
    for (page, text) in pages() {
        for line in prose(&text).lines().filter(|line| line.starts_with("    ") && is_command(line)) {
            wrong.push(format!("{page}: {}: an indented block; fence it with sh", line.trim()));
        }
        for block in blocks(&text) {
            let shell = ["bash", "shell", "console", "zsh", "powershell", "pwsh", "azurecli"];
            if shell.contains(&block.language.as_str()) {
                wrong.push(format!(
                    "{page}:{}: commands are fenced with sh, their output with text",
                    block.line
                ));
            }
            if block.language.is_empty() {
                wrong.push(format!("{page}:{}: a block without a language", block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
