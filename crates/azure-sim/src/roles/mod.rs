//! Role assignments and role definitions of Resource Manager. Source: Azure docs, role-based-access-control
//! troubleshooting.

pub(crate) mod actions;
mod assignments;
mod built_in;
mod definitions;
pub(crate) mod ids;
mod list;

pub(crate) use self::{
    assignments::{assign, forget, grant, revoke, unassign},
    definitions::read_definition,
    list::{may, read_assignment},
};
