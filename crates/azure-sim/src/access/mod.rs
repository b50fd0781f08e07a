//! Enforces permissions: role assignments with conditions for Resource Manager, application roles for Graph.
//!
//! This module reads role definitions and assignments in the form that Azure accepts, and derives independently of the
//! product which actions a request needs. So a test can show that a role grants too little or too much. Sources:
//! Microsoft, "Understand Azure role definitions", "Azure role assignment condition format and syntax", "Troubleshoot
//! Azure RBAC" (messages of refusals).
//!
//! A caller without a token may do everything, like an administrator in the Azure portal.

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
