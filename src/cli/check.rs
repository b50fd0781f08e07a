//! `tenantry check`: reports all faults of blueprints together.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use tenantry_core::blueprint::{Blueprint, Diagnostic, Severity};

use super::sarif;

/// Check blueprints and print all findings with line and column.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The blueprints, YAML files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print one JSON object per file, a line each, instead of text.
    #[arg(long)]
    pub json: bool,
    /// Print one SARIF 2.1.0 log, for editors and code scanning, instead of text.
    #[arg(long, conflicts_with = "json")]
    pub sarif: bool,
}

/// What was found in one file: the blueprint if it has no errors, and the findings.
struct Found {
    blueprint: Option<Blueprint>,
    findings: Vec<Diagnostic>,
}

/// Runs the command: exit code 0 without errors (warnings may remain), 1 with errors, 2 if a file can't be read.
///
/// Errors: only if `out` can't be written.
pub fn run(args: &CheckArgs, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    let mut checked = Vec::new();
    for file in &args.files {
        match read(file) {
            Ok(text) => checked.push((file.as_path(), lint(&text))),
            Err(why) => {
                writeln!(out, "{}: {why}", file.display())?;
                return Ok(ExitCode::from(2));
            }
        }
    }
    if args.sarif {
        let files = checked.iter().map(|(file, found)| (*file, found.findings.as_slice()));
        writeln!(out, "{:#}", sarif::log(files))?;
    } else {
        for (file, found) in &checked {
            show(&file.display().to_string(), found, args.json, out)?;
        }
    }
    Ok(ExitCode::from(u8::from(checked.iter().any(|(_, found)| found.blueprint.is_none()))))
}

/// Reads a file, or says why that is not possible.
fn read(file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("can't be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "this is not UTF-8 text; save the file as UTF-8".to_owned())
}

fn lint(text: &str) -> Found {
    match Blueprint::lint(text) {
        Ok(checked) => Found { blueprint: Some(checked.blueprint), findings: checked.warnings },
        Err(findings) => Found { blueprint: None, findings },
    }
}

fn show(file: &str, found: &Found, json: bool, out: &mut dyn io::Write) -> io::Result<()> {
    let Found { blueprint, findings } = found;
    if json {
        let digest = blueprint.as_ref().map(Blueprint::digest);
        return writeln!(out, "{}", json!({"file": file, "digest": digest, "findings": findings}));
    }
    findings.iter().try_for_each(|finding| print(file, finding, out))?;
    writeln!(out, "{}", summary(file, blueprint.as_ref(), findings))
}

/// Prints a finding in the format of compilers, so that editors find its position.
pub fn print(file: &str, finding: &Diagnostic, out: &mut dyn io::Write) -> io::Result<()> {
    let Diagnostic { line, column, severity, code, message, hint } = finding;
    writeln!(out, "{file}:{line}:{column}: {severity}[{code}]: {message}")?;
    hint.iter().try_for_each(|hint| writeln!(out, "  hint: {hint}"))
}

fn summary(file: &str, blueprint: Option<&Blueprint>, findings: &[Diagnostic]) -> String {
    let count = |severity, name: &str| {
        let count = findings.iter().filter(|finding| finding.severity == severity).count();
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    };
    let counts = format!("{}, {}", count(Severity::Error, "error"), count(Severity::Warning, "warning"));
    match blueprint {
        Some(good) => {
            let (name, version, steps) = (good.name(), good.version(), good.steps().count());
            format!(
                "{file}: {name} {version} is valid: {steps} steps, tiers {}, {}; {counts}",
                good.tiers().join(", "),
                if good.is_suspendable() { "can be suspended" } else { "can't be suspended" },
            )
        }
        None => format!("{file}: {counts}"),
    }
}
