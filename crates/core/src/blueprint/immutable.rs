//! Fields of a step that can't change once its object exists.

use super::{
    ResourceType,
    desired::{ArmResource, ArmUpdate, Desired, RoleAssignment},
    expr::Template,
};

/// JSON pointers into the fields at which two desired states of a step differ and the value can't change; an empty
/// pointer if the kind of the step differs.
pub(super) fn changes(old: &Desired, new: &Desired) -> Vec<String> {
    use Desired as D;
    let changed: Vec<(&str, bool)> = match (old, new) {
        (D::Arm(old), D::Arm(new)) => return of_resource(old, new),
        (D::ArmUpdate(ArmUpdate { resource: old, .. }), D::ArmUpdate(ArmUpdate { resource: new, .. })) => {
            return of_resource(old, new);
        }
        (D::RoleAssignment(old), D::RoleAssignment(new)) => of_grant(old, new),
        (D::EntraApplication(old), D::EntraApplication(new)) => {
            vec![("/uniqueName", old.unique_name != new.unique_name)]
        }
        (D::ServicePrincipal(old), D::ServicePrincipal(new)) => vec![("/appId", old.app_id != new.app_id)],
        (D::FederatedCredential(old), D::FederatedCredential(new)) => {
            vec![("/application", old.application != new.application), ("/name", old.name != new.name)]
        }
        (D::Check(_), D::Check(_)) | (D::Isolation(_), D::Isolation(_)) => Vec::new(),
        _ => vec![("", true)],
    };
    changed.into_iter().filter(|(_, changed)| *changed).map(|(pointer, _)| pointer.to_owned()).collect()
}

/// JSON pointers at which a resource's id or immutable members differ. Ids are compared with case, because another
/// spelling is another URL.
fn of_resource(old: &ArmResource<Template>, new: &ArmResource<Template>) -> Vec<String> {
    let fixed = ResourceType::find(&new.resource_type).map_or(&[][..], |row| row.immutable);
    let bodies = fixed.iter().filter(|pointer| old.body.at(pointer) != new.body.at(pointer));
    let id = (old.id.as_str() != new.id.as_str()).then(|| "/id".to_owned());
    id.into_iter().chain(bodies.map(|pointer| format!("/body{pointer}"))).collect()
}

fn of_grant<T: PartialEq>(old: &RoleAssignment<T>, new: &RoleAssignment<T>) -> Vec<(&'static str, bool)> {
    vec![
        ("/scope", old.scope.as_str() != new.scope.as_str()),
        ("/roleDefinitionId", old.role_definition_id != new.role_definition_id),
        ("/principalId", old.principal_id != new.principal_id),
    ]
}
