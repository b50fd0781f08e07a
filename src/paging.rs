//! Sends a request, and reads a list page by page.

use tenantry_core::steps::{Failure, Page, Pages, Reply, Request};

use crate::ports::Transport;

/// Returns the answer to a request. For a list the answer is the whole list, read page after page; the transport
/// follows only addresses on the service's own host.
///
/// # Errors
/// A [`Failure`] when there is no answer, or when a list ends early.
pub async fn ask(transport: &dyn Transport, request: Request) -> Result<Reply, Failure> {
    if !request.list {
        return transport.send(request).await;
    }
    let mut pages = Pages::of(&request);
    let mut next = request;
    loop {
        match pages.take(transport.send(next).await?)? {
            Page::Next(request) => next = request,
            Page::Complete(reply) => return Ok(reply),
        }
    }
}
