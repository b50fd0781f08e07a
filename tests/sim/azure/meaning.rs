//! What Azure itself knows of the refusals that it gives, whatever their words: the ledger holds a halt against that.

use tenantry_core::steps::Reply;

use super::Azure;
use crate::exec::Millis;

/// What a refusal is about in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It passes within minutes, and nobody has to do anything.
    Passes,
    /// Something that was deleted holds the name.
    NameHeld,
    /// A part can't be put back, and goes with what it is a part of.
    GoesAlong,
    /// What it stood on is gone, and itself with that.
    Gone,
}

/// What passes later than that is for a person.
const SOON: Millis = 5 * 60_000;

impl Azure {
    /// Remembers what a refusal means, under the id by which the service knows the request.
    pub(super) fn means(&mut self, mut refusal: Reply, meaning: Meaning) -> Reply {
        let id = format!("refused-{}", self.meanings.len() + 1);
        refusal.headers.insert("x-ms-request-id".to_owned(), id.clone());
        self.meanings.insert(id, meaning);
        refusal
    }

    /// A refusal that ends by itself at some instant.
    pub(super) fn passing(&mut self, refusal: Reply, until: Millis) -> Reply {
        if until - self.now > SOON { refusal } else { self.means(refusal, Meaning::Passes) }
    }

    /// What a refusal means that was given under an id.
    pub(crate) fn meaning(&self, id: &str) -> Option<Meaning> {
        self.meanings.get(id).copied()
    }
}
