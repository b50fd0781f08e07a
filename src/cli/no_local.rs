//! In the place of `local` in a program that was built for Azure alone (docs/decisions/0034-package.md).

use std::{future::Ready, process::ExitCode, time::Duration};

use clap::Subcommand;
use serde_json::Value;

use super::farewell::{Starter, refused};
use crate::config::{AzureConfig, Config};

/// There are no commands of a local world.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

#[expect(clippy::needless_pass_by_value, reason = "it is called like that of the world which is not there")]
pub(super) fn run(command: Command, _config: Config) -> Ready<ExitCode> {
    match command {}
}

/// There is nothing to serve without Azure.
pub(super) async fn serve(_config: &Config, _starter: Starter) -> ExitCode {
    let why = "this program was built for Azure alone and has no local world: set TENANTRY_WORLD=azure and the settings \
               of the Azure world (docs/operating.md), or build one for a laptop with `cargo build --release`";
    refused(&[why.to_owned()]).await
}

/// Nobody knows where tenants go but who says it.
pub(super) fn stamps() -> Vec<Value> {
    Vec::new()
}

/// Azure is taken for Azure.
pub(super) fn visibility(_azure: &AzureConfig) -> Option<Duration> {
    None
}
