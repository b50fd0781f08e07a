//! Who may do what: role assignments with conditions for Resource Manager, application roles for Graph.
//!
//! It reads roles in the form that Azure accepts, and derives on its own which actions a request needs. So a role that
//! grants too little or too much shows here. Sources: Microsoft, "Understand Azure role definitions", "Azure role
//! assignment condition format and syntax", "Troubleshoot Azure RBAC" (messages of refusals).
//!
//! A caller without a token has every right, like a person at the portal.

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
