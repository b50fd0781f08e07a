//! Commands on the local environment, which needs no Azure. A package for Azure is built without it
//! (docs/decisions/0034-package.md) and has `no_local` instead.

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

/// The commands that need it.
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

/// The stamps that tenants are placed on by default.
pub(super) fn stamps() -> Vec<Value> {
    vec![local_stamp()]
}

/// The visibility lag of new objects, where a simulated Azure of known speed replaces the real one.
pub(super) fn visibility(azure: &AzureConfig) -> Option<Duration> {
    let speed: Speed = azure.stand_in_speed.as_ref()?.parse().ok()?;
    Some(speed.replication_lag() * 2)
}
