//! Assembles and checks the package: the tree, the zip, the bill of materials, the sums. `cargo xtask package` builds
//! the program and calls this.

mod archive;
mod bill;
mod check;
mod contents;
mod floor;
mod licences;
mod parts;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use sha2::{Digest as _, Sha256};

/// The names of the files in the folder of a package.
const ZIP: &str = "tenantry.zip";
const TREE: &str = "app";
const BILL: &str = "tenantry.cdx.json";
const SUMS: &str = "SHA256SUMS";

type Outcome<T> = Result<T, Box<dyn Error>>;

const HELP: &str = "\
tenantry-package assemble ROOT PROGRAM FOLDER   the program with ROOT's files, as tree and zip in FOLDER
tenantry-package check ROOT FOLDER PATH...       is it whole, small, portable, free of these machine paths?
tenantry-package unpack ZIP FOLDER              as the platform does
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["assemble", root, program, folder] => assemble(root.as_ref(), program.as_ref(), folder.as_ref()),
        ["check", root, folder, paths @ ..] => check::check(root.as_ref(), folder.as_ref(), paths),
        ["unpack", zip, folder] => archive::unpack(zip.as_ref(), folder.as_ref()),
        _ => Err(HELP.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If the output is closed, the exit code still shows the failure.
            let _ = writeln!(io::stderr(), "package: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the tree, the zip, the bill of materials and the sums into `folder`.
fn assemble(root: &Path, program: &Path, folder: &Path) -> Outcome<()> {
    let parts = parts::of(root)?;
    let program = fs::read(program)?;
    let bill = bill::write(&parts, &program);
    let entries = contents::entries(root, program, &parts)?;
    let tree = folder.join(TREE);
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(&tree)?;
    let zip = archive::pack(&entries)?;
    fs::write(folder.join(ZIP), &zip)?;
    archive::unpack(&folder.join(ZIP), &tree)?;
    fs::write(folder.join(BILL), &bill)?;
    let sums = [(BILL, &bill), (ZIP, &zip)].map(|(name, bytes)| format!("{}  {name}\n", sum(bytes)));
    fs::write(folder.join(SUMS), sums.concat())?;
    say(&format!("{}: {} entries, {} bytes", folder.join(ZIP).display(), entries.len(), zip.len()))?;
    Ok(())
}

/// Prints a line of the result.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// The SHA-256 of bytes, in hexadecimal digits as `sha256sum` prints it.
fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a folder, sorted by name, without those of its subfolders.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}
