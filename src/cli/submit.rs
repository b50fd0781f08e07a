//! `tenantry submit`: hand requests to a running instance.

use std::{path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;
use reqwest::Method;

use super::{
    call::{Instance, text},
    output,
};

/// Hand requests (sign-up, update, deprovision, retry) to a running instance
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// JSON files, one request each, bare or as a CloudEvent
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    instance: Instance,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let mut worst = ExitCode::SUCCESS;
    for file in &args.files {
        let body = match std::fs::read(file) {
            Ok(body) => body,
            Err(error) => {
                output::problem(&format!("{} can't be read: {error}", file.display()));
                return ExitCode::from(2);
            }
        };
        let code = args
            .instance
            .call(Method::POST, "/api/tenants", Some(body), |answer| {
                let (verdict, tenant) = (text(answer, "/verdict"), text(answer, "/tenantId"));
                output::line(&format!(
                    "{}: {verdict}, tenant {tenant}, operation {}",
                    file.display(),
                    text(answer, "/operationId")
                ));
            })
            .await;
        if code != ExitCode::SUCCESS {
            worst = code;
        }
    }
    worst
}
