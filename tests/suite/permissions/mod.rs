//! Least privilege: permissions are derived from blueprints, printed, and compared with what the simulated Azure
//! requires.

mod derived;
mod enforced;
mod held;
mod life;
mod matching;
