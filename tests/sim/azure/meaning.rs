//! The real meaning of Azure's refusals, whatever their messages: the ledger compares blocked steps with it.

use tenantry_core::steps::Reply;

use super::Azure;
use crate::exec::Millis;

/// The real meaning of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It passes within minutes by itself.
    Passes,
    /// A deleted object holds the name.
    NameHeld,
    /// A part can't be changed back, and is deleted with its parent.
    DeletedWithParent,
    /// The object was deleted with its scope.
    DeletedWithScope,
}

/// What takes longer needs a person.
const SOON: Millis = 5 * 60_000;

impl Azure {
    /// Stores the meaning of a refusal, under its request id.
    pub(super) fn means(&mut self, mut refusal: Reply, meaning: Meaning) -> Reply {
        let id = format!("refused-{}", self.meanings.len() + 1);
        refusal.headers.insert("x-ms-request-id".to_owned(), id.clone());
        self.meanings.insert(id, meaning);
        refusal
    }

    /// A refusal that passes at some instant.
    pub(super) fn passing(&mut self, refusal: Reply, until: Millis) -> Reply {
        if until - self.now > SOON { refusal } else { self.means(refusal, Meaning::Passes) }
    }

    /// The meaning of a refusal, by its request id.
    pub(crate) fn meaning(&self, id: &str) -> Option<Meaning> {
        self.meanings.get(id).copied()
    }
}
