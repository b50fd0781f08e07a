//! The signup apps of examples/signup-app against the real program: a sign-up, what is told of it, twice and late, and
//! who may tell.
//!
//! Each test plays one story with each language.

mod app;
mod delivery;
mod queue;
mod webhook;

use crate::binary::program;
