//! `tenantry drift`: compares tenants with their desired state.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::Value;
use tenantry_core::drift::{DriftReport, Item};

use super::{
    call::{Instance, print_unreadable},
    output,
};

/// Compare tenants with their desired state
///
/// Exit code 0 if all tenants were read and match, 1 if not.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    tenant: Option<String>,
    /// Compare every tenant that is active and not being worked on
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let (mut observed, mut clean, mut unreadable) = (0_usize, 0_usize, 0_usize);
    let mut next: Option<String> = None;
    loop {
        let path = match &args.tenant {
            Some(tenant) => format!("/api/tenants/{tenant}?view=drift"),
            None => {
                let after = next.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
                format!("/api/tenants?view=drift{after}")
            }
        };
        let mut answer = match args.instance.get(&path).await {
            Ok(answer) => answer,
            Err(code) => return code,
        };
        next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        unreadable += print_unreadable(&answer);
        let found = if args.all { answer["reports"].take() } else { Value::Array(vec![answer]) };
        match serde_json::from_value::<Vec<DriftReport>>(found) {
            Ok(reports) => {
                for report in &reports {
                    print(report, args.instance.json);
                }
                observed += reports.len();
                clean += reports.iter().filter(|report| report.is_clean()).count();
            }
            Err(error) => {
                output::problem(&format!("the answer is no report: {error}"));
                return ExitCode::from(2);
            }
        }
        if next.is_none() || args.tenant.is_some() {
            break;
        }
    }
    if args.all && !args.instance.json {
        output::line(&format!("{clean} of {observed} tenants match their desired state"));
    }
    if clean == observed && unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Prints the report on one tenant, as a line of JSON or as text.
fn print(report: &DriftReport, json: bool) {
    if json {
        match serde_json::to_string(report) {
            Ok(line) => output::line(&line),
            Err(error) => output::problem(&error.to_string()),
        }
        return;
    }
    let summary = match (report.items.len(), report.unread.len()) {
        (0, 0) => "matches its desired state".to_owned(),
        (0, _) => "unknown".to_owned(),
        (items, _) => format!("{items} drifted"),
    };
    output::line(&format!("{}  {summary}", report.tenant_id));
    for item in &report.items {
        print_item(item);
    }
    if let Some(next) = &report.next {
        output::line(&format!("  next: {next}"));
    }
    for unread in &report.unread {
        output::line(&format!("  unknown: {}: {}", unread.step, plain(&unread.why)));
    }
}

fn print_item(item: &Item) {
    output::line(&format!("  {}: {} {}", item.severity.as_str(), item.step, plain(&item.path)));
    let (desired, observed) = (item.desired.to_string(), item.observed.to_string());
    output::line(&format!("    desired: {}  observed: {}", plain(&desired), plain(&observed)));
    match (&item.by, &item.by_unknown) {
        (Some(by), _) => {
            output::line(&format!(
                "    by {} at {}: {}",
                plain(&by.caller),
                plain(&by.at),
                plain(&by.operation)
            ));
        }
        (None, Some(why)) => output::line(&format!("    by whom is unknown: {}", plain(why))),
        (None, None) => {}
    }
}

/// Replaces control characters, which could move a terminal's cursor: the text may come from a service or a user.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
