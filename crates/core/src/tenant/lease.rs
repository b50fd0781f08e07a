//! The lease: which worker may act on a tenant, and until when its unanswered requests may still take effect.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Tenant;

/// Which worker may act on a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker's name.
    pub holder: String,
    /// Rises each time the lease is given; a worker acts only while the document has the epoch that it was given.
    pub epoch: u64,
    /// When the lease ends, unless it is renewed.
    pub until: Timestamp,
}

impl Tenant {
    /// The lease that was given last, unless it was given up. It may have expired.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The highest lease epoch given so far.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The lease is not given up before this instant, because an unanswered request may still take effect until then.
    /// `None` if there is no such request.
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

    /// Extends the lease until `until`; does nothing if there is no lease.
    pub fn extend_lease(&mut self, until: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.until = until;
        }
    }

    /// Records that an unanswered request may take effect until `until`. The latest such instant counts.
    pub fn stay_unsure_until(&mut self, until: Timestamp) {
        self.unsure_until = self.unsure_until.max(Some(until));
    }

    /// Gives the lease up. If an unanswered request may still take effect, the lease is kept until that is over, and
    /// that instant is returned.
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

    /// Ends the lease of a worker whose process has certainly ended, so that none of its requests can still take
    /// effect.
    pub fn end_lease(&mut self) {
        self.lease = None;
    }
}
