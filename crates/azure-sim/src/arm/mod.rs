//! Resource Manager: the targets of paths, and what all resource types have in common.

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
