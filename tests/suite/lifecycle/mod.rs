//! The lifecycle of tenants in a complete local environment: sign-up, changes, removal, faults. Requests are sent
//! through the queue or over HTTP, as signup apps and operators send them.

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
