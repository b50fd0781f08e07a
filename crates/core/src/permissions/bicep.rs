//! Roles and their assignments as a Bicep file.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Condition, Permissions, Reach,
    document::{Custom, Principals},
};

/// The whole Bicep file: the custom roles and their assignments, with the identities as parameters. `command` is the
/// command that generates the file, for its first comment. The built-in data roles and the permission of Microsoft
/// Graph are not in the file.
pub fn bicep(permissions: &Permissions, command: &str) -> String {
    let (target, scope) = match permissions.reach {
        Reach::Subscription(_) => ("subscription", "subscription()"),
        Reach::StampGroup => ("resourceGroup", "resourceGroup()"),
    };
    // Bicep replaces these by the values of the parameters.
    let principals = Principals {
        host: "${hostPrincipalId}".to_owned(),
        provisioner: "${provisionerPrincipalId}".to_owned(),
        remover: "${removerPrincipalId}".to_owned(),
    };
    let mut file = format!(
        "// The least that tenantry has to be allowed in Azure Resource Manager, made by\n\
         //   {command}\n\
         // Generate it again when a blueprint changes. Roles for data and the permission of Microsoft Graph are not in\n\
         // here; the command without `--format` lists them.\n\
         targetScope = '{target}'\n\n\
         @description('The object id of the identity that reads, creates and changes tenants.')\n\
         param provisionerPrincipalId string\n\n\
         @description('The object id of the identity that deletes; the provisioner where there is no other.')\n\
         param removerPrincipalId string = provisionerPrincipalId\n\n\
         @description('The object id of the identity that proves isolation: the provisioner.')\n\
         param auditorPrincipalId string = provisionerPrincipalId\n\n\
         @description('The object id of the identity of the Functions host.')\n\
         param hostPrincipalId string = provisionerPrincipalId\n\n\
         @description('The name of the deployment: a custom role is unique in its directory.')\n\
         param deployment string\n"
    );
    let mut permissions = permissions.clone();
    if !permissions.granted.is_empty() {
        grantable(&mut file, &permissions.granted);
        permissions.granted = BTreeSet::from(["${grantedRoles}".to_owned()]);
    }
    for custom in permissions.roles(&principals) {
        role(&mut file, &custom, scope);
    }
    file
}

/// Adds a parameter with the ids of the roles that may be granted. A custom role of a stamp has another id in each
/// deployment, so the ids can't be fixed.
fn grantable(file: &mut String, roles: &BTreeSet<String>) {
    file.push_str(
        "\n@description('The ids (GUIDs) of the roles that tenants may be granted: those that the stamp names.')\n\
         param grantedRoleIds array = [\n",
    );
    for role in roles {
        let _ = writeln!(file, "  {}", quoted(role));
    }
    file.push_str("]\n\nvar grantedRoles = join(grantedRoleIds, ', ')\n");
}

fn role(file: &mut String, custom: &Custom<'_>, scope: &str) {
    let Custom { identity, name, description, role, condition } = custom;
    let mut text = format!(
        "\nresource {identity}Role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {{\n  \
           name: guid({scope}.id, 'tenantry', deployment, '{identity}')\n  \
           properties: {{\n    \
             roleName: '{name} (${{deployment}})'\n    \
             description: {}\n    \
             type: 'CustomRole'\n    \
             permissions: [\n      \
               {{\n        \
                 actions: [\n",
        quoted(description)
    );
    for action in role.names() {
        let _ = writeln!(text, "          {}", quoted(action));
    }
    let _ = write!(
        text,
        "        ]\n        \
                 notActions: []\n        \
                 dataActions: []\n        \
                 notDataActions: []\n      \
               }}\n    \
             ]\n    \
             assignableScopes: [\n      \
               {scope}.id\n    \
             ]\n  \
           }}\n\
         }}\n\n\
         resource {identity}Assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{\n  \
           name: guid({scope}.id, {identity}PrincipalId, {identity}Role.id)\n  \
           properties: {{\n    \
             roleDefinitionId: {identity}Role.id\n    \
             principalId: {identity}PrincipalId\n    \
             principalType: 'ServicePrincipal'\n"
    );
    if let Some(condition) = condition {
        let version = Condition::VERSION;
        let _ = write!(
            text,
            "    condition: {}\n    conditionVersion: '{version}'\n",
            quoted(&condition.to_string())
        );
    }
    text.push_str("  }\n}\n");
    file.push_str(&text);
}

/// A Bicep string literal; `${}` in it stays an expression.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
