//! Table Storage keeps the contract of the state stores, here with Azurite.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_core_legacy::TransportOptions;
use azure_data_tables::clients::TableServiceClientBuilder;
use azure_storage::{CloudLocation, StorageCredentials};
use futures_util::StreamExt as _;
use reqwest::Url;
use serde_json::{Map, Value};
use tenantry::{
    azure::{
        bridge::LegacyTransport,
        client::client,
        tables::{TableState, TablesSettings},
        token::Tokens,
    },
    ports::{Clock, SystemClock},
};

use super::contract::{self, Store};

/// The URL of Azurite, which `cargo xtask test` passes.
#[expect(clippy::disallowed_methods, reason = "it holds the address of Azurite")]
pub(crate) fn azurite() -> Url {
    let Ok(address) = std::env::var("TENANTRY_TEST_AZURITE") else {
        panic!(
            "TENANTRY_TEST_AZURITE is not set: run these tests with `cargo xtask test`, which starts Azurite"
        )
    };
    address.parse().unwrap()
}

/// A prefix for table names that no other test has: `t`, the process id, `x` and a number.
pub(crate) fn fresh_prefix() -> String {
    static PREFIXES: AtomicUsize = AtomicUsize::new(0);
    let number = PREFIXES.fetch_add(1, Ordering::Relaxed);
    format!("t{}x{number}", std::process::id())
}

/// A store whose tables have this prefix.
pub(crate) fn store(endpoint: &Url, prefix: &str, clock: Arc<dyn Clock>) -> Store {
    let settings = TablesSettings { endpoint: endpoint.clone(), prefix: prefix.to_owned() };
    let client = client(Duration::from_secs(30)).unwrap();
    Arc::new(TableState::new(&settings, &client, Arc::new(Tokens::fixed("none")), clock).unwrap())
}

/// All entities of a table, read without the product's adapter.
pub(crate) async fn entities(prefix: &str, table: &str) -> Vec<Map<String, Value>> {
    let azurite = azurite();
    let location = CloudLocation::Emulator {
        address: azurite.host_str().unwrap().to_owned(),
        port: azurite.port().unwrap(),
    };
    let transport =
        LegacyTransport::new(client(Duration::from_secs(30)).unwrap(), Arc::new(SystemClock), 64 << 20);
    let service = TableServiceClientBuilder::with_location(location, StorageCredentials::emulator())
        .transport(TransportOptions::new(Arc::new(transport)))
        .build();
    let mut pages = service.table_client(format!("{prefix}{table}")).query().into_stream();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(page.unwrap().entities);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn table_storage_keeps_the_contract() {
    let azurite = azurite();
    contract::hold(async || store(&azurite, &fresh_prefix(), Arc::new(SystemClock))).await;
}
