//! Which kinds of drift are put right by themselves, as settings say it.

use std::collections::BTreeSet;

use tenantry_core::drift::DriftClass;

use super::Reader;

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
