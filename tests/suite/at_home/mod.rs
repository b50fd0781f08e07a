//! The handler under the conditions of the real Functions host: repeated deliveries, dropped bodies, and a time limit
//! for each call.

mod late;
mod said;
mod sweep;
