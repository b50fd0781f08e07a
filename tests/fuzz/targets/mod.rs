//! The fuzz targets and their guarantees.

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

/// A decoder with its guarantees.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Gives an input to the decoder. Panics if a guarantee is violated, otherwise returns the kind of verdict.
    pub(crate) check: fn(&[u8]) -> String,
    /// Initial inputs, besides those in files.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Texts that have a meaning for it.
    pub(crate) tokens: &'static [&'static str],
    /// The longest input: above its limit, if it has one.
    pub(crate) most: usize,
}

/// How a target is run.
type Run = fn(&Arguments) -> Outcome;

/// All targets, by name.
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
