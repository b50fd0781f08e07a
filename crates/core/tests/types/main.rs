//! Tests of the table of Azure's resource types.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and so may its helpers")]

/// The bodies in the shipped blueprints.
mod blueprints;
/// Bodies with one fault each.
mod bodies;
/// Names and versions of types.
mod index;
/// Warnings about bodies, with line and column.
mod lint;
/// Questions about JSON pointers, numbers and types at a version.
mod questions;
/// A simple subset of YAML as JSON values, for the tables. Shared with the integration tests of the program.
#[path = "../../../../tests/suite/isolation/yaml.rs"]
mod yaml;
