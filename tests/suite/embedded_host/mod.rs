//! The embedded Functions host, which calls handlers over real HTTP. Tests wait for events, bounded by
//! [`harness::TIMEOUT`]; only timeouts and locks take real time.

mod delivery;
mod front;
mod harness;
mod life;
