//! The commands of the local environment, which needs no Azure. The package for Azure is built without this module and
//! has `no_local` instead (docs/decisions/0034-package.md).

mod cloud;
mod play;
mod progress;
mod serve;

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use serde_json::Value;

pub(super) use self::serve::serve;
use crate::config::{AzureConfig, Config};
use azure_sim::{Speed, local_stamp};

/// The commands that need the local environment or the simulated Azure.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Local(play::Args),
    Cloud(cloud::Args),
}

pub(super) async fn run(command: Command, config: Config) -> ExitCode {
    match command {
        Command::Local(args) => play::run(args, config).await,
        Command::Cloud(args) => cloud::run(args, config).await,
    }
}

/// The stamps to use if none are set: the one of the local environment.
pub(super) fn stamps() -> Vec<Value> {
    vec![local_stamp()]
}

/// How long a new object may be missing from reads, if a simulated Azure of known speed replaces Azure; otherwise
/// `None`.
pub(super) fn visibility(azure: &AzureConfig) -> Option<Duration> {
    let speed: Speed = azure.stand_in_speed.as_ref()?.parse().ok()?;
    Some(speed.replication_lag() * 2)
}
