//! `tenantry submit`: sends requests to a running instance, or to its queue.
//!
//! The exit code is 1 as well when a request repeats an earlier one whose result no longer holds.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::Value;

use super::{
    call::{Instance, text},
    output, repeat,
};
use crate::{
    azure::ports as azure,
    config::Config,
    intake,
    ports::{Clock, SystemClock},
};

/// Send requests (sign-up, update, deprovision, retry) to a running instance, or to its queue
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// JSON files, one request each, bare or as a CloudEvent
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Send to the Service Bus queue, as a signup app does; needs the settings for Azure
    #[arg(long, conflicts_with_all = ["url", "json"])]
    queue: bool,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args, config: Config) -> ExitCode {
    let mut requests = Vec::new();
    for file in &args.files {
        let read = std::fs::read(file).map_err(|error| error.to_string());
        // Some editors write a byte order mark, possibly of UTF-16; the request is sent as UTF-8.
        let read = read.and_then(|body| match intake::text(&body) {
            Ok(text) => Ok(text.into_owned().into_bytes()),
            Err(fault) => Err(fault.message),
        });
        match read {
            Ok(body) => requests.push((file.display().to_string(), body)),
            Err(why) => {
                output::problem(&format!("{} can't be read: {why}", file.display()));
                return ExitCode::from(2);
            }
        }
    }
    if args.queue { to_queue(&requests, &config).await } else { to_instance(requests, &args.instance).await }
}

async fn to_instance(requests: Vec<(String, Vec<u8>)>, instance: &Instance) -> ExitCode {
    let mut worst = ExitCode::SUCCESS;
    for (name, body) in requests {
        let action = intake::read(&body, "").ok().map(|request| request.command.action());
        let (answer, code) = instance
            .hand_in(Method::POST, "/api/tenants", Some(body), |answer| {
                if let Some((repeated, _)) = repeat::described(answer, action) {
                    return output::line(&format!("{name}: {repeated}"));
                }
                let (decision, tenant) = (text(answer, "/decision"), text(answer, "/tenantId"));
                let operation = text(answer, "/operationId");
                output::line(&format!("{name}: {decision}, tenant {tenant}, operation {operation}"));
                replacements(answer);
            })
            .await;
        let holds = repeat::described(&answer, action).is_none_or(|(_, holds)| holds);
        if code != ExitCode::SUCCESS {
            worst = code;
        } else if !holds && worst == ExitCode::SUCCESS {
            worst = ExitCode::from(1);
        }
    }
    worst
}

/// Prints the objects that are deleted and recreated because the request allows that.
pub(super) fn replacements(answer: &Value) {
    for replaced in answer.get("replaces").and_then(Value::as_array).into_iter().flatten() {
        let (step, id) = (text(replaced, "/step"), text(replaced, "/resourceId"));
        output::line(&format!("  deletes and recreates: {step} {id}"));
    }
}

/// Checks each request as intake does, and sends the valid ones to the Service Bus queue.
async fn to_queue(requests: &[(String, Vec<u8>)], config: &Config) -> ExitCode {
    let Some(azure) = &config.azure else {
        output::problem(
            "--queue needs the settings for Azure; set TENANTRY_ENVIRONMENT=azure (docs/operating.md)",
        );
        return ExitCode::from(2);
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let bus = match azure::sender(azure, &clock, azure.request_timeout) {
        Ok(bus) => bus,
        Err(error) => {
            output::problem(&output::chain(&error));
            return ExitCode::from(2);
        }
    };
    let mut worst = ExitCode::SUCCESS;
    for (name, body) in requests {
        let request = match intake::read(body, &config.deployment) {
            Ok(request) => request,
            Err(faults) => {
                for fault in faults {
                    output::problem(&format!("{name}: {} {}: {}", fault.pointer, fault.code, fault.message));
                }
                worst = ExitCode::from(1);
                continue;
            }
        };
        // Never lossy: `run` has converted the body to UTF-8.
        let body = String::from_utf8_lossy(body);
        match bus.submit(request.tenant_id.as_str(), &request.request_id, &body).await {
            Ok(()) => output::line(&format!("{name}: sent, tenant {}", request.tenant_id)),
            Err(failure) => {
                output::problem(&format!("{name} was not accepted by the queue: {failure}"));
                worst = ExitCode::from(1);
            }
        }
    }
    worst
}
