//! The program as people, scripts and the Functions host run it: arguments and settings in, output and exit codes out.

mod commands;
mod events;
mod killed;
mod local;
pub(crate) mod program;
mod serve;
mod stopped;
mod subscriber;
