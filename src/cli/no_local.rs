//! Replaces `local` in a program that was built for Azure only (docs/decisions/0034-package.md).

use std::{future::Ready, process::ExitCode, time::Duration};

use clap::Subcommand;
use serde_json::Value;

use super::shutdown::{Starter, refused};
use crate::config::{AzureConfig, Config};

/// There are no commands of a local environment.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

#[expect(clippy::needless_pass_by_value, reason = "its signature is that of the local environment's")]
pub(super) fn run(command: Command, _config: Config) -> Ready<ExitCode> {
    match command {}
}

/// Refuses to start: without the settings for Azure there is nothing to serve.
pub(super) async fn serve(_config: &Config, _starter: Starter) -> ExitCode {
    let why = "this program was built for Azure only and has no local environment: set TENANTRY_ENVIRONMENT=azure and the settings \
               for Azure (docs/operating.md), or build one for a laptop with `cargo build --release`";
    refused(&[why.to_owned()]).await
}

/// The default stamps: none.
pub(super) fn stamps() -> Vec<Value> {
    Vec::new()
}

/// Azure is never simulated here.
pub(super) fn visibility(_azure: &AzureConfig) -> Option<Duration> {
    None
}
