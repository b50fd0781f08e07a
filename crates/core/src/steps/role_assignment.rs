//! A role assignment: one principal, one role, one scope.
//!
//! Looked for by what it grants, not by name: Azure allows the same grant only once, under whatever name it was made
//! (409 `RoleAssignmentExists`), and an assignment that is already there is as good as ours.

use serde_json::{Value, json};

use super::{
    Comparison, Failure, Method, Remains, Reply, Request, Step, Target, Trace, failure, items,
    request::odata_key,
};
use crate::{
    blueprint::{self, Outputs, role_assignment_name},
    compare::{same_id, same_role, same_word, text_at},
    ids::{ApiVersion, ResourceId},
};

/// Microsoft.Authorization role assignments, the version of the API description.
const API_VERSION: ApiVersion = ApiVersion::known("2022-04-01");
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

/// The step, and what it left behind: both are known by the same three ids.
pub(super) struct RoleAssignment(pub(super) blueprint::RoleAssignment<String>);

impl RoleAssignment {
    fn all_of_principal(&self) -> Request {
        let list = "/providers/Microsoft.Authorization/roleAssignments";
        let filter = format!("principalId%20eq%20'{}'", odata_key(&self.0.principal_id));
        Request::arm_of(Method::Get, &self.0.scope, list, &API_VERSION)
            .with_query("$filter", &filter)
            .every_page()
    }

    /// The id of the assignment that grants exactly this, if the answer has one.
    fn granted(&self, reply: &Reply) -> Result<Option<String>, Failure> {
        // The scope is gone, and with it what was granted there.
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

    /// The id of an assignment at this scope. What lies elsewhere is not what was looked for, whatever a list says of it.
    fn id_of(&self, assignment: &Value) -> Result<String, Failure> {
        let id = text_at(assignment, "/id");
        let here = id.parse().is_ok_and(|id: ResourceId| self.0.scope.holds(&id));
        here.then(|| id.to_owned()).ok_or_else(|| Failure::nonsense("the assignment's id lies elsewhere"))
    }

    fn grants(&self, assignment: &Value) -> bool {
        let seen = |name: &str| text_at(assignment, &format!("/properties/{name}"));
        same_id(seen("scope"), self.0.scope.as_str())
            && same_word(seen("principalId"), &self.0.principal_id)
            && same_role(seen("roleDefinitionId"), &self.0.role_definition_id)
    }
}

impl Step for RoleAssignment {
    fn target(&self) -> Value {
        Target::RoleAssignment(self.0.clone()).to_json()
    }

    fn look(&self) -> Request {
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
        // With the principal's type given, Azure skips the directory look-up that a new principal fails.
        let properties = json!({
            "roleDefinitionId": self.0.role_definition_id, "principalId": self.0.principal_id, "principalType": "ServicePrincipal",
        });
        Some(Request::arm(Method::Put, &id, &API_VERSION).with_body(json!({"properties": properties})))
    }
}

impl Remains for RoleAssignment {
    fn looks(&self) -> Vec<Request> {
        vec![self.all_of_principal()]
    }

    fn judge(&self, _look: usize, reply: &Reply) -> Result<Trace, Failure> {
        Ok(match self.granted(reply)? {
            Some(id) => Trace::Present(Outputs::from([("id".to_owned(), Value::String(id))])),
            None => Trace::Nothing,
        })
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        let Trace::Present(told) = trace else { return None };
        let id: ResourceId = told.get("id")?.as_str()?.parse().ok()?;
        self.0.scope.holds(&id).then(|| Request::arm(Method::Delete, &id, &API_VERSION))
    }
}
