//! Which state belongs to which simulated Azure, and whether one of the two is older than the other.
//!
//! Both files store the same mark. Without it a deleted file, or an old copy, would not be noticed: a deleted tenant
//! would be shown as active, and objects in the simulated Azure would belong to no tenant.

use azure_sim::pairing::{Held, Mark};
use tenantry_core::ids::TenantId;

/// How the two files do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The simulated Azure has tenants' objects, and there is no state.
    StateMissing,
    /// The state has tenants, and the simulated Azure was never used with it.
    AzureMissing,
    /// Each belongs to another file.
    Strangers,
    /// The state is a copy from an earlier time.
    StateOlder,
    /// The simulated Azure is a copy from an earlier time.
    AzureOlder,
}

impl Misfit {
    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::StateMissing => {
                "the state file is new or missing, but the simulated Azure beside it has tenants' objects"
            }
            Self::AzureMissing => {
                "the simulated Azure is new or missing, but the state file beside it has tenants"
            }
            Self::Strangers => "the state file and the simulated Azure beside it do not belong together",
            Self::StateOlder => "the state file is an older copy than the simulated Azure beside it",
            Self::AzureOlder => "the simulated Azure is an older copy than the state file beside it",
        }
    }
}

/// The marks and contents of the two files.
#[derive(Debug)]
pub struct Shown {
    /// The state's mark, with its current number of changes.
    pub state: Option<Mark>,
    /// The simulated Azure's.
    pub azure: Option<Mark>,
    /// Whether the state has a tenant that is not deleted.
    pub has_tenants: bool,
    /// The contents of the simulated Azure.
    pub held: Held,
}

impl Shown {
    /// What does not match, if anything.
    pub fn misfit(&self) -> Option<Misfit> {
        match (&self.state, &self.azure) {
            // The first start, or files without marks.
            (None, None) => (!self.has_tenants && !self.held.is_empty()).then_some(Misfit::StateMissing),
            (None, Some(_)) => (!self.held.is_empty()).then_some(Misfit::StateMissing),
            (Some(_), None) => self.has_tenants.then_some(Misfit::AzureMissing),
            (Some(state), Some(azure)) if state.pair != azure.pair => {
                (self.has_tenants || !self.held.is_empty()).then_some(Misfit::Strangers)
            }
            (Some(state), Some(azure)) => {
                if state.starts < azure.starts || state.changes < azure.changes {
                    Some(Misfit::StateOlder)
                } else if state.starts > azure.starts + 1 {
                    // One ahead: the process was killed between the two files.
                    Some(Misfit::AzureOlder)
                } else {
                    None
                }
            }
        }
    }

    /// The next mark for both; `fresh` names a new pair.
    pub fn next(&self, misfit: Option<Misfit>, fresh: impl FnOnce() -> String) -> Mark {
        let changes = self.state.as_ref().map_or(0, |mark| mark.changes);
        match (&self.state, misfit) {
            (Some(mark), None) => Mark { starts: mark.starts + 1, ..mark.clone() },
            (Some(_) | None, _) => Mark { pair: fresh(), starts: 1, changes },
        }
    }
}

/// Whether a tenant of a doubtful state is to be deprovisioned: the simulated Azure has nothing of it. Otherwise it is
/// reconciled.
pub fn is_deleted(held: &Held, tenant: &TenantId, incarnation: u32) -> bool {
    !held.contains(&(tenant.to_string(), incarnation))
}
