//! The Functions host speaks: invocations in, JSON objects out. The protocol only; what a function does is behind
//! [`Functions`].
//!
//! # The way of one invocation
//! 1. The host POSTs an envelope `{"Data": {..}, "Metadata": {..}}` to `/<Function>` ([`server`]).
//! 2. The [functions](Function) says which trigger that function has; the envelope becomes a
//!    typed [`Invocation`].
//! 3. [`Functions::call`] does the work and gives an [`Answer`].
//! 4. The answer becomes a JSON object ([`reply`]). Anything but 2xx makes the host hand a queue message in again, at
//!    once and at most ten times, so it is kept for "nothing could be saved", and is told late ([`late`]).
//!
//! # Why so careful about the answer
//! A 2xx with an empty body or the literal `null` completes nothing: the host waits until `functionTimeout`, then kills
//! this process and with it every other invocation (azure-functions-host, `DefaultHttpWorkerService`). No path in here
//! can produce such an answer, not even a panic in a function.

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
pub use server::{FAREWELL, bind, serve};

/// What the functions do: the one seam between the protocol and the product.
///
/// # Guarantees to the implementer
/// A function comes with the trigger that [`Function::kind`] gives it. Calls run concurrently. A call goes on when the host
/// hangs up, and is dropped at any await when the server is dropped, as it would be by a kill. A message that is answered
/// with [`Answer::TryAgain`] may be handed in again within the same invocation.
pub trait Functions: Send + Sync {
    /// Handles one invocation. A panic in here is answered as a failure of this invocation alone.
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer>;
}
