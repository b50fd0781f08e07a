//! The real meaning of Azure's refusals, whatever their messages say. The ledger compares it with why steps are
//! blocked.

use tenantry_core::steps::Reply;

use super::Azure;
use crate::exec::Millis;

/// The real meaning of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The refusal ends by itself within minutes.
    Passes,
    /// A soft-deleted object holds the name.
    NameHeld,
    /// The object can't be changed back; it is deleted with its parent.
    DeletedWithParent,
    /// The object was already deleted together with its scope.
    DeletedWithScope,
}

/// A refusal that lasts longer than this, in milliseconds, needs a person.
const SOON: Millis = 5 * 60_000;

impl Azure {
    /// Stores the meaning of a refusal under a new request id, which the refusal gets.
    pub(super) fn means(&mut self, mut refusal: Reply, meaning: Meaning) -> Reply {
        let id = format!("refused-{}", self.meanings.len() + 1);
        refusal.headers.insert("x-ms-request-id".to_owned(), id.clone());
        self.meanings.insert(id, meaning);
        refusal
    }

    /// Marks a refusal that ends at the instant `until` as passing, if that is soon enough.
    pub(super) fn passing(&mut self, refusal: Reply, until: Millis) -> Reply {
        if until - self.now > SOON { refusal } else { self.means(refusal, Meaning::Passes) }
    }

    /// The meaning of the refusal with this request id; `None` if it has none.
    pub(crate) fn meaning(&self, id: &str) -> Option<Meaning> {
        self.meanings.get(id).copied()
    }
}
