//! Steps of kind `check`: each reads a resource and compares it, but changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Comparison, Deletion, DeletionState, Failure, Method, Reply, Request, Step, Target, arm::is_id, failure,
    operation, read_outputs,
};
use crate::{
    blueprint::{ResourceCheck, ResourceType},
    compare,
    ids::{ApiVersion, ResourceId},
    tenant::{Cause, FailureClass},
};

/// A step of kind `check`.
pub(super) struct Check {
    id: ResourceId,
    api_version: ApiVersion,
    /// The expected values, by JSON pointer into the resource.
    expect: BTreeMap<String, Value>,
    outputs: BTreeMap<String, String>,
}

impl Check {
    pub(super) fn new(check: &ResourceCheck<Value>, outputs: BTreeMap<String, String>) -> Self {
        let expect = check.expect.as_object().cloned().unwrap_or_default();
        Self {
            id: check.id.clone(),
            api_version: check.api_version.clone(),
            expect: expect.into_iter().collect(),
            outputs,
        }
    }
}

impl Step for Check {
    fn target(&self) -> Value {
        Target::Nothing.to_json()
    }

    fn read(&self) -> Request {
        Request::arm(Method::Get, &self.id, &self.api_version)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        if !reply.is_success() {
            return Err(failure::classify(reply));
        }
        let shown = compare::member(&reply.body, "id").and_then(Value::as_str);
        if shown.is_some_and(|id| !is_id(id, &self.id)) || !reply.body.is_object() {
            return Err(Failure::nonsense("the answer does not show the resource"));
        }
        if !operation::is_terminal(&reply.body) {
            return Ok(Comparison::InProgress);
        }
        let kind = ResourceType::type_of_id(self.id.as_str()).unwrap_or_default();
        let wrong: Vec<String> = self
            .expect
            .iter()
            .filter_map(|(pointer, desired)| {
                let seen = compare::at(&reply.body, pointer).unwrap_or(&Value::Null);
                (!compare::same_at(&kind, pointer, desired, seen))
                    .then(|| format!("{pointer} is {seen}, expected {desired}"))
            })
            .collect();
        if wrong.is_empty() {
            return Ok(Comparison::Matches(read_outputs(&self.outputs, &reply.body)?));
        }
        // Azure's reads lag behind its writes, so a failed check is repeated several times before the step is blocked.
        let message = failure::sentence(&format!("{}: {}", self.id, wrong.join("; ")));
        Err(Cause::ours(FailureClass::Wait, "check-failed", message).into())
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        None
    }
}

/// The deletion of a step that creates nothing: there is nothing to read or delete.
pub(super) struct Nothing;

impl Deletion for Nothing {
    fn reads(&self) -> Vec<Request> {
        Vec::new()
    }

    fn judge(&self, _read: usize, _reply: &Reply) -> Result<DeletionState, Failure> {
        Ok(DeletionState::Nothing)
    }

    fn delete(&self, _trace: &DeletionState) -> Option<Request> {
        None
    }
}
