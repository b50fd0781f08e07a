//! Which resource a step's fields or its recorded target speak of.

use serde_json::Value;

use super::request::odata_key;
use crate::blueprint::{Kind, role_assignment_name};

/// The id of the Azure resource, or the path of the object in Entra, in the form in which Graph is asked for it.
///
/// `None` where a field that it takes is missing, and for a proof of isolation, which is about no one resource.
pub fn about(kind: Kind, fields: &Value) -> Option<String> {
    let text = |name: &str| fields.get(name)?.as_str().filter(|text| !text.is_empty());
    Some(match kind {
        Kind::Arm | Kind::ArmUpdate | Kind::Check => text("id")?.to_owned(),
        Kind::RoleAssignment => {
            let (scope, role) = (text("scope")?, text("roleDefinitionId")?);
            let name = role_assignment_name(scope, text("principalId")?, role);
            format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
        }
        Kind::EntraApplication => format!("applications(uniqueName='{}')", odata_key(text("uniqueName")?)),
        Kind::ServicePrincipal => format!("servicePrincipals(appId='{}')", odata_key(text("appId")?)),
        Kind::FederatedCredential => {
            let (application, name) = (odata_key(text("application")?), odata_key(text("name")?));
            format!("applications/{application}/federatedIdentityCredentials(name='{name}')")
        }
        Kind::Isolation => return None,
    })
}
