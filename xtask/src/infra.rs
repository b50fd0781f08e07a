//! `cargo xtask infra`: checks that the templates of infra/ parse, and that they follow common security rules.
//!
//! No package registry has a compiler of Bicep, so types are not checked here: tests/suite/infra checks names, and
//! tests/azure_specs the bodies. Two independent parsers read the files: tree-sitter's grammar, and checkov's own.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use crate::python::Python;

/// The packages of Python, with fixed versions, so that the same tree always gets the same result.
const TOOLS: [&str; 3] = ["checkov==3.3.30", "tree-sitter==0.26.1", "tree-sitter-bicep==1.1.0"];

/// The script in Python that parses the templates and prints the position of each error. It first checks that the
/// parser finds the error in an invalid template.
const PARSE: &str = r#"
import sys
import tree_sitter_bicep
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_bicep.language()))

def faults(node):
    if node.is_error or node.is_missing:
        yield node
    for child in node.children:
        yield from faults(child)

if not parser.parse(b"var a = {\n  b: \n").root_node.has_error:
    sys.exit("the parser finds no fault where there is one")
found = 0
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        root = parser.parse(file.read()).root_node
    for node in faults(root):
        found += 1
        print(f"{name}:{node.start_point[0] + 1}:{node.start_point[1] + 1}: this is not Bicep")
sys.exit(1 if found else 0)
"#;

/// The templates in the folder and in its folder `modules`, sorted by path.
fn templates(infra: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [infra.to_owned(), infra.join("modules")] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|of| of == "bicep") {
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() { Err(io::Error::other("there are no templates")) } else { Ok(found) }
}

/// Whether each suppression of a checkov rule gives its reason.
fn explained(templates: &[PathBuf]) -> io::Result<bool> {
    const MARK: &str = "checkov:skip=";
    let mut good = true;
    for path in templates {
        for (at, line) in fs::read_to_string(path)?.lines().enumerate() {
            let Some((_, skip)) = line.split_once(MARK) else { continue };
            if skip.split_once(": ").is_none_or(|(_, why)| why.trim().len() < 20) {
                good = false;
                crate::complain(&format!("{}:{}: say why this rule is skipped", path.display(), at + 1));
            }
        }
    }
    Ok(good)
}

/// Whether checkov reads every file and finds nothing that is not suppressed. Its exit code is 0 even if it could not
/// read a file.
fn checked(programs: &Path, infra: &Path) -> io::Result<bool> {
    let mut checkov = Command::new(programs.join("checkov"));
    checkov
        .args(["--skip-download", "--framework", "bicep", "--compact", "--quiet", "--directory"])
        .arg(infra);
    let output = checkov.stdin(Stdio::null()).output()?;
    let mut out = io::stdout();
    out.write_all(&output.stdout)?;
    out.write_all(&output.stderr)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let was_read = said.contains("Passed checks: ") && !said.contains("Passed checks: 0,");
    Ok(output.status.success() && was_read && !said.contains("Parsing errors:"))
}

/// Installs the two parsers, unless they are installed.
pub(crate) fn tools() -> io::Result<Python> {
    Python::bring(&crate::target()?.join("tools/infra"), &TOOLS.join("\n"), &[])
}

/// Parses the templates and checks them.
pub(crate) fn run() -> io::Result<ExitCode> {
    let infra = crate::root().join("infra");
    let templates = templates(&infra)?;
    let python = tools()?;
    let parsed = python.run(&["-c", PARSE]).args(&templates).status()?.success();
    let good = explained(&templates)? && checked(&python.programs, &infra)? && parsed;
    writeln!(
        io::stdout(),
        "infra: {} templates, {}",
        templates.len(),
        if good { "passed" } else { "FAILED" }
    )?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
