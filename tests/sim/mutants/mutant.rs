//! Says which mutant is active. This file is compiled only in the copy of the repository to which the mutants are
//! applied (docs/trust.md).

use std::{borrow::Cow, cell::Cell};

thread_local! {
    static CHOSEN: Cell<&'static str> = const { Cell::new("") };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Activates a mutant in this thread; an empty name deactivates all.
pub fn choose(name: &'static str) {
    CHOSEN.set(name);
    DRAWN.set(0);
}

/// Whether the mutant with this name is active.
pub fn is(name: &str) -> bool {
    CHOSEN.get() == name
}

/// A different text at each call if this mutant is active, otherwise the empty string.
pub fn noise(name: &str) -> Cow<'static, str> {
    if !is(name) {
        return Cow::Borrowed("");
    }
    DRAWN.set(DRAWN.get() + 1);
    Cow::Owned(DRAWN.get().to_string())
}
