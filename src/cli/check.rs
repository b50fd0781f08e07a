//! `tenantry check`: reports all faults of a blueprint together.

use std::{io, path::PathBuf, process::ExitCode};

use serde_json::json;
use tenantry_core::blueprint::{Blueprint, Diagnostic, Severity};

/// Check a blueprint and print all findings with line and column.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The blueprint, a YAML file.
    pub file: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command: exit code 0 without errors (warnings may remain), 1 with errors, 2 if the file can't be read.
///
/// Errors: only if `out` can't be written.
pub fn run(args: &CheckArgs, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    let path = args.file.display();
    let text = match std::fs::read(&args.file).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            writeln!(out, "{path}: this is not UTF-8 text; save the file as UTF-8")?;
            return Ok(ExitCode::from(2));
        }
        Err(error) => {
            writeln!(out, "{path}: can't be read: {error}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let (blueprint, findings) = match Blueprint::lint(&text) {
        Ok(checked) => (Some(checked.blueprint), checked.warnings),
        Err(findings) => (None, findings),
    };
    if args.json {
        let digest = blueprint.as_ref().map(Blueprint::digest);
        writeln!(out, "{:#}", json!({"file": path.to_string(), "digest": digest, "findings": findings}))?;
    } else {
        for finding in &findings {
            print(&path.to_string(), finding, out)?;
        }
        writeln!(out, "{}", summary(&path.to_string(), blueprint.as_ref(), &findings))?;
    }
    Ok(ExitCode::from(u8::from(blueprint.is_none())))
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
