//! The setting that says which classes of drift are repaired automatically.

use std::collections::BTreeSet;

use tenantry_core::drift::DriftClass;

use super::Reader;

const NAME: &str = "TENANTRY_HEAL";

/// Reads the classes from a comma-separated list; empty if the setting is absent.
pub(super) fn heal(reader: &mut Reader<'_>) -> BTreeSet<DriftClass> {
    let Some(given) = reader.text(NAME) else { return BTreeSet::new() };
    let mut classes = BTreeSet::new();
    for name in given.split(',').map(str::trim) {
        match DriftClass::ALL.iter().find(|class| class.as_str() == name) {
            Some(class) => _ = classes.insert(*class),
            // The invalid text is not repeated in the error, because a secret may have been put into the wrong setting.
            None => {
                reader.refuse(NAME, "it is a list of isolation, availability, cosmetic");
            }
        }
    }
    classes
}
