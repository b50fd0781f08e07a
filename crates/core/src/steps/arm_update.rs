//! A later change of a resource that another step made, for example an endpoint's traffic once a deployment exists.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    ArmTarget, Comparison, Failure, Method, Remains, Reply, Request, Step, Target, Trace, arm, operation,
};
use crate::{
    blueprint::{self, Outputs},
    compare,
    tenant::{Cause, FailureClass},
};

/// The step.
pub(super) struct ArmUpdate {
    place: arm::Place,
    body: Value,
    undo: Option<Value>,
    outputs: BTreeMap<String, String>,
}

impl ArmUpdate {
    pub(super) fn new(
        update: &blueprint::ArmUpdate<Value>,
        outputs: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let place = arm::Place::new(&update.resource)?;
        let undo = update.undo.clone().filter(|undo| !undo.is_null());
        Ok(Self { place, body: update.resource.body.clone(), undo, outputs })
    }
}

impl Step for ArmUpdate {
    fn target(&self) -> Value {
        Target::ArmUpdate(self.place.target.clone(), self.undo.clone()).to_json()
    }

    fn look(&self) -> Request {
        self.place.request(Method::Get)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        let Some(resource) = self.place.shown(reply)? else {
            // Making it is the other step's work; here it could only come out half.
            let message = format!("{} is not there to be changed", self.place.target.id);
            return Err(Cause::ours(FailureClass::Wait, "nothing-to-update", message).into());
        };
        if let Some(owner) = self.place.stranger(resource) {
            return Ok(Comparison::Foreign(owner));
        }
        arm::judge_body(&self.place, &self.body, resource, &self.outputs)
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        Some(self.place.request(Method::Put).with_body(self.body.clone()))
    }
}

/// What the update left behind: the change itself, unless the resource is gone or has been put back.
pub(super) struct UpdateRemains {
    place: arm::Place,
    undo: Option<Value>,
}

impl UpdateRemains {
    pub(super) fn new(target: ArmTarget, undo: Option<Value>) -> Result<Self, Failure> {
        Ok(Self { place: arm::Place::remembered(target)?, undo })
    }
}

impl Remains for UpdateRemains {
    fn looks(&self) -> Vec<Request> {
        // Without an undo the change goes with its resource.
        self.undo.iter().map(|_| self.place.request(Method::Get)).collect()
    }

    fn judge(&self, _look: usize, reply: &Reply) -> Result<Trace, Failure> {
        let Some(resource) = self.place.shown(reply)? else { return Ok(Trace::Nothing) };
        if self.place.stranger(resource).is_some() {
            return Ok(Trace::Foreign);
        }
        if !operation::is_terminal(resource) {
            return Ok(Trace::Settling);
        }
        let undo = self.undo.as_ref().unwrap_or(&Value::Null);
        let undone = compare::differences(&self.place.type_name, undo, resource).is_empty();
        Ok(if undone { Trace::Nothing } else { Trace::Present(Outputs::new()) })
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        let undo = self.undo.clone()?;
        matches!(trace, Trace::Present(_)).then(|| self.place.request(Method::Put).with_body(undo))
    }
}
