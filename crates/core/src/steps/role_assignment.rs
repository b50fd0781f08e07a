//! A role assignment: one principal, one role, one scope.
//!
//! The assignment is found by what it grants, not by name: Azure allows the same grant only once, under any name (409
//! `RoleAssignmentExists`), and an existing assignment with the same grant counts as ours.

use serde_json::{Value, json};

use super::{
    Comparison, Deletion, DeletionState, Failure, Method, Reply, Request, Step, Target, failure, items,
    request::odata_key,
};
use crate::{
    blueprint::{self, Outputs, role_assignment_name},
    compare::{eq_ignore_case, same_id, same_role, text_at},
    ids::{ApiVersion, ResourceId},
};

/// The version of the Microsoft.Authorization API description for role assignments.
const API_VERSION: ApiVersion = ApiVersion::known("2022-04-01");
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

/// The step and its deletion: both identify the assignment by the ids of scope, role and principal.
pub(super) struct RoleAssignment(pub(super) blueprint::RoleAssignment<String>);

impl RoleAssignment {
    fn all_of_principal(&self) -> Request {
        let list = "/providers/Microsoft.Authorization/roleAssignments";
        let filter = format!("principalId%20eq%20'{}'", odata_key(&self.0.principal_id));
        Request::arm_of(Method::Get, &self.0.scope, list, &API_VERSION)
            .with_query("$filter", &filter)
            .every_page()
    }

    /// The id of the assignment with exactly this scope, role and principal; `None` if the answer has none.
    fn granted(&self, reply: &Reply) -> Result<Option<String>, Failure> {
        // A scope that does not exist has no assignments.
        if reply.status == 404 {
            return Ok(None);
        }
        if !reply.is_success() {
            return Err(failure::classify(reply));
        }
        // The answer to a write shows the assignment itself.
        if !text_at(&reply.body, "/properties/principalId").is_empty() {
            return self.grants(&reply.body).then(|| self.id_of(&reply.body)).transpose();
        }
        let found = items(reply)?.iter().find(|assignment| self.grants(assignment));
        found.map(|found| self.id_of(found)).transpose()
    }

    /// The id of an assignment at this scope. An id outside of the scope is an error, even if it is in the list.
    fn id_of(&self, assignment: &Value) -> Result<String, Failure> {
        let id = text_at(assignment, "/id");
        let here = id.parse().is_ok_and(|id: ResourceId| self.0.scope.holds(&id));
        here.then(|| id.to_owned()).ok_or_else(|| Failure::nonsense("the assignment's id lies elsewhere"))
    }

    fn grants(&self, assignment: &Value) -> bool {
        let seen = |name: &str| text_at(assignment, &format!("/properties/{name}"));
        same_id(seen("scope"), self.0.scope.as_str())
            && eq_ignore_case(seen("principalId"), &self.0.principal_id)
            && same_role(seen("roleDefinitionId"), &self.0.role_definition_id)
    }
}

impl Step for RoleAssignment {
    fn target(&self) -> Value {
        Target::RoleAssignment(self.0.clone()).to_json()
    }

    fn read(&self) -> Request {
        self.all_of_principal()
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        Ok(match self.granted(reply)? {
            Some(id) => Comparison::Matches(Outputs::from([("id".to_owned(), Value::String(id))])),
            None if reply.status == 404 => return Err(failure::classify(reply)),
            None => Comparison::Absent,
        })
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        let name =
            role_assignment_name(self.0.scope.as_str(), &self.0.principal_id, &self.0.role_definition_id);
        let id = self.0.scope.provided(ASSIGNMENTS, &name.to_string()).ok()?;
        // With `principalType` Azure skips the check of the directory, which fails for a new principal.
        let properties = json!({
            "roleDefinitionId": self.0.role_definition_id, "principalId": self.0.principal_id, "principalType": "ServicePrincipal",
        });
        Some(Request::arm(Method::Put, &id, &API_VERSION).with_body(json!({"properties": properties})))
    }
}

impl Deletion for RoleAssignment {
    fn reads(&self) -> Vec<Request> {
        vec![self.all_of_principal()]
    }

    fn judge(&self, _read: usize, reply: &Reply) -> Result<DeletionState, Failure> {
        Ok(match self.granted(reply)? {
            Some(id) => DeletionState::Present(Outputs::from([("id".to_owned(), Value::String(id))])),
            None => DeletionState::Nothing,
        })
    }

    fn delete(&self, state: &DeletionState) -> Option<Request> {
        let DeletionState::Present(outputs) = state else { return None };
        let id: ResourceId = outputs.get("id")?.as_str()?.parse().ok()?;
        self.0.scope.holds(&id).then(|| Request::arm(Method::Delete, &id, &API_VERSION))
    }
}
