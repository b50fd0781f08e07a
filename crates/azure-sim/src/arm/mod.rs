//! Resource Manager (ARM): dispatches requests by their paths, and does what is the same for all resource types.

mod busy;
mod checks;
mod delete;
mod deleted;
mod draft;
mod missing;
mod providers;
mod put;
mod read;
mod requests;
mod target;

pub(crate) use self::requests::{change, read};
