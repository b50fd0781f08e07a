//! The commands on the pages are run, and print what the pages show.
//!
//! Each page has a terminal of its own: a folder with the repository's files, the program under its name, and one
//! instance at a time. A block of `sh` is run command by command; a block of `text` after it in the same section is the
//! output of its commands. A command ends with 0 unless its comment says `ends with N`. Commands that can't be run here
//! are listed in `not_run.rs` with the reason; a command that is neither run nor listed fails the test.

mod compare;
mod not_run;
mod session;
mod shown;

use std::collections::BTreeMap;

use super::pages::{Block, blocks, pages};
use session::Session;
use shown::{Command, commands, foreign_import, is_runnable};

/// A page's blocks of commands, each with the output that the page shows for it.
fn scenes(page: &str) -> Vec<(Block, Option<String>)> {
    let mut scenes: Vec<(Block, Option<String>)> = Vec::new();
    for block in blocks(page) {
        match block.language.as_str() {
            "sh" | "python" => scenes.push((block, None)),
            "text" => {
                if let Some((before, output @ None)) = scenes.last_mut()
                    && before.section == block.section
                {
                    *output = Some(block.text);
                }
            }
            _ => {}
        }
    }
    scenes
}

/// The results of the commands of all pages.
#[derive(Default)]
struct Count {
    run: usize,
    /// How many commands were not run, by the index of their row in [`not_run::ROWS`].
    not_run: BTreeMap<usize, usize>,
    wrong: Vec<String>,
}

impl Count {
    /// Whether a command is to be run. A command that is neither runnable nor listed is recorded as wrong.
    fn is_run(&mut self, page: &str, line: usize, command: &Command) -> bool {
        if let Some(row) = not_run::row(page, &command.text) {
            *self.not_run.entry(row).or_default() += 1;
            return false;
        }
        let runnable = is_runnable(&command.text);
        if !runnable {
            self.wrong.push(format!(
                "{page}:{line}: `{}` is neither run nor listed in tests/suite/documentation/commands/not_run.rs",
                command.text
            ));
        }
        runnable
    }
}

async fn play(page: &str, text: &str, count: &mut Count) {
    let mut session = Session::new();
    for (block, output) in scenes(text) {
        let position = format!("{page}:{}", block.line);
        let mut printed = String::new();
        let mut complete = true;
        let all =
            if block.language == "sh" { commands(&block.text) } else { vec![Command::python(&block.text)] };
        for command in all {
            if !count.is_run(page, block.line, &command) {
                complete = false;
                continue;
            }
            count.run += 1;
            match session.run(&command).await {
                Ok(out) => printed.push_str(&out),
                Err(why) => {
                    count.wrong.push(format!("{position}: `{}`: {why}", command.text));
                    complete = false;
                }
            }
        }
        if let Some(expected) = output.filter(|_| complete)
            && let Err(difference) = compare::same(&expected, &printed)
        {
            count.wrong.push(format!("{position}: its output is not what the page shows:\n{difference}"));
        }
    }
    session.end().await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the writer of a page may run it alone, by a part of its path")]
async fn every_command_on_a_page_is_run_or_listed() {
    let mut count = Count::default();
    let only = std::env::var("TENANTRY_PAGE").ok();
    for (page, text) in pages() {
        if only.as_ref().is_none_or(|only| page.contains(only.as_str())) {
            play(&page, &text, &mut count).await;
        }
    }
    println!("{} commands were run, {} were not:", count.run, count.not_run.values().sum::<usize>());
    for (number, row) in not_run::ROWS.iter().enumerate() {
        let found = count.not_run.get(&number).copied().unwrap_or_default();
        println!("  {found:>3}  {}: {} … ({})", row.page, row.begins, row.because.as_str());
        if found != row.times && only.is_none() {
            count.wrong.push(format!(
                "{}: `{} …` is listed {} times as not run, and is there {found} times",
                row.page, row.begins, row.times
            ));
        }
    }
    assert!(count.wrong.is_empty(), "\n{}", count.wrong.join("\n"));
    assert!(only.is_some() || count.run >= 45, "only {} commands were run", count.run);
}

#[test]
fn a_python_block_is_runnable_with_the_standard_library_alone() {
    assert_eq!(foreign_import("import sys\nfrom json import loads\n"), None);
    assert_eq!(foreign_import("import sys\nfrom azure.servicebus import X\n"), Some("azure".to_owned()));
}
