//! The scenarios that every state store has to pass, and how they are run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tenantry::ports::StateStore;
use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::{blueprints, documents, due, race, records};

/// A store that only one scenario uses.
pub(crate) type Store = Arc<dyn StateStore>;

type Scenario = (&'static str, fn(Store) -> BoxFuture<'static, ()>);

const SCENARIOS: &[Scenario] = &[
    ("a document is inserted once", |store| Box::pin(documents::inserted_once(store))),
    ("only the version that was read is replaced", |store| Box::pin(documents::only_what_was_read(store))),
    ("what is not there can't be replaced", |store| Box::pin(documents::nothing_to_replace(store))),
    ("a document has a largest size", |store| Box::pin(documents::largest(store))),
    ("a document grows and shrinks", |store| Box::pin(documents::grows_and_shrinks(store))),
    ("any text comes back", |store| Box::pin(documents::any_text(store))),
    ("keys at the edges of their grammar", |store| Box::pin(documents::keys(store))),
    ("a thousand tenants, page by page", |store| Box::pin(documents::pages(store))),
    ("a document that can't be read hides no other", |store| Box::pin(documents::unreadable(store))),
    ("what is due, the longest overdue first", |store| Box::pin(due::in_order(store))),
    ("an instant is due to the millisecond", |store| Box::pin(due::to_the_millisecond(store))),
    ("what is due moves", |store| Box::pin(due::moves(store))),
    ("a lease that is extended again and again", |store| Box::pin(due::extended(store))),
    ("a save that was overtaken leaves nothing due", |store| Box::pin(due::overtaken(store))),
    ("a request record", |store| Box::pin(records::requests(store))),
    ("a request record with outbox entries is due", |store| Box::pin(records::to_be_published(store))),
    ("history is appended once", |store| Box::pin(records::appended_once(store))),
    ("history, the newest first", |store| Box::pin(records::newest_first(store))),
    ("a blueprint's text is kept once", |store| Box::pin(blueprints::kept_once(store))),
    ("of two hundred savers one wins", |store| Box::pin(race::one_winner(store))),
];

/// Runs every scenario with a new store each, and panics with the names of all that fail.
pub(crate) async fn hold(fresh: impl AsyncFn() -> Store) {
    let mut running = Vec::new();
    for (name, scenario) in SCENARIOS {
        running.push((name, tokio::spawn(scenario(fresh().await))));
    }
    let mut failed = Vec::new();
    for (name, scenario) in running {
        if let Err(error) = scenario.await {
            failed.push(format!("{name}: {}", why(error)));
        }
    }
    assert!(failed.is_empty(), "scenarios failed:\n{}", failed.join("\n"));
}

/// The message with which a scenario panicked.
fn why(error: tokio::task::JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "it was cancelled".to_owned() };
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A tenant that is not due, with a document of some kilobytes.
pub(crate) fn tenant(id: &str) -> Tenant {
    let mut tenant = Tenant::from_json(include_bytes!("../../fixtures/tenant-v1.json")).unwrap();
    tenant.id = self::id(id);
    tenant.due_at = None;
    tenant
}

pub(crate) fn id(text: &str) -> TenantId {
    text.parse().unwrap()
}
