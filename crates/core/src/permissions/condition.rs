//! The condition on the right to assign roles: which roles, to whom.
//!
//! Source: Microsoft, "Authorization actions and attributes" and "Examples to delegate Azure role assignment management
//! with conditions". A condition can't limit the scope at which a role is assigned; the scope of the right itself does.

use std::{collections::BTreeSet, fmt};

/// A condition on which role assignments may be created or deleted. `Display` writes it in Azure's condition language,
/// version 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    verb: &'static str,
    source: &'static str,
    roles: BTreeSet<String>,
    own: Vec<String>,
}

impl Condition {
    /// The version of Azure's condition language.
    pub const VERSION: &str = "2.0";

    /// The condition on what the provisioner may assign: these roles, to service principals other than `own`, which are
    /// tenantry's own identities.
    pub fn on_granting(roles: &BTreeSet<String>, own: &[String]) -> Self {
        Self { verb: "write", source: "@Request", roles: roles.clone(), own: own.to_vec() }
    }

    /// The condition on which assignments the remover may delete: those of these roles to service principals other than
    /// `own`, which are tenantry's own identities.
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
