//! Who may act on a tenant, and until when what was sent about it may still take effect.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Tenant;

/// Who may act on a tenant at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker.
    pub holder: String,
    /// Rises with every holder; an answer to an earlier holder's question is void.
    pub epoch: u64,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

impl Tenant {
    /// The lease that was given last, unless it was given up. It may have ended.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The highest lease epoch given.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Not before this instant may a lease be given up: an unanswered request may still take effect until then.
    pub fn unsure_until(&self) -> Option<Timestamp> {
        self.unsure_until
    }

    /// Gives the lease to a holder, under an epoch that nobody had before; returns that. Whether the lease before has ended is
    /// for the caller to know, who has a clock.
    pub fn give_lease(&mut self, holder: &str, until: Timestamp) -> u64 {
        self.epoch += 1;
        self.lease = Some(Lease { holder: holder.to_owned(), epoch: self.epoch, until });
        self.epoch
    }

    /// Has the lease last until another instant; nothing where nobody has it.
    pub fn extend_lease(&mut self, until: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.until = until;
        }
    }

    /// A request that was sent and not answered may take effect until then. The latest such instant counts.
    pub fn stay_unsure_until(&mut self, until: Timestamp) {
        self.unsure_until = self.unsure_until.max(Some(until));
    }

    /// Gives the lease up, unless an unanswered request may still take effect: then it is kept until that is over, and the
    /// instant is returned.
    pub fn give_up_lease(&mut self, now: Timestamp) -> Option<Timestamp> {
        match (self.unsure_until.filter(|until| *until > now), self.lease.as_mut()) {
            (Some(until), Some(lease)) => {
                lease.until = until;
                Some(until)
            }
            (_, _) => {
                self.lease = None;
                self.unsure_until = None;
                None
            }
        }
    }

    /// Ends the lease of a holder that is known to be dead, with all that it had sent.
    pub fn end_lease(&mut self) {
        self.lease = None;
    }
}
