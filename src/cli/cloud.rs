//! `tenantry cloud`: the simulated Azure alone.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args as ClapArgs;

use super::{output, serve::stop_signal};
use crate::{
    config::Config,
    host::bind,
    local::cloud::{Cloud, CloudError, CloudSettings, Speed},
    ports::{Clock as _, SystemClock},
};

/// Run the simulated Azure alone, on loopback
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The port
    #[arg(long, default_value_t = 7073)]
    port: u16,
    /// The folder of its state [default: .tenantry]
    #[arg(long)]
    data: Option<PathBuf>,
    /// `max`, or how many times faster than Azure
    #[arg(long)]
    speed: Option<String>,
}

pub(super) async fn run(args: Args, config: Config) -> ExitCode {
    let served: Result<(), CloudError> = async {
        let speed: Speed = args.speed.as_deref().unwrap_or(&config.speed).parse()?;
        let data = args.data.unwrap_or(config.data).join("azure.redb");
        let cloud =
            Cloud::open(CloudSettings::new(data, Arc::new(|| SystemClock.now())).speed(speed)).await?;
        let listener = bind(args.port).await.map_err(|error| CloudError::Serve(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| CloudError::Serve(error.to_string()))?;
        output::line(&format!("the simulated Azure listens on http://{address} (journal: /_sim/journal)"));
        tokio::select! {
            served = cloud.serve(listener) => served,
            () = stop_signal() => Ok(()),
        }
    }
    .await;
    output::ended(served)
}
