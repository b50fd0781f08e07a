//! The lease: which worker may act on a tenant, and until when its unanswered requests may still take effect.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Tenant;

/// Which worker may act on a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker's name.
    pub holder: String,
    /// Rises with every holder; answers to requests of an earlier epoch are ignored.
    pub epoch: u64,
    /// When it ends, unless renewed.
    pub until: Timestamp,
}

impl Tenant {
    /// The lease that was given last, unless it was given up. It may have expired.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The highest lease epoch given.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The lease is not given up before this instant: an unanswered request may still take effect until then.
    pub fn unsure_until(&self) -> Option<Timestamp> {
        self.unsure_until
    }

    /// Gives the lease to a holder under a new epoch, and returns the epoch. The caller, who has the clock, checks
    /// first that the previous lease has expired.
    pub fn give_lease(&mut self, holder: &str, until: Timestamp) -> u64 {
        self.epoch += 1;
        self.lease = Some(Lease { holder: holder.to_owned(), epoch: self.epoch, until });
        self.epoch
    }

    /// Extends the lease until another instant; does nothing if there is none.
    pub fn extend_lease(&mut self, until: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.until = until;
        }
    }

    /// Records that an unanswered request may take effect until then. The latest such instant counts.
    pub fn stay_unsure_until(&mut self, until: Timestamp) {
        self.unsure_until = self.unsure_until.max(Some(until));
    }

    /// Gives the lease up, unless an unanswered request may still take effect: then the lease is kept and the instant
    /// is returned at which that is over.
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

    /// Ends the lease of a holder that is known to be dead, together with all its requests.
    pub fn end_lease(&mut self) {
        self.lease = None;
    }
}
