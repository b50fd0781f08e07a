//! Whether a tenant is still as it was left: what is recorded, what is wanted and what Azure shows, compared. Pure.
//!
//! A [`Glance`] at one ready step says what to ask and makes [`Item`]s of the answer; each has a class by what the change
//! may do ([`class_of`]: one table, and what it does not know counts as the worst). A [`DriftReport`] is all of one tenant;
//! [`take_in`] makes of it what subscribers are told and what is put right, and [`newest`] reads from Azure's activity
//! log who it was.
//!
//! # Guarantees
//! Equal tenants and equal answers give equal reports. A report holds no secret: values are redacted and cut.

mod class;
mod glance;
mod item;
mod outcome;
mod who;

pub use class::{DriftClass, class_of, class_of_absence, class_of_difference};
pub use glance::{Glance, Sighting, at_rest};
pub use item::{By, DriftReport, Healing, Item, Remedy, Unread};
pub use outcome::{GIVE_UP, WITHIN, take_in};
pub use who::{newest, question};
