//! Tells the world: CloudEvents 1.0 for subscribers, history rows for people. Pure; sending is the announcer's work.

mod cloud_event;
mod history;

pub use cloud_event::{CloudEvent, Teller, event_of};
pub use history::{HistoryRow, row_of};
