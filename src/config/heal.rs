//! Which kinds of drift are put right by themselves, as settings say it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Reader;

/// What a change that nobody asked tenantry for may do to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// It may let somebody in, or take a protection away.
    Isolation,
    /// The service may be missing, broken, smaller or slower.
    Availability,
    /// A label or a name is another.
    Cosmetic,
}

impl DriftClass {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::Isolation, Self::Availability, Self::Cosmetic];

    /// The word in settings, events and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Availability => "availability",
            Self::Cosmetic => "cosmetic",
        }
    }
}

const NAME: &str = "TENANTRY_HEAL";

/// The classes of a list with commas; none where nothing is set.
pub(super) fn heal(reader: &mut Reader<'_>) -> BTreeSet<DriftClass> {
    let Some(given) = reader.text(NAME) else { return BTreeSet::new() };
    let mut classes = BTreeSet::new();
    for word in given.split(',').map(str::trim) {
        match DriftClass::ALL.iter().find(|class| class.word() == word) {
            Some(class) => _ = classes.insert(*class),
            // Which one is not repeated: a setting may be put where a secret was meant to go.
            None => {
                reader.refuse(NAME, "one of its words is none of isolation, availability, cosmetic");
            }
        }
    }
    classes
}
