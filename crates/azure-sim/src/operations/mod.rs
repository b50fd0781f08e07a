//! Long-running operations: durable records, both ways of polling, and what happens when one ends.
//!
//! Source: Azure docs, async-operations. `Azure-AsyncOperation` answers 200 with a status; `Location` answers 202 while
//! running and 200 or 204 afterwards. Nothing runs in the background: whatever is due is carried out before the next
//! request reads, in order of its instants.

pub(crate) mod lifecycle;
pub(crate) mod polls;
pub(crate) mod run;
