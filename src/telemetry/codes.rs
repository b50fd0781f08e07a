//! Error codes of services as values of attributes: few, short and plain, whatever a service sends.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many codes a process distinguishes; further ones are [`OTHER`].
const MOST: usize = 100;
/// The longest code, in characters.
const CHARACTERS: usize = 64;
/// The value for codes beyond [`MOST`], and for invalid codes.
const OTHER: &str = "other";

/// The codes that this process has met, [`MOST`] at most.
static MET: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A code as an attribute value. A code is letters, digits and `_ . -`; anything else may be a name or a secret.
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
    fn the_number_of_labels_is_bounded() {
        assert_eq!(label("OddCode"), "OddCode");
        for odd in ["", "two words", "ключ", "a/b", &"x".repeat(CHARACTERS + 1)] {
            assert_eq!(label(odd), OTHER, "{odd}");
        }
        let labels: BTreeSet<String> = (0..10 * MOST).map(|at| label(&format!("Made{at}"))).collect();
        assert!(labels.len() <= MOST + 1 && labels.contains(OTHER), "{}", labels.len());
        assert_eq!(label("OddCode"), "OddCode", "what was met stays");
    }
}
