//! Makes and checks `crates/core/data/azure-types.bin`, the core's table of Azure's resource types. `cargo xtask types`
//! calls it.
//!
//! The table is a number of texts, each compressed by itself, so that a reader decodes only what it needs. The first
//! has the contents: the source, the names of the other texts, and all types with their API versions. Each of the others
//! is one file with the shapes of a provider's types at one version, as the folder has it. `crates/core/data/README.md`
//! describes the format.

mod contents;
mod folder;
mod table;

use std::{
    env, fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use folder::Folder;

const HELP: &str = "\
tenantry-types write FOLDER DATA   makes DATA/azure-types.bin from the folder
tenantry-types check FOLDER DATA   fails if DATA/azure-types.bin is not what the folder gives
";

/// The file of the table.
const TABLE: &str = "azure-types.bin";
/// The file with the licence of the table's source.
const NOTICE: &str = "NOTICE";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["write", folder, data] => write(folder.as_ref(), data.as_ref()),
        ["check", folder, data] => check(folder.as_ref(), data.as_ref()),
        _ => Err(io::Error::other(HELP)),
    };
    match done {
        Ok(result) => {
            // If the output is closed, the exit code still shows the result.
            let _ = writeln!(io::stdout(), "{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "types: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the table into the folder `data`.
fn write(folder: &Path, data: &Path) -> io::Result<String> {
    let texts = Folder::read(folder)?.texts()?;
    let table = table::packed(&texts)?;
    fs::write(data.join(TABLE), &table)?;
    names_the_source(&texts, data)?;
    Ok(format!("{}: {} texts, {} bytes", data.join(TABLE).display(), texts.len(), table.len()))
}

/// Compares the table in the folder `data` with what the folder gives. It is an error if they differ in a byte.
fn check(folder: &Path, data: &Path) -> io::Result<String> {
    let texts = Folder::read(folder)?.texts()?;
    let committed = fs::read(data.join(TABLE))?;
    names_the_source(&texts, data)?;
    if committed == table::packed(&texts)? {
        return Ok(format!("{} is what the folder gives", TABLE));
    }
    let what = match table::unpacked(&committed) {
        Ok(other) => difference(&other, &texts),
        Err(error) => error.to_string(),
    };
    Err(io::Error::other(format!("{TABLE} is not what the folder gives: {what}. Run `cargo xtask types`")))
}

/// The first difference between two tables.
fn difference(committed: &[String], given: &[String]) -> String {
    if committed.len() != given.len() {
        return format!("it has {} texts instead of {}", committed.len(), given.len());
    }
    let first = committed.iter().zip(given).position(|(committed, given)| committed != given);
    first.map_or_else(
        || "the texts are the same, but compressed by another version of miniz_oxide".to_owned(),
        |at| format!("{} differs", name(given, at)),
    )
}

/// The name of a text, from the contents.
fn name(texts: &[String], at: usize) -> &str {
    let names = texts.first().and_then(|contents| contents.split("\n\n").nth(1)).unwrap_or_default();
    at.checked_sub(1).and_then(|at| names.lines().nth(at)).unwrap_or("the list of types and versions")
}

/// The notice is written by hand, so that it could name another version than that of the source.
fn names_the_source(texts: &[String], data: &Path) -> io::Result<()> {
    let source = texts.first().and_then(|contents| contents.lines().next()).unwrap_or_default();
    let notice = fs::read_to_string(data.join(NOTICE))?;
    if notice.contains(source) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} does not name the source, `{source}`", data.join(NOTICE).display())))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_is_named() {
        let table = |texts: [&str; 3]| texts.map(str::to_owned);
        let given = table(["P 1.2\n\na.b/2024-01-01\nc.d/2024-01-01\n\n", "one", "two"]);
        let rows = [
            (table([&given[0], "one", "other"]), "c.d/2024-01-01 differs"),
            (table(["", "one", "two"]), "the list of types and versions differs"),
            (given.clone(), "the texts are the same, but compressed by another version of miniz_oxide"),
        ];
        for (committed, expected) in rows {
            assert_eq!(difference(&committed, &given), expected);
        }
        assert_eq!(difference(&given[..2], &given), "it has 2 texts instead of 3");
    }
}
