//! The embedded Functions host, driving handlers over real HTTP. Waits are for events, bounded by
//! [`stage::PATIENCE`]; only what is itself a duration (a timeout, a lock) takes its time.

mod delivery;
mod front;
mod life;
mod stage;
