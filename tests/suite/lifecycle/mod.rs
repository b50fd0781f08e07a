//! Tenants' lifecycles in a whole local environment: sign-up, changes, removal, faults. All requests go through the
//! queue and HTTP, as those of signup apps and people do.

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
