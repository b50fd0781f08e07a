//! `tenantry history`: prints the history of a tenant.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::Value;

use super::{
    call::{Instance, text},
    output,
};

/// Show what happened to a tenant, oldest first
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    tenant: String,
    /// Show at most this many rows, the newest ones
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let path = format!("/api/tenants/{}?view=history&limit={}", args.tenant, args.limit);
    args.instance.call(Method::GET, &path, None, show).await
}

fn show(answer: &Value) {
    let rows = answer.get("history").and_then(Value::as_array).into_iter().flatten().rev();
    let rows: Vec<Vec<String>> = rows
        .map(|row| {
            let (cause, id) = (text(row, "/cause/message"), text(row, "/cause/resourceId"));
            let cause = if id.is_empty() || cause.contains(&id) { cause } else { format!("{cause} ({id})") };
            vec![text(row, "/at"), text(row, "/what"), text(row, "/step"), text(row, "/state"), cause]
        })
        .collect();
    output::table(&["AT", "WHAT", "STEP", "STATE", "WHY"], &rows).iter().for_each(|line| output::line(line));
}
