//! Sends a request to Azure. If the request is for a list, reads all pages of the list.

use tenantry_core::steps::{Failure, Page, Pages, Reply, Request};

use crate::ports::Transport;

/// Returns the answer to a request. For a list, the answer contains the items of all pages; the transport follows only
/// links on the service's own host.
///
/// # Errors
/// A [`Failure`] when a request gets no answer, or when a list is incomplete, for example because a later page is
/// refused.
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
