//! One contract for all state stores: the model in memory, the file of the local environment, and Table Storage.
//!
//! The model shows that the contract can be kept, so a store that fails has an error of its own. Table Storage is
//! tested with Azurite, through the same adapter as in Azure. Those tests are ignored by default, because they need
//! Azurite: `cargo xtask test` starts it and runs them.

mod azurite;
mod blueprints;
mod contract;
mod documents;
mod due;
mod faults;
mod proxy;
mod race;
mod records;
mod refused;

use std::sync::Arc;

use azure_sim::db::Db;
use tenantry::local::state::LocalState;

use crate::testkit;
use crate::testkit::memory::Memory;
use contract::Store;

#[tokio::test(flavor = "multi_thread")]
async fn the_model_keeps_the_contract() {
    contract::hold(async || Arc::new(Memory::default()) as Store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_file_keeps_the_contract() {
    let folder = testkit::folder();
    let count = std::sync::atomic::AtomicUsize::new(0);
    contract::hold(async || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let db = Db::open(&folder.path().join(format!("{number}.redb"))).unwrap();
        Arc::new(LocalState::open(db).await.unwrap()) as Store
    })
    .await;
}
