//! Replaces the module `local` in a program that is built for Azure only, without the feature `local`
//! (docs/decisions/0034-package.md).

use std::{future::Ready, process::ExitCode, time::Duration};

use clap::Subcommand;
use serde_json::Value;

use super::shutdown::{Starter, refused};
use crate::config::{AzureConfig, Config};

/// The commands of the local environment: none, because this program is built without that environment.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

#[expect(clippy::needless_pass_by_value, reason = "its signature is that of the local environment's")]
pub(super) fn run(command: Command, _config: Config) -> Ready<ExitCode> {
    match command {}
}

/// Prints that the settings for Azure are missing, and returns exit code 2: there is no local environment to serve.
pub(super) async fn serve(_config: &Config, _starter: Starter) -> ExitCode {
    let why = "this program was built for Azure only and has no local environment: set TENANTRY_ENVIRONMENT=azure and the settings \
               for Azure (docs/operating.md), or build one for a laptop with `cargo build --release`";
    refused(&[why.to_owned()]).await
}

/// Returns no default stamps: only the local environment has one.
pub(super) fn stamps() -> Vec<Value> {
    Vec::new()
}

/// Returns `None`: only a program with the feature `local` knows the visibility lag of a simulated Azure.
pub(super) fn visibility(_azure: &AzureConfig) -> Option<Duration> {
    None
}
