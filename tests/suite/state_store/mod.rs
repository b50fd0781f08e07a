//! One contract that every state store keeps: the reference model in memory, the local world's file, Table Storage.
//!
//! The model shows that the contract can be kept, so what the others fail at is theirs. Table Storage is Azurite here,
//! behind the same adapter as in Azure; those tests are ignored unless asked for, because they need it running:
//! `cargo xtask test` brings it, and asks for them.

mod azurite;
mod blueprints;
mod cable;
mod contract;
mod documents;
mod due;
mod race;
mod records;
mod refused;
mod trouble;

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
