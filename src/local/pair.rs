//! Checks whether a state file and a simulated Azure's file belong together, and whether one of them is an older copy.
//!
//! Both files store the same mark. Without it a deleted file, or an older copy, would not be detected: a deleted tenant
//! would be shown as active, and objects in the simulated Azure would belong to no tenant.

use azure_sim::pairing::{Held, Mark};
use tenantry_core::ids::TenantId;

/// How a state file and the simulated Azure beside it do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The simulated Azure has tenants' objects, and there is no state.
    StateMissing,
    /// The state has tenants, and the simulated Azure was never used with it.
    AzureMissing,
    /// The marks name different pairs: each file belongs to some other file.
    Strangers,
    /// The state file is a copy from an earlier time.
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

/// The marks of the state file and of the simulated Azure.
#[derive(Debug)]
pub struct Marks {
    /// The state's mark, with the state's current number of changes; `None` for a file without one.
    pub state: Option<Mark>,
    /// The simulated Azure's mark; `None` for a file without one.
    pub azure: Option<Mark>,
}

/// What the state file and the simulated Azure contain.
#[derive(Debug)]
pub struct Contents {
    /// Whether the state has a tenant that is not deleted.
    pub has_tenants: bool,
    /// The tenants, with their incarnations, of which the simulated Azure has objects.
    pub held: Held,
}

impl Marks {
    /// What does not match, if anything. The contents are read only where the marks do not decide, because reading them
    /// takes longer the more tenants there are.
    ///
    /// # Errors
    /// Those of `contents`.
    pub fn misfit<E>(&self, contents: impl FnOnce() -> Result<Contents, E>) -> Result<Option<Misfit>, E> {
        Ok(match (&self.state, &self.azure) {
            // The first start, or files without marks.
            (None, None) => {
                let Contents { has_tenants, held } = contents()?;
                (!has_tenants && !held.is_empty()).then_some(Misfit::StateMissing)
            }
            (None, Some(_)) => (!contents()?.held.is_empty()).then_some(Misfit::StateMissing),
            (Some(_), None) => contents()?.has_tenants.then_some(Misfit::AzureMissing),
            (Some(state), Some(azure)) if state.pair != azure.pair => {
                let Contents { has_tenants, held } = contents()?;
                (has_tenants || !held.is_empty()).then_some(Misfit::Strangers)
            }
            (Some(state), Some(azure)) => {
                if state.starts < azure.starts || state.changes < azure.changes {
                    Some(Misfit::StateOlder)
                } else if state.starts > azure.starts + 1 {
                    // A difference of one is normal: the process was killed after only the state had got its next mark.
                    Some(Misfit::AzureOlder)
                } else {
                    None
                }
            }
        })
    }

    /// The next mark for both files. At a first start and after a misfit it is that of a new pair, with an id from
    /// `fresh`.
    pub fn next(&self, misfit: Option<Misfit>, fresh: impl FnOnce() -> String) -> Mark {
        let changes = self.state.as_ref().map_or(0, |mark| mark.changes);
        match (&self.state, misfit) {
            (Some(mark), None) => Mark { starts: mark.starts + 1, ..mark.clone() },
            (Some(_) | None, _) => Mark { pair: fresh(), starts: 1, changes },
        }
    }
}

/// Whether the simulated Azure has no object of this incarnation of the tenant. When a state is adopted, such tenants
/// are deprovisioned, and all others are reconciled.
pub fn is_deleted(held: &Held, tenant: &TenantId, incarnation: u32) -> bool {
    !held.contains(&(tenant.to_string(), incarnation))
}
