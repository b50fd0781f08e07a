//! `cargo xtask types`: makes or checks the core's table of Azure's resource types.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The folder that the table is made from when none is given, beside the checkout.
const FOLDER: &str = "../shared/azure-types";
/// The folder of the table.
const DATA: &str = "crates/core/data";

/// Makes the table, or with `--check` compares it with what the folder gives. The folder is not part of the repository:
/// without it, the check is not run, which is reported.
pub(crate) fn run(arguments: &[String]) -> io::Result<ExitCode> {
    let (options, folders): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    if options.iter().any(|option| *option != "--check") || folders.len() > 1 {
        crate::complain("`types` takes --check and one folder");
        return Ok(ExitCode::from(2));
    }
    let root = crate::root();
    let folder = folders.first().map_or_else(|| root.join(FOLDER), PathBuf::from);
    if !options.is_empty() && folders.is_empty() && !folder.is_dir() {
        crate::complain(&format!("NOT RUN is the check of the table of types: {FOLDER} does not exist"));
        return Ok(ExitCode::SUCCESS);
    }
    let task = if options.is_empty() { "write" } else { "check" };
    // A relative folder is one of the caller's, not of the project's root.
    let (folder, data) = (std::path::absolute(folder)?, root.join(DATA));
    crate::run(
        crate::cargo(&["run", "--quiet", "--locked", "--package", "tenantry-types", "--", task])
            .args([folder.as_path(), Path::new(&data)]),
    )
}
