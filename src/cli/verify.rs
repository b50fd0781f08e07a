//! `tenantry verify`: checks whether only the tenant reaches its service.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args as ClapArgs;
use serde_json::{Value, json};
use tenantry_core::isolation::{IsolationReport, IsolationVerdict, Probing, page};

use super::{
    call::{Instance, print_unreadable},
    output,
};
use crate::ports::{Clock as _, SystemClock};

/// Prove that only the tenant reaches its service, by reads of Azure and by calls
///
/// Exit code 0 if all tenants are verified, 1 if one is violated, inconclusive or unreadable.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    tenant: Option<String>,
    /// Check every tenant that is not deleted or being deleted
    #[arg(long)]
    all: bool,
    /// Write the reports into this file, as an HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write each tenant's report into this folder, as JSON and as an HTML page
    #[arg(long, value_name = "FOLDER")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let at = SystemClock.now();
    let mut reports = Vec::new();
    let (mut next, mut unreadable) = (None, 0);
    loop {
        let path = match &args.tenant {
            Some(tenant) => format!("/api/tenants/{tenant}?view=isolation"),
            None => {
                let after = next.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
                format!("/api/tenants?view=isolation{after}")
            }
        };
        let mut answer = match args.instance.get(&path).await {
            Ok(answer) => answer,
            Err(code) => return code,
        };
        next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        unreadable += print_unreadable(&answer);
        let found = if args.all { answer["reports"].take() } else { Value::Array(vec![answer]) };
        match serde_json::from_value::<Vec<IsolationReport>>(found) {
            Ok(found) => found.into_iter().for_each(|report| {
                print(&report, args.instance.json);
                reports.push(report);
            }),
            Err(error) => {
                output::problem(&format!("the answer is no report: {error}"));
                return ExitCode::from(2);
            }
        }
        if next.is_none() || args.tenant.is_some() {
            break;
        }
    }
    if let Some(file) = &args.html
        && let Err(error) = std::fs::write(file, page(&reports, &at.to_string()))
    {
        output::problem(&format!("{} can't be written: {error}", file.display()));
        return ExitCode::from(2);
    }
    if let Some(folder) = &args.evidence
        && let Err(error) = keep(&reports, &at.to_string(), folder)
    {
        output::problem(&format!("the evidence can't be written into {}: {error}", folder.display()));
        return ExitCode::from(2);
    }
    let verified = reports.iter().filter(|report| report.verdict == IsolationVerdict::Verified).count();
    if args.all && !args.instance.json {
        output::line(&format!("{verified} of {} tenants verified", reports.len()));
    }
    if verified == reports.len() && unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Writes a JSON and an HTML file per tenant, named after the tenant's id, which has only letters, digits and hyphens.
fn keep(reports: &[IsolationReport], at: &str, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for report in reports {
        let mut whole = json!(report);
        whole["at"] = json!(at);
        let id = &report.tenant_id;
        std::fs::write(folder.join(format!("{id}.json")), format!("{whole:#}\n"))?;
        std::fs::write(folder.join(format!("{id}.html")), page(std::slice::from_ref(report), at))?;
    }
    Ok(())
}

/// Prints the report on one tenant, as a line of JSON or as text.
fn print(report: &IsolationReport, json: bool) {
    if json {
        match serde_json::to_string(report) {
            Ok(line) => output::line(&line),
            Err(error) => output::problem(&error.to_string()),
        }
        return;
    }
    output::line(&format!("{}  {}", report.tenant_id, report.verdict.as_str()));
    for finding in &report.findings {
        output::line(&format!("  {}: {}", finding.code, finding.means));
        output::line(&format!("    observed: {}", plain(&finding.says)));
        output::line(&format!("    next: {}", finding.next));
    }
    for gap in &report.gaps {
        output::line(&format!("  unknown: {}: {}", plain(&gap.about), plain(&gap.why)));
    }
    match report.probing {
        Probing::Made => {
            output::line(&format!("  called from {}", plain(report.location.as_deref().unwrap_or_default())));
        }
        Probing::NotPossible | Probing::NotDeclared => {
            output::line(&format!("  {}", report.probing.sentence()));
        }
    }
    for probe in &report.probes {
        let answer = probe.status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"));
        output::line(&format!("    with {}: {} ({answer})", probe.with(), probe.outcome.as_str()));
    }
    for entry in &report.accepted {
        let can: Vec<String> = entry.can.iter().map(ToString::to_string).collect();
        output::line(&format!(
            "  accepted: {} as {} can {}: {}",
            plain(&entry.principal),
            plain(&entry.role),
            can.join(", "),
            plain(&entry.why)
        ));
    }
}

/// Replaces control characters, which could move a terminal's cursor: the text may come from a service or a user.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
