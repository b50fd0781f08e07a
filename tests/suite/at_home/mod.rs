//! At home under the real Functions host: what its timers, its queues and its HTTP front do to a handler, and what has to
//! come of it.

mod late;
mod said;
mod sweep;
