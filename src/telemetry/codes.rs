//! Codes of services as the values of an attribute: few, short and plain, whatever a service makes up.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many codes a process tells apart; what comes after them is [`OTHER`].
const MOST: usize = 100;
/// How much of a code is kept, in characters.
const CHARACTERS: usize = 64;
/// What stands for codes beyond [`MOST`], and for what is no code.
const OTHER: &str = "other";

/// The codes that were met.
static MET: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A code as the value of an attribute. A code is letters, digits and `_ . -`; anything else may be a name or a secret.
pub fn label(code: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if code.is_empty() || code.len() > CHARACTERS || !code.chars().all(plain) {
        return OTHER.to_owned();
    }
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    if met.contains(code) || met.len() < MOST {
        met.insert(code.to_owned());
        return code.to_owned();
    }
    OTHER.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_can_not_make_up_labels_without_end() {
        assert_eq!(label("OddCode"), "OddCode");
        for odd in ["", "two words", "ключ", "a/b", &"x".repeat(CHARACTERS + 1)] {
            assert_eq!(label(odd), OTHER, "{odd}");
        }
        let told: BTreeSet<String> = (0..10 * MOST).map(|at| label(&format!("Made{at}"))).collect();
        assert!(told.len() <= MOST + 1 && told.contains(OTHER), "{}", told.len());
        assert_eq!(label("OddCode"), "OddCode", "what was met stays");
    }
}
