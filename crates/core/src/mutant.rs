//! Faults on purpose in this program, to prove that the simulator's checkers see them (docs/trust.md).
//!
//! Without the feature `mutants` every question is answered `false` by a constant, and nothing of this is left in the
//! program. The feature can't be had without debug assertions, so no release can be built with it.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!(
    "the feature `mutants` breaks the program on purpose: it is for the simulator, never for a release"
);

#[cfg(not(feature = "mutants"))]
use std::borrow::Cow;

#[cfg(feature = "mutants")]
mod chosen {
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
}

#[cfg(feature = "mutants")]
pub use chosen::choose;
#[cfg(feature = "mutants")]
pub use chosen::{is, noise};

/// Whether the program is to be broken in this way: never.
#[cfg(not(feature = "mutants"))]
pub const fn is(_: &str) -> bool {
    false
}

/// Nothing.
#[cfg(not(feature = "mutants"))]
pub const fn noise(_: &str) -> Cow<'static, str> {
    Cow::Borrowed("")
}
