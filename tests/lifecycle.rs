//! Tenants' lives in a whole local world: signed up, changed, removed, disturbed. Everything goes through the queue and
//! HTTP, as signup apps and people do it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

#[path = "lifecycle/disturbed.rs"]
mod disturbed;
#[path = "lifecycle/forbidden.rs"]
mod forbidden;
#[path = "lifecycle/forms.rs"]
mod forms;
#[path = "lifecycle/pinned.rs"]
mod pinned;
#[path = "lifecycle/reconcile.rs"]
mod reconcile;
#[path = "lifecycle/removal.rs"]
mod removal;
#[path = "lifecycle/repeated.rs"]
mod repeated;
#[path = "lifecycle/restored.rs"]
mod restored;
#[path = "lifecycle/signup.rs"]
mod signup;
#[path = "lifecycle/spoilt.rs"]
mod spoilt;
#[path = "lifecycle/suspended.rs"]
mod suspended;
#[path = "lifecycle/unharmed.rs"]
mod unharmed;
#[path = "lifecycle/unreadable.rs"]
mod unreadable;
#[path = "lifecycle/update.rs"]
mod update;
