//! The least power: derived from blueprints, printed, and held against what the simulated Azure asks for.

mod derived;
mod enforced;
mod held;
mod life;
mod matching;
