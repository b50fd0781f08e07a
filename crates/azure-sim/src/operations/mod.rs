//! Long-running operations: their records, both ways of polling, and the effects of their end.
//!
//! Source: Azure docs, async-operations. The URL in `Azure-AsyncOperation` answers 200 with a status; the URL in
//! `Location` answers 202 while the operation runs, and 200 or 204 afterwards. Nothing runs in the background: before a
//! request reads, it carries out everything that is due, ordered by time.

pub(crate) mod lifecycle;
pub(crate) mod polls;
pub(crate) mod run;
