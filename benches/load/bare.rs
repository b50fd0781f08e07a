//! The bare loop, which measures the machine: the requests of the load and one fsynced append per level of the graph,
//! without the program.

use std::{
    fs::File,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt as _, future, stream};
use reqwest::Client;
use serde_json::json;

use crate::{
    Outcome, line, measure,
    synthetic::{IN_FLIGHT, LEVELS, TENANTS},
};

/// How many bytes the append of each level writes.
const RECORD_BYTES: usize = 1024;

pub(crate) fn run(url: &str) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let file = Arc::new(Mutex::new(File::create(folder.path().join("log"))?));
        let client = tenantry::azure::client::builder().no_proxy().build()?;
        let begun = measure::now();
        let mut tenants = stream::iter(0..TENANTS)
            .map(|number| {
                let (client, file) = (client.clone(), Arc::clone(&file));
                let url = format!("{url}/tenants/{number}/things");
                tokio::spawn(async move { tenant(&client, &url, &file).await })
            })
            .buffer_unordered(IN_FLIGHT);
        while let Some(done) = tenants.next().await {
            done??;
        }
        line(json!({
            "perSecond": TENANTS as f64 / begun.elapsed().as_secs_f64(),
            "cpuSeconds": measure::cpu_seconds("self"),
            "peakMiB": measure::memory_mib("self", "VmHWM"),
        }));
        Ok(())
    })
}

/// Runs one tenant, level by level: appends a durable record, then reads and writes all objects of the level
/// concurrently.
async fn tenant(client: &Client, url: &str, file: &Arc<Mutex<File>>) -> Outcome<()> {
    let mut first = 0;
    for width in LEVELS {
        let file = Arc::clone(file);
        tokio::task::spawn_blocking(move || append(&file)).await??;
        future::try_join_all((first..first + width).map(|step| thing(client, format!("{url}/{step}"))))
            .await?;
        first += width;
    }
    Ok(())
}

async fn thing(client: &Client, url: String) -> reqwest::Result<()> {
    client.get(&url).send().await?.bytes().await?;
    let body = json!({"location": "westeurope", "tags": {"purpose": "measuring"}});
    client.put(&url).json(&body).send().await?.bytes().await?;
    Ok(())
}

fn append(file: &Mutex<File>) -> std::io::Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.write_all(&[b'x'; RECORD_BYTES])?;
    file.sync_data()
}
