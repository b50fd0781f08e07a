//! `tenantry list`: lists the tenants of a running instance.

use std::{collections::BTreeSet, process::ExitCode};

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::{Map, Value};

use super::{
    call::{Instance, text},
    output,
};

/// List the tenants of a running instance
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Start after the tenant with this id
    #[arg(long)]
    after: Option<String>,
    /// List at most this many tenants
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let after = args.after.as_deref().map(|after| format!("&after={after}")).unwrap_or_default();
    let path = format!("/api/tenants?limit={}{after}", args.limit);
    args.instance.call(Method::GET, &path, None, show).await
}

fn show(answer: &Value) {
    let tenants = answer.get("tenants").and_then(Value::as_array).into_iter().flatten();
    let rows: Vec<Vec<String>> = tenants
        .map(|tenant| {
            let why = text(tenant, "/why");
            let progress = match why.as_str() {
                "" => format!("{}/{}", text(tenant, "/progress/ready"), text(tenant, "/progress/total")),
                _ => String::new(),
            };
            vec![
                text(tenant, "/tenantId"),
                text(tenant, "/status"),
                text(tenant, "/tier"),
                progress,
                text(tenant, "/isolation/verdict"),
                if why.is_empty() { text(tenant, "/outputs/endpointUrl") } else { why },
            ]
        })
        .collect();
    let lines = output::table(&["TENANT", "STATUS", "TIER", "STEPS", "ISOLATION", "ENDPOINT"], &rows);
    lines.iter().for_each(|line| output::line(line));
    let met = answer.get("tenants").and_then(Value::as_array).into_iter().flatten();
    let met = met.filter_map(|tenant| tenant.get("unknownCodes")?.as_object()).flat_map(Map::keys);
    let codes: BTreeSet<&str> = met.map(String::as_str).collect();
    if !codes.is_empty() {
        let codes: Vec<&str> = codes.into_iter().collect();
        output::line(&format!("unknown codes: {} (docs/runbooks.md, unknown)", codes.join(", ")));
    }
    let next = text(answer, "/next");
    if !next.is_empty() {
        output::line(&format!("more: tenantry list --after {next}"));
    }
}
