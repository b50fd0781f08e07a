//! `tenantry retry`: requests a retry of a tenant's blocked steps.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::json;
use tenantry_core::tenant::Action;

use super::{
    call::{Instance, text},
    output, repeat,
};

/// Retry the blocked steps of a tenant
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    tenant: String,
    /// The request's id; calls with the same id are one retry
    #[arg(long)]
    request_id: Option<String>,
    /// Allow blocked objects that were in use to be deleted and recreated, with everything that depends on them
    #[arg(long)]
    allow_replace: bool,
    /// Only print what would be deleted and recreated
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let mut body = json!({});
    if let Some(id) = &args.request_id {
        body["requestId"] = json!(id);
    }
    if args.allow_replace {
        body["allowReplace"] = json!(true);
    }
    if args.dry_run {
        body["dryRun"] = json!(true);
    }
    let path = format!("/api/tenants/{}/retry", args.tenant);
    let show = |answer: &serde_json::Value| {
        if let Some((repeated, _)) = repeat::described(answer, Some(Action::Retry)) {
            return output::line(&repeated);
        }
        output::line(&format!("{}: {}", text(answer, "/tenantId"), text(answer, "/decision")));
        super::submit::replacements(answer);
    };
    let (answer, code) =
        args.instance.hand_in(Method::POST, &path, Some(body.to_string().into_bytes()), show).await;
    match repeat::described(&answer, Some(Action::Retry)) {
        Some((_, false)) => ExitCode::from(1),
        Some((_, true)) | None => code,
    }
}
