//! Which resource a step or its recorded target is about.

use super::{Target, request::odata_key};
use crate::blueprint::{Rendered, RoleAssignment, role_assignment_name};

/// The id of the step's Azure resource, or the path of its object in Entra, as Graph requests have it.
///
/// `None` for a proof of isolation, which is about no single resource.
pub fn about(step: &Rendered) -> Option<String> {
    Some(match step {
        Rendered::Arm(_) | Rendered::ArmUpdate(_) | Rendered::Check(_) => step.resource_id()?.to_string(),
        Rendered::RoleAssignment(grant) => assignment(grant),
        Rendered::EntraApplication(application) => of_application(&application.unique_name),
        Rendered::ServicePrincipal(principal) => of_principal(&principal.app_id),
        Rendered::FederatedCredential(credential) => of_credential(&credential.application, &credential.name),
        Rendered::Isolation(_) => return None,
    })
}

/// The resource that a recorded target is about, like [`about()`]; `None` also for a check, which creates nothing.
pub fn about_target(target: &Target) -> Option<String> {
    Some(match target {
        Target::Arm(resource) | Target::ArmUpdate(resource, _) => resource.id.to_string(),
        Target::RoleAssignment(grant) => assignment(grant),
        Target::EntraApplication { unique_name, .. } => of_application(unique_name),
        Target::ServicePrincipal { app_id, .. } => of_principal(app_id),
        Target::FederatedCredential { application, name } => of_credential(application, name),
        Target::Nothing => return None,
    })
}

fn assignment(grant: &RoleAssignment<String>) -> String {
    let RoleAssignment { scope, role_definition_id, principal_id } = grant;
    let name = role_assignment_name(scope.as_str(), principal_id, role_definition_id);
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

fn of_application(unique_name: &str) -> String {
    format!("applications(uniqueName='{}')", odata_key(unique_name))
}

fn of_principal(app_id: &str) -> String {
    format!("servicePrincipals(appId='{}')", odata_key(app_id))
}

fn of_credential(application: &str, name: &str) -> String {
    let (application, name) = (odata_key(application), odata_key(name));
    format!("applications/{application}/federatedIdentityCredentials(name='{name}')")
}
