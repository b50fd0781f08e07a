//! `tenantry status`: prints one tenant, with its steps.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::Value;

use super::{
    call::{Instance, text},
    output,
};

/// Show one tenant of a running instance, with its steps
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    tenant: String,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let path = format!("/api/tenants/{}", args.tenant);
    args.instance.call(Method::GET, &path, None, show).await
}

fn show(tenant: &Value) {
    output::line(&format!("{}  {}", text(tenant, "/tenantId"), text(tenant, "/status")));
    for (label, pointer) in [
        ("name", "/displayName"),
        ("tier", "/tier"),
        ("signed up", "/channel"),
        ("stamp", "/placement/stamp"),
        ("blueprint", "/blueprint/name"),
        ("version", "/version"),
    ] {
        output::line(&format!("  {label:<10} {}", text(tenant, pointer)));
    }
    condition(tenant);
    for (name, value) in tenant.get("outputs").and_then(Value::as_object).into_iter().flatten() {
        output::line(&format!(
            "  {name}: {}",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        ));
    }
    for (code, met) in tenant.get("unknownCodes").and_then(Value::as_object).into_iter().flatten() {
        let [count, status, step, at] = ["/count", "/status", "/step", "/at"].map(|member| text(met, member));
        output::line(&format!(
            "  unknown code {code} ({status}): {count} times, last at {at} in step {step}"
        ));
    }
    retained(tenant);
    steps(tenant);
    resources(tenant);
    next_actions(tenant);
}

/// Prints isolation, drift and suspension, where there is something to report.
fn condition(tenant: &Value) {
    if let Some(proof) = tenant.get("isolation").filter(|proof| proof.is_object()) {
        let (verdict, at) = (text(proof, "/verdict"), text(proof, "/at"));
        output::line(&format!("  isolation  {verdict} at {at}"));
        let reasons = proof.get("reasons").and_then(Value::as_array).into_iter().flatten();
        let reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
        if verdict != "verified" {
            output::line(&format!("             {}", reasons.join("; ")));
            output::line(&format!("             next: tenantry verify {}", text(tenant, "/tenantId")));
        }
    }
    if let Some(drift) = tenant.get("drift").filter(|drift| drift.is_object()) {
        let steps = drift.get("steps").and_then(Value::as_array).into_iter().flatten();
        let steps: Vec<&str> = steps.filter_map(Value::as_str).collect();
        output::line(&format!("  drift      since {}: {}", text(drift, "/since"), steps.join(", ")));
        output::line(&format!("             next: tenantry drift {}", text(tenant, "/tenantId")));
    }
    if tenant.get("suspended").is_some_and(Value::is_object) {
        let [reason, mode, since] =
            ["reason", "mode", "since"].map(|member| text(tenant, &format!("/suspended/{member}")));
        output::line(&format!("  suspended  for {reason} ({mode}) since {since}"));
    }
}

/// Prints a table of the steps: state, kind, and the cause of a failure.
fn steps(tenant: &Value) {
    let steps = tenant.get("steps").and_then(Value::as_object).into_iter().flatten();
    let rows: Vec<Vec<String>> = steps
        .map(|(name, step)| {
            let cause = text(step, "/cause/message");
            let why =
                if cause.is_empty() { cause } else { format!("{}: {cause}", text(step, "/cause/code")) };
            vec![name.clone(), text(step, "/state"), text(step, "/kind"), why]
        })
        .collect();
    if !rows.is_empty() {
        output::line("");
        output::table(&["STEP", "STATE", "KIND", "WHY"], &rows).iter().for_each(|line| output::line(line));
    }
}

/// Prints what a person may do next, each action once.
fn next_actions(tenant: &Value) {
    let mut next: Vec<String> = tenant
        .get("steps")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(_, step)| text(step, "/nextAction"))
        .filter(|next| !next.is_empty())
        .collect();
    next.sort_unstable();
    next.dedup();
    for next in next {
        output::line(&format!("next: {next}"));
    }
}

/// Prints the deleted objects that Azure retains, each with the date until which it does.
fn retained(tenant: &Value) {
    for kept in tenant.get("retained").and_then(Value::as_array).into_iter().flatten() {
        let (id, until) = (text(kept, "/resourceId"), text(kept, "/until"));
        output::line(&format!("  kept by Azure until {until}: {id}"));
    }
}

/// Prints, for each step whose cause names a resource, the resource's id.
fn resources(tenant: &Value) {
    for (name, step) in tenant.get("steps").and_then(Value::as_object).into_iter().flatten() {
        let id = text(step, "/cause/resourceId");
        if !id.is_empty() {
            output::line(&format!("{name} is about {id}"));
        }
    }
}
