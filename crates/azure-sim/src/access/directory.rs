//! Decides whether a caller may send a request to Graph, by its application roles.
//!
//! Sources: Microsoft, "Microsoft Graph permissions reference" (`Application.ReadWrite.OwnedBy`: an identity may create
//! applications, and manage those that it owns), "Get deleted item" and "List deletedItems" (`Application.Read.All`),
//! "Permanently delete item" and "Restore deleted item" (`Application.ReadWrite.OwnedBy`).

use crate::{
    access::rights::Holder,
    call::Call,
    graph::{self, ownership::owner},
    reply::{Outcome, refuse},
    store::StoreQuery,
};

const OWNED: &str = "Application.ReadWrite.OwnedBy";
const WRITE_ALL: &str = "Application.ReadWrite.All";
const READ_ALL: &str = "Application.Read.All";

/// Refuses a request to Graph that the application roles of the caller (`holder`) do not allow.
pub(crate) fn check(holder: &Holder, view: &impl StoreQuery, call: &Call) -> Outcome<()> {
    let has = |roles: &[&str]| roles.iter().any(|role| holder.graph.contains(*role));
    let denied =
        || refuse(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    if !call.mutates() {
        let deleted = call.path.to_lowercase().contains("/directory/deleteditems");
        let enough: &[&str] = if deleted { &[READ_ALL, WRITE_ALL] } else { &[OWNED, READ_ALL, WRITE_ALL] };
        return if has(enough) { Ok(()) } else { denied() };
    }
    if has(&[WRITE_ALL]) {
        return Ok(());
    }
    if !has(&[OWNED]) {
        return denied();
    }
    let made_by = graph::touched(view, call)?.map(|id| owner(view, &id)).transpose()?.flatten();
    match made_by {
        Some(owner) if !owner.eq_ignore_ascii_case(&holder.object_id) => denied(),
        Some(_) | None => Ok(()),
    }
}
