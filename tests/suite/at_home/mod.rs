//! Under the real Functions host: what its timers, its queues and its HTTP front do to a handler, and how the handler
//! has to react.

mod late;
mod said;
mod sweep;
