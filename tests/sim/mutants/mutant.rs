//! The active mutant. This file is compiled only in the copy of the tree that the mutants are applied to
//! (docs/trust.md).

use std::{borrow::Cow, cell::Cell};

thread_local! {
    static CHOSEN: Cell<&'static str> = const { Cell::new("") };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Activates a mutant in this thread from now on; the empty name deactivates it.
pub fn choose(name: &'static str) {
    CHOSEN.set(name);
    DRAWN.set(0);
}

/// Whether this mutant is active.
pub fn is(name: &str) -> bool {
    CHOSEN.get() == name
}

/// A different text each time if this mutant is active; else the empty string.
pub fn noise(name: &str) -> Cow<'static, str> {
    if !is(name) {
        return Cow::Borrowed("");
    }
    DRAWN.set(DRAWN.get() + 1);
    Cow::Owned(DRAWN.get().to_string())
}
