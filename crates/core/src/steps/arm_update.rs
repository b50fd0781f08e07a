//! Steps of kind `arm-update`: each changes the resource of another step, e.g. an endpoint's traffic once a deployment
//! exists.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    ArmTarget, Comparison, Deletion, DeletionState, Failure, Method, Reply, Request, Step, Target, arm,
    operation,
};
use crate::{
    blueprint::{self, Outputs},
    compare,
    tenant::{Cause, FailureClass},
};

/// A step of kind `arm-update`.
pub(super) struct ArmUpdate {
    location: arm::ArmLocation,
    body: Value,
    undo: Option<Value>,
    outputs: BTreeMap<String, String>,
}

impl ArmUpdate {
    pub(super) fn new(
        update: &blueprint::ArmUpdate<Value>,
        outputs: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let location = arm::ArmLocation::new(&update.resource)?;
        let undo = update.undo.clone().filter(|undo| !undo.is_null());
        Ok(Self { location, body: update.resource.body.clone(), undo, outputs })
    }
}

impl Step for ArmUpdate {
    fn target(&self) -> Value {
        Target::ArmUpdate(self.location.target.clone(), self.undo.clone()).to_json()
    }

    fn read(&self) -> Request {
        self.location.request(Method::Get)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        let Some(resource) = self.location.shown(reply)? else {
            // The step that owns the resource creates it; this step's body would be incomplete.
            let message = format!("{} is not there to be changed", self.location.target.id);
            return Err(Cause::ours(FailureClass::Wait, "nothing-to-update", message).into());
        };
        if let Some(owner) = self.location.stranger(resource) {
            return Ok(Comparison::Foreign(owner));
        }
        arm::judge_body(&self.location, &self.body, resource, &self.outputs)
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        Some(self.location.request(Method::Put).with_body(self.body.clone()))
    }
}

/// The deletion of an `arm-update` step: writes the undo, unless the resource is deleted or matches the undo already.
pub(super) struct UpdateDeletion {
    location: arm::ArmLocation,
    undo: Option<Value>,
}

impl UpdateDeletion {
    pub(super) fn new(target: ArmTarget, undo: Option<Value>) -> Result<Self, Failure> {
        Ok(Self { location: arm::ArmLocation::remembered(target)?, undo })
    }
}

impl Deletion for UpdateDeletion {
    fn reads(&self) -> Vec<Request> {
        // Without an undo there is nothing to read: the change is deleted with its resource.
        self.undo.iter().map(|_| self.location.request(Method::Get)).collect()
    }

    fn judge(&self, _read: usize, reply: &Reply) -> Result<DeletionState, Failure> {
        let Some(resource) = self.location.shown(reply)? else { return Ok(DeletionState::Nothing) };
        if self.location.stranger(resource).is_some() {
            return Ok(DeletionState::Foreign);
        }
        if !operation::is_terminal(resource) {
            return Ok(DeletionState::InProgress);
        }
        let undo = self.undo.as_ref().unwrap_or(&Value::Null);
        let undone = compare::differences(&self.location.type_name, undo, resource).is_empty();
        Ok(if undone { DeletionState::Nothing } else { DeletionState::Present(Outputs::new()) })
    }

    fn delete(&self, state: &DeletionState) -> Option<Request> {
        let undo = self.undo.clone()?;
        matches!(state, DeletionState::Present(_)).then(|| self.location.request(Method::Put).with_body(undo))
    }
}
