//! Tenants' lives in a whole local world: signed up, changed, removed, disturbed. Everything goes through the queue and
//! HTTP, as signup apps and people do it.

mod disturbed;
mod forbidden;
mod forms;
mod pinned;
mod quarantined;
mod reconcile;
mod removal;
mod repeated;
mod restored;
mod signup;
mod spoilt;
mod suspended;
mod unharmed;
mod unreadable;
mod update;
