//! Drift: compares the recorded, the desired and the observed state of a ready tenant. Pure.
//!
//! A [`DriftCheck`] has the request that reads the object of one ready step, and makes [`Item`]s from the answer. Each
//! item has a class by what the change may do. [`class_of`] has the table of classes; what it does not list counts as
//! the most severe class. A [`DriftReport`] covers one tenant. [`take_in`] records a report and decides which events
//! are published and what is repaired. [`newest`] finds in Azure's activity log who made a change.
//!
//! # Guarantees
//! Equal tenants and equal answers give equal reports. A report contains no secret: values are redacted and truncated.

mod class;
mod drift_check;
mod item;
mod outcome;
mod who;

pub use class::{DriftClass, class_of, class_of_absence, class_of_difference};
pub use drift_check::{DriftCheck, DriftObservation, at_rest};
pub use item::{By, DriftReport, Healing, Item, Remedy, Unread};
pub use outcome::{GIVE_UP, WITHIN, take_in};
pub use who::{newest, question};
