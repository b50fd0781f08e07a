//! The signup apps of examples/signup-app against the real program: a sign-up, its events (repeated and late), and
//! who may send events.
//!
//! Each test runs the same scenario with each language.

mod app;
mod delivery;
mod queue;
mod webhook;

use crate::binary::program;
