//! Asks over the wire, and of a list asks for every page.

use tenantry_core::steps::{Failure, Page, Pages, Reply, Request};

use crate::ports::Wire;

/// The answer to a request; that to one for a list is the whole list, read page after page. The wire follows only
/// addresses on the service's own host.
///
/// # Errors
/// A [`Failure`] when there is no answer, or when a list breaks off.
pub async fn ask(wire: &dyn Wire, request: Request) -> Result<Reply, Failure> {
    if !request.list {
        return wire.send(request).await;
    }
    let mut pages = Pages::of(&request);
    let mut next = request;
    loop {
        match pages.take(wire.send(next).await?)? {
            Page::Next(request) => next = request,
            Page::Complete(reply) => return Ok(reply),
        }
    }
}
