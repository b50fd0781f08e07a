//! The transport of one step, which does not send a request that violates the rules of blueprints.
//!
//! The rules have been applied to the plan and to the rendered fields. Here they are applied to each request, with
//! everything that a read has added to it, so that no kind of step can bypass them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tenantry_core::{
    blueprint::{Guard, Objection},
    steps::{Failure, Reply, Request},
    tenant::{Cause, FailureClass},
};

use crate::ports::Transport;

/// A transport that checks each request before it sends it.
pub(super) struct Guarded {
    transport: Arc<dyn Transport>,
    guard: Guard,
}

impl Guarded {
    /// A transport that sends over `transport` what `guard` has no objection to.
    pub(super) fn new(transport: Arc<dyn Transport>, guard: Guard) -> Self {
        Self { transport, guard }
    }
}

impl Transport for Guarded {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let objection =
            self.guard.objection(request.about.as_ref(), request.mutates(), request.body.as_ref());
        match objection {
            None => self.transport.send(request),
            Some(objection) => Box::pin(std::future::ready(Err(refused(&objection)))),
        }
    }
}

/// A failure that names the violated rule; nothing was sent. Not retryable.
pub(super) fn refused(objection: &Objection) -> Failure {
    let Objection { code, message, hint } = objection;
    let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
    let message = format!("refused before anything was sent: {message}{hint}");
    Cause::ours(FailureClass::Permanent, code, message).into()
}
