//! What is given inputs, and what it promises.

mod answers;
mod blueprint;
mod document;
mod envelope;
mod expression;
mod fuzzer;
mod message;
mod names;
mod redaction;
mod settings;

use super::{
    arguments::Arguments,
    run::{self, Outcome},
};

/// A decoder with its promises.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Gives an input to the decoder; panics if a promise is broken, otherwise names the kind of verdict.
    pub(crate) check: fn(&[u8]) -> String,
    /// Inputs to begin with, besides those in files.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something to it.
    pub(crate) words: &'static [&'static str],
    /// The longest input: beyond what it takes, where it has a limit.
    pub(crate) most: usize,
}

/// How a target is run.
type Run = fn(&Arguments) -> Outcome;

/// All of them, by name.
pub(crate) const ALL: [(&str, Run); 10] = [
    ("envelope", |arguments| run::target(&envelope::TARGET, arguments)),
    ("message", |arguments| run::target(&message::TARGET, arguments)),
    ("blueprint", |arguments| run::target(&blueprint::TARGET, arguments)),
    ("expression", |arguments| run::target(&expression::TARGET, arguments)),
    ("document", |arguments| run::target(&document::TARGET, arguments)),
    ("answers", |arguments| run::target(&answers::TARGET, arguments)),
    ("redaction", |arguments| run::target(&redaction::TARGET, arguments)),
    ("settings", |arguments| run::target(&settings::TARGET, arguments)),
    ("names", names::run),
    ("fuzzer", fuzzer::run),
];
