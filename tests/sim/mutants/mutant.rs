//! Which mutant is at work; this file is part of the copy of the tree alone that the mutants are put into
//! (docs/trust.md).

use std::{borrow::Cow, cell::Cell};

thread_local! {
    static CHOSEN: Cell<&'static str> = const { Cell::new("") };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Breaks the program in one way, in this thread, from now on; the empty name mends it.
pub fn choose(name: &'static str) {
    CHOSEN.set(name);
    DRAWN.set(0);
}

/// Whether the program is to be broken in this way.
pub fn is(name: &str) -> bool {
    CHOSEN.get() == name
}

/// A text that is another each time, if the program is to be broken in this way; else the empty one.
pub fn noise(name: &str) -> Cow<'static, str> {
    if !is(name) {
        return Cow::Borrowed("");
    }
    DRAWN.set(DRAWN.get() + 1);
    Cow::Owned(DRAWN.get().to_string())
}
