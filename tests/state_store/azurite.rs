//! Table Storage, played by Azurite.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tenantry::{
    azure::{
        client::client,
        tables::{TableState, TablesSettings},
        token::Tokens,
    },
    ports::SystemClock,
};

use crate::contract;

/// Where Azurite is, as `cargo xtask test` says it.
#[expect(clippy::disallowed_methods, reason = "the tests are told by it where Azurite is")]
fn azurite() -> reqwest::Url {
    let Ok(address) = std::env::var("TENANTRY_TEST_AZURITE") else {
        panic!("TENANTRY_TEST_AZURITE is not set: `cargo xtask test` starts Azurite and says where it is")
    };
    address.parse().unwrap()
}

/// A store in tables of its own.
fn fresh(endpoint: &reqwest::Url) -> Arc<TableState> {
    static STORES: AtomicUsize = AtomicUsize::new(0);
    let number = STORES.fetch_add(1, Ordering::Relaxed);
    let settings =
        TablesSettings { endpoint: endpoint.clone(), prefix: format!("t{}x{number}", std::process::id()) };
    let client = client(Duration::from_secs(30)).unwrap();
    let tokens = Arc::new(Tokens::fixed("none"));
    Arc::new(TableState::new(&settings, &client, tokens, Arc::new(SystemClock)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn table_storage_keeps_the_contract() {
    let azurite = azurite();
    contract::hold(async || fresh(&azurite)).await;
}
