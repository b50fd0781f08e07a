//! The fuzz targets, each with what it guarantees.

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

/// A decoder with what it guarantees.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Gives an input to the decoder. Panics if a guarantee is violated, otherwise returns the kind of result.
    pub(crate) check: fn(&[u8]) -> String,
    /// Initial inputs, in addition to the files of the corpus.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Texts that have a meaning for the decoder, which mutations insert.
    pub(crate) tokens: &'static [&'static str],
    /// The longest input in bytes. If the decoder has a limit, this is above it.
    pub(crate) most: usize,
}

/// Runs a target.
type Run = fn(&Arguments) -> Outcome;

/// All targets: name, and how to run it.
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
