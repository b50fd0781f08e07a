//! The protocol of the Functions host, which sends invocations and expects JSON objects. What a function does is behind
//! [`Functions`].
//!
//! # The steps of an invocation
//! 1. The host POSTs an envelope `{"Data": {..}, "Metadata": {..}}` to `/<Function>` ([`server`]).
//! 2. [`Function`] says which trigger the function has; the envelope is parsed to a typed [`Invocation`].
//! 3. [`Functions::call`] does the work and returns an [`Answer`].
//! 4. The answer becomes a JSON object ([`reply`]). After any status but 2xx the host delivers a queue message again,
//!    at once and at most ten times. Such a status is therefore used only if nothing could be saved, and is sent late
//!    ([`late`]).
//!
//! # Why the answer is always an object
//! A 2xx with an empty body or the literal `null` completes nothing: the host waits until `functionTimeout`, then kills
//! this process and with it every other invocation (azure-functions-host, `DefaultHttpWorkerService`). No code path in
//! this module can produce such an answer, not even a panic in a function.

mod encoding;
pub mod functions;
mod http_call;
mod invocation;
pub mod late;
pub mod reply;
pub mod server;
mod trace;

use futures_util::future::BoxFuture;

pub use functions::Function;
pub use http_call::HttpCall;
pub use invocation::{BadEnvelope, Invocation, Message, Timer, Trigger};
pub use reply::Answer;
pub use server::{SHUTDOWN_GRACE, bind, serve};

/// What the functions do: the interface between the host's protocol and the rest of the program.
///
/// # Guarantees to the implementer
/// A function is called with the trigger that [`Function::kind`] gives it. Calls run concurrently. A call continues
/// when the host disconnects. When the server is dropped, the call is dropped at any await, as if the process were
/// killed. A message that is answered with [`Answer::TryAgain`] may be passed in again within the same invocation.
pub trait Functions: Send + Sync {
    /// Handles one invocation. A panic fails only this invocation.
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer>;
}
