//! Who may do what: role assignments with conditions for Resource Manager, application roles for Graph.
//!
//! It reads roles in the form in which Azure takes them, and works out by itself which actions a request takes, so that
//! whatever grants too little or too much shows here. Sources: Microsoft, "Understand Azure role definitions", "Azure
//! role assignment condition format and syntax", "Troubleshoot Azure RBAC" (the words of a refusal).
//!
//! Whoever sends no token is somebody with every right, such as a person at the portal.

mod check;
mod condition;
mod directory;
mod needs;
mod permissions;
mod rights;
mod used;

pub use self::rights::{Access, HOST, Holder, PROVISIONER, REMOVER};
pub(crate) use self::{
    check::check,
    directory::check as check_directory,
    permissions::{list, listed},
    rights::roles,
    used::Used,
};
