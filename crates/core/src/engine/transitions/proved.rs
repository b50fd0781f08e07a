//! The transitions after an isolation check that a step has asked for.

use super::At;
use crate::{
    blueprint::Desired,
    engine::{Change, proof, repair},
    steps::Failure,
    tenant::{Cause, FailureClass, IsolationVerdict, Proof, Proven},
};

impl At<'_> {
    /// A verified tenant makes the step ready, and so does an inconclusive verdict if the blueprint accepts it. Any
    /// other verdict may come from lag, so the check is repeated several times before the step is blocked; only then is
    /// the verdict published.
    pub(in crate::engine) fn proved(&mut self, proven: Proven) -> Change {
        let Proof { verdict, digest, .. } = &proven.proof;
        let passes = match verdict {
            IsolationVerdict::Verified => true,
            IsolationVerdict::Inconclusive => self.accepts_a_gap(),
            IsolationVerdict::Violated => false,
        };
        if passes {
            let outputs = [("verdict", verdict.as_str()), ("digest", digest)];
            let outputs = outputs.map(|(name, value)| (name.to_owned(), value.into())).into();
            proof::record(self.tenant, proven, self.now);
            return self.ready(outputs);
        }
        self.not_proved(proven)
    }

    fn not_proved(&mut self, proven: Proven) -> Change {
        let Proof { verdict, reasons, .. } = &proven.proof;
        let code = format!("isolation-{}", verdict.as_str());
        let cause = Cause::ours(FailureClass::Wait, &code, reasons.join("; "));
        let is_first = self.effort().failures == 0;
        let change = self.failed(Failure { retry_after: proven.retry_after, ..cause.into() });
        if is_first && *verdict == IsolationVerdict::Violated {
            // An object may have changed since its step last read it. Then the step repairs the object, and the next
            // check shows that.
            repair::read_all_again(self.tenant, self.now);
            // The steps call the services that the isolation check has called, one of which may have asked for a pause.
            if let Some(until) = self.policy.pause_until(proven.retry_after, self.now) {
                let waiting = self.tenant.steps.values_mut().filter(|record| record.state.is_waiting());
                waiting.for_each(|record| record.leave_alone_until(until));
            }
        }
        if self.peek(|record| record.state.blocked().is_some()) == Some(true) {
            proof::record(self.tenant, proven, self.now);
        }
        change
    }

    /// Whether the blueprint accepts an inconclusive verdict, i.e. evidence that can't be read.
    fn accepts_a_gap(&self) -> bool {
        let planned = self.tenant.plan.steps.get(self.name);
        planned.is_some_and(
            |step| matches!(&step.desired, Desired::Isolation(proof) if proof.accepts_inconclusive),
        )
    }
}
