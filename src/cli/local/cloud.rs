//! `tenantry cloud`: runs the simulated Azure alone, for a `tenantry serve` with the settings for Azure.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use azure_sim::{
    Cloud, CloudError, CloudSettings, PROBE_CLIENT_ID, Speed, TOPIC,
    db::Db,
    local_stamp,
    queue::{BrokerSettings, Queue},
};
use clap::Args as ClapArgs;
use serde_json::json;

use super::{
    super::{blueprints, output, serve::stop_signal},
    serve::end,
};
use crate::{
    config::Config,
    host::{SHUTDOWN_GRACE, bind},
    local::{access, folder::Folder},
    ports::{Clock as _, SystemClock},
};

/// Run the simulated Azure alone, on loopback
///
/// Prints the settings with which `tenantry serve` uses the simulated Azure. The simulated Azure accepts only the
/// tokens of its own identity endpoint, and allows only the actions in the roles that are derived from the blueprints.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Args {
    /// The port to listen on
    #[arg(long, default_value_t = 7073)]
    port: u16,
    /// The folder of the simulated Azure's state [default: .tenantry]
    #[arg(long)]
    data: Option<PathBuf>,
    /// The simulated Azure's speed: `max`, or how many times faster than Azure [default: 200]
    #[arg(long)]
    speed: Option<String>,
}

pub(super) async fn run(args: Args, config: Config) -> ExitCode {
    let served: Result<(), CloudError> = async {
        let speed: Speed = args.speed.as_deref().unwrap_or(&config.speed).parse()?;
        let data = args.data.unwrap_or_else(|| config.data.clone());
        let _folder = Folder::hold(&data).map_err(|error| CloudError::Serve(error.to_string()))?;
        let queue = Queue::open(Db::open(&data.join("queue.redb"))?, BrokerSettings::default())?;
        let mut settings = CloudSettings::new(data.join("azure.redb"), Arc::new(|| SystemClock.now()));
        let unguarded = |why: &str| output::line(&format!("# it allows everything: {why}"));
        match blueprints::known(&config).map(|known| access::least(&known, &[local_stamp()], None)) {
            Ok(Ok(access)) => settings = settings.access(access),
            Ok(Err(why)) => unguarded(&why),
            Err(problems) => unguarded(&problems.join("; ")),
        }
        let cloud = Cloud::open(settings.speed(speed).strict(true).queue(queue)).await?;
        let unserved = |error: std::io::Error| CloudError::Serve(error.to_string());
        let listener = bind(args.port).await.map_err(unserved)?;
        let address = listener.local_addr().map_err(unserved)?;
        let stamps = write_stamps(&data)?;
        output::line(&format!("# the simulated Azure listens on http://{address} (journal: /_sim/journal)"));
        output::line(&format!("TENANTRY_DEPLOYMENT={}", config.deployment));
        for (name, value) in settings_of_serve(address, cloud.identity_header(), &stamps) {
            output::line(&format!("{name}={value}"));
        }
        tokio::select! {
            served = cloud.serve(listener) => served,
            () = stop_signal() => {
                end(SHUTDOWN_GRACE, cloud.flush()).await;
                Ok(())
            }
        }
    }
    .await;
    ended(served)
}

/// Writes the file of stamps that tenants can be placed on. Returns its absolute path, because `tenantry serve` may
/// start in another folder.
fn write_stamps(data: &Path) -> Result<PathBuf, CloudError> {
    let file = data.join("stamps.json");
    let write = || {
        // The file is renamed once it is complete, so that no reader sees a part of it.
        let unfinished = data.join("stamps.json.new");
        std::fs::write(&unfinished, format!("{:#}\n", json!([local_stamp()])))?;
        std::fs::rename(&unfinished, &file)?;
        std::path::absolute(&file)
    };
    write().map_err(|error| CloudError::Serve(format!("{} can't be written: {error}", file.display())))
}

/// The settings with which `tenantry serve` uses this simulated Azure, and an Azurite on its usual port for the state.
fn settings_of_serve(address: SocketAddr, secret: &str, stamps: &Path) -> [(&'static str, String); 16] {
    let url = format!("http://{address}");
    [
        ("TENANTRY_ENVIRONMENT", "azure".to_owned()),
        ("TENANTRY_ARM", url.clone()),
        ("TENANTRY_GRAPH", url.clone()),
        ("TENANTRY_EVENT_GRID", url.clone()),
        ("TENANTRY_SERVICE_BUS", url.clone()),
        ("TENANTRY_EVENTS_TOPIC", TOPIC.to_owned()),
        ("TENANTRY_TABLES", "http://127.0.0.1:10002/devstoreaccount1".to_owned()),
        ("TENANTRY_IDENTITY", "managed".to_owned()),
        ("IDENTITY_ENDPOINT", format!("{url}{}", Cloud::IDENTITY_PATH)),
        ("IDENTITY_HEADER", secret.to_owned()),
        ("TENANTRY_PROBE_CLIENT_ID", PROBE_CLIENT_ID.to_owned()),
        ("TENANTRY_PROBE_LOCATION", "this machine".to_owned()),
        ("TENANTRY_LOGIN", url.clone()),
        ("TENANTRY_INFERENCE", url),
        ("TENANTRY_STAMPS", stamps.display().to_string()),
        // No host receives from the simulated queues, so wake-ups would only accumulate there.
        ("TENANTRY_WAKEUPS", "sweep".to_owned()),
    ]
}

/// The exit code of a command that either succeeds or can't be carried out.
fn ended(result: Result<(), impl std::error::Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::problem(&output::chain(&error));
            ExitCode::from(2)
        }
    }
}
