//! The wire of one step: what the rules forbid is not sent, however it came about.
//!
//! The rules have been applied to the plan and to the rendered fields. Here they are applied to each request as it is,
//! with what a look has added to it, so that no kind of step and no later change of one can pass them by.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tenantry_core::{
    blueprint::{Guard, Objection},
    steps::{Failure, Reply, Request},
    tenant::{Cause, FailureClass},
};

use crate::ports::Wire;

/// A wire that judges before it sends.
pub(super) struct Guarded {
    wire: Arc<dyn Wire>,
    guard: Guard,
}

impl Guarded {
    /// The wire of a step that this guard judges.
    pub(super) fn new(wire: Arc<dyn Wire>, guard: Guard) -> Self {
        Self { wire, guard }
    }
}

impl Wire for Guarded {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let objection =
            self.guard.objection(request.about.as_ref(), request.mutates(), request.body.as_ref());
        match objection {
            None => self.wire.send(request),
            Some(objection) => Box::pin(std::future::ready(Err(refused(&objection)))),
        }
    }
}

/// A failure that says which rule was broken; nothing was sent, and trying again is no use.
pub(super) fn refused(objection: &Objection) -> Failure {
    let Objection { code, message, hint } = objection;
    let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
    let message = format!("refused before anything was sent: {message}{hint}");
    Cause::ours(FailureClass::Permanent, code, message).into()
}
