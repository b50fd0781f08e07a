//! Which state belongs to which simulated Azure, and whether one of the two is older than the other.
//!
//! Both files remember the same mark. One that is gone, or an old copy that was put back, would be believed otherwise: a
//! removed tenant would be shown as active, and what is in the simulated Azure would belong to nobody.

use azure_sim::pairing::{Held, Mark};
use tenantry_core::ids::TenantId;

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The simulated Azure holds tenants' things, and there is no state.
    StateGone,
    /// The state has tenants, and the simulated Azure has never seen it.
    AzureGone,
    /// Each belongs to another.
    Strangers,
    /// The state is a copy from an earlier time.
    StateOlder,
    /// The simulated Azure is a copy from an earlier time.
    AzureOlder,
}

impl Misfit {
    /// In words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::StateGone => {
                "the state file is new or gone, but the simulated Azure beside it holds tenants' things"
            }
            Self::AzureGone => "the simulated Azure is new or gone, but the state file beside it has tenants",
            Self::Strangers => "the state file and the simulated Azure beside it do not belong together",
            Self::StateOlder => "the state file is an older copy than the simulated Azure beside it",
            Self::AzureOlder => "the simulated Azure is an older copy than the state file beside it",
        }
    }
}

/// What the two files show.
#[derive(Debug)]
pub struct Shown {
    /// The state's mark, with its present number of changes.
    pub state: Option<Mark>,
    /// The simulated Azure's.
    pub azure: Option<Mark>,
    /// Whether the state has a tenant that is not removed.
    pub has_tenants: bool,
    /// What the simulated Azure holds.
    pub held: Held,
}

impl Shown {
    /// What does not fit, if anything.
    pub fn misfit(&self) -> Option<Misfit> {
        match (&self.state, &self.azure) {
            // The first start, or files from before there were marks.
            (None, None) => (!self.has_tenants && !self.held.is_empty()).then_some(Misfit::StateGone),
            (None, Some(_)) => (!self.held.is_empty()).then_some(Misfit::StateGone),
            (Some(_), None) => self.has_tenants.then_some(Misfit::AzureGone),
            (Some(state), Some(azure)) if state.pair != azure.pair => {
                (self.has_tenants || !self.held.is_empty()).then_some(Misfit::Strangers)
            }
            (Some(state), Some(azure)) => {
                if state.starts < azure.starts || state.changes < azure.changes {
                    Some(Misfit::StateOlder)
                } else if state.starts > azure.starts + 1 {
                    // One ahead is a process that was killed between the two files.
                    Some(Misfit::AzureOlder)
                } else {
                    None
                }
            }
        }
    }

    /// The mark for both from now on; `fresh` names a pair that was none before.
    pub fn next(&self, misfit: Option<Misfit>, fresh: impl FnOnce() -> String) -> Mark {
        let changes = self.state.as_ref().map_or(0, |mark| mark.changes);
        match (&self.state, misfit) {
            (Some(mark), None) => Mark { starts: mark.starts + 1, ..mark.clone() },
            (Some(_) | None, _) => Mark { pair: fresh(), starts: 1, changes },
        }
    }
}

/// What is asked for a tenant that the state has, where the state is not believed: it goes if the simulated Azure holds
/// nothing of it, and is looked at otherwise.
pub fn is_gone(held: &Held, tenant: &TenantId, incarnation: u32) -> bool {
    !held.contains(&(tenant.to_string(), incarnation))
}
