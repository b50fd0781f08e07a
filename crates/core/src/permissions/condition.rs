//! The condition on the right to grant: which roles, to whom.
//!
//! Source: Microsoft, "Authorization actions and attributes" and "Examples to delegate Azure role assignment management
//! with conditions". A condition can't say at which scope a role is granted: that is bounded by where the right itself
//! was assigned.

use std::{collections::BTreeSet, fmt};

/// Which role assignments may be made and taken back; its text is a condition of version 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    verb: &'static str,
    source: &'static str,
    roles: BTreeSet<String>,
    own: Vec<String>,
}

impl Condition {
    /// The version of the language that the text is written in.
    pub const VERSION: &str = "2.0";

    /// What the provisioner may grant: these roles, to service principals other than these, which are our own.
    pub fn on_granting(roles: &BTreeSet<String>, own: &[String]) -> Self {
        Self { verb: "write", source: "@Request", roles: roles.clone(), own: own.to_vec() }
    }

    /// What the remover may take back: likewise.
    pub fn on_removing(roles: &BTreeSet<String>, own: &[String]) -> Self {
        Self { verb: "delete", source: "@Resource", roles: roles.clone(), own: own.to_vec() }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OF: &str = "Microsoft.Authorization/roleAssignments";
        let Self { verb, source, .. } = self;
        let roles: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        write!(f, "((!(ActionMatches{{'{OF}/{verb}'}})) OR (")?;
        write!(f, "{source}[{OF}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{}}}", roles.join(", "))?;
        write!(
            f,
            " AND {source}[{OF}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}"
        )?;
        write!(
            f,
            " AND {source}[{OF}:PrincipalId] ForAnyOfAllValues:GuidNotEquals {{{}}}))",
            self.own.join(", ")
        )
    }
}
