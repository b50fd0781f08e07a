//! `tenantry reconcile`: requests that every step of a tenant is read and differences are corrected, and waits for the
//! result.

use std::{process::ExitCode, time::Duration};

use clap::Args as ClapArgs;
use serde_json::{Value, json};
use tenantry_core::time::saturating_add;

use super::{
    call::{Instance, text},
    output,
};
use crate::ports::{Clock as _, SystemClock};

/// Read every step of a tenant now, correct what differs, and print what was changed
///
/// Objects in use are changed in place and never replaced. Waits until the operation ends. Exit code 0 if everything
/// matches the tenant's plan, 1 if not.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The tenant's id
    tenant: String,
    /// The request's id; calls with the same id are one request
    #[arg(long)]
    request_id: Option<String>,
    /// Wait at most this many seconds for the operation to end; 0 does not wait
    #[arg(long, default_value_t = 900)]
    wait: u32,
    #[command(flatten)]
    instance: Instance,
}

/// The interval at which the tenant's status is read.
const ASK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(args: Args) -> ExitCode {
    let tenant = args.tenant.as_str();
    let body = args.request_id.as_ref().map_or_else(|| json!({}), |id| json!({"requestId": id}));
    let path = format!("/api/tenants/{tenant}/reconcile");
    let answer = match args.instance.post(&path, &body).await {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    let operation = text(&answer, "/operationId");
    let is_json = args.instance.json;
    if !is_json {
        output::line(&format!("{tenant}: {}, operation {operation}", text(&answer, "/decision")));
    }
    if args.wait == 0 {
        match is_json {
            true => output::line(&format!("{answer:#}")),
            false => output::line(&format!("see its progress with: tenantry status {tenant}")),
        }
        return ExitCode::SUCCESS;
    }
    let end = saturating_add(SystemClock.now(), Duration::from_secs(u64::from(args.wait)));
    loop {
        let view = match args.instance.get(&format!("/api/tenants/{tenant}")).await {
            Ok(view) => view,
            Err(code) => return code,
        };
        if let Some(ended) = Ended::of(&view, &operation) {
            if is_json {
                output::line(&format!("{view:#}"));
            } else {
                ended.print(tenant, &view);
            }
            return if ended == Ended::Well { ExitCode::SUCCESS } else { ExitCode::from(1) };
        }
        if SystemClock.now() >= end {
            output::problem(&format!("it is still running; see its progress with: tenantry status {tenant}"));
            return ExitCode::from(1);
        }
        SystemClock.sleep_until(saturating_add(SystemClock.now(), ASK_EVERY)).await;
    }
}

/// How an operation of the tenant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    /// The operation is blocked, or has failed.
    Stopped,
}

impl Ended {
    /// Reads from the tenant's view how an operation ended; `None` while it is running.
    fn of(view: &Value, operation: &str) -> Option<Self> {
        let is_open = |open: &Value| text(open, "/operationId") == operation;
        let open =
            view.get("operations").and_then(Value::as_array).is_some_and(|open| open.iter().any(is_open));
        let status = text(view, "/status");
        match (status.as_str(), open) {
            ("waiting" | "failed", _) => Some(Self::Stopped),
            (_, true) => None,
            ("active" | "suspended" | "deleted", false) => Some(Self::Well),
            (_, false) => None,
        }
    }

    fn print(self, tenant: &str, view: &Value) {
        let changed = view.pointer("/concluded/changed").and_then(Value::as_array).map(Vec::as_slice);
        for step in changed.unwrap_or_default() {
            let what = step.get("what").and_then(Value::as_array).into_iter().flatten();
            let what: Vec<&str> = what.filter_map(Value::as_str).collect();
            output::line(&format!("  corrected: {} {}", text(step, "/step"), what.join(", ")));
        }
        let status = text(view, "/status");
        match self {
            Self::Well if changed.is_none_or(<[Value]>::is_empty) => {
                output::line(&format!("{tenant} is {status}; nothing differed"));
            }
            Self::Well => output::line(&format!("{tenant} is {status}")),
            Self::Stopped => {
                output::problem(&format!("{tenant} is {status}"));
                for (name, step) in view.get("steps").and_then(Value::as_object).into_iter().flatten() {
                    let next = text(step, "/nextAction");
                    if !next.is_empty() {
                        let (code, why) = (text(step, "/cause/code"), text(step, "/cause/message"));
                        output::problem(&format!("  {name}: {code}: {why}"));
                        output::problem(&format!("    next: {next}"));
                    }
                }
            }
        }
    }
}
