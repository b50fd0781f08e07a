//! Soft-deleted applications and service principals, which Entra keeps for thirty days.
//!
//! Sources: Microsoft Graph, "List deletedItems", "Restore deleted item" and "Permanently delete item". Restoring
//! brings back the same object with its ids; restoring an application does not restore its service principal. The list
//! can be filtered by `tags` and `appId`, not by `uniqueName`. The `uniqueName` of a soft-deleted application can't be
//! used again (public issue microsoftgraph/msgraph-bicep-types#137).

use serde_json::{Value, json};

use super::{Failure, GraphPath, Method, ObjectId, Reply, Request, failure, items, request::odata_key};
use crate::compare::eq_ignore_case;

/// The largest size of a page that Graph allows.
const PAGE: &str = "999";

/// How one application or service principal is found after its deletion.
pub(super) struct Deleted {
    /// The path of the list of deleted objects of the object's type.
    all: &'static str,
    /// The name and value of the member that identifies the object.
    key: (&'static str, String),
    /// The filter for the list of deleted objects; `None` if the list is not read.
    filter: Option<String>,
    /// The object's id, if known.
    object_id: Option<ObjectId>,
}

impl Deleted {
    pub(super) fn application(unique_name: &str, owner: &[String], object_id: Option<ObjectId>) -> Self {
        let tag = owner.iter().find(|tag| tag.starts_with("tenantry-tenant:"));
        let filter = tag.map(|tag| format!("tags/any(t:t%20eq%20'{}')", odata_key(tag)));
        Self {
            all: "/v1.0/directory/deletedItems/microsoft.graph.application",
            key: ("uniqueName", unique_name.to_owned()),
            filter,
            object_id,
        }
    }

    pub(super) fn service_principal(app_id: &str, object_id: Option<ObjectId>) -> Self {
        let filter = Some(format!("appId%20eq%20'{}'", odata_key(app_id)));
        Self {
            all: "/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal",
            key: ("appId", app_id.to_owned()),
            filter,
            object_id,
        }
    }

    /// The requests that find the object: by its id if that is known, then in the list of deleted objects.
    pub(super) fn reads(&self) -> Vec<Request> {
        let by_id = self.object_id.as_ref().map(|id| Request::graph(Method::Get, item(id)));
        let in_list = self.filter.as_deref().map(|filter| {
            let select = if self.key.0 == "appId" { "id,appId,tags" } else { "id,appId,uniqueName,tags" };
            Request::graph(Method::Get, GraphPath::of(self.all))
                .with_query("$filter", filter)
                .with_query("$select", select)
                .with_query("$top", PAGE)
        });
        by_id.into_iter().chain(in_list.map(Request::every_page)).collect()
    }

    /// Whether request number `read` of [`Self::reads`] is by the object's id, and not of the list.
    pub(super) fn is_by_id(&self, read: usize) -> bool {
        read == 0 && self.object_id.is_some()
    }

    /// The object in the answer to request number `read` of [`Self::reads`]; `None` if the object is not among the
    /// deleted ones.
    pub(super) fn shown<'a>(&self, read: usize, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        let listed = !self.is_by_id(read);
        match reply.status {
            404 => Ok(None),
            // This read needs a permission of its own (`Application.Read.All`). Without it the object counts as not
            // found; if the object exists all the same, a write fails because its name is held.
            403 => Ok(None),
            400 if listed => Ok(None),
            200 if listed => self.in_list(reply),
            200 if reply.body.get("id").is_some_and(Value::is_string) => {
                let (key, value) = &self.key;
                let same = reply
                    .body
                    .get(*key)
                    .and_then(Value::as_str)
                    .is_none_or(|seen| eq_ignore_case(seen, value));
                Ok(same.then_some(&reply.body))
            }
            200..=299 => Err(Failure::nonsense("the answer shows no object")),
            _ => Err(failure::classify(reply)),
        }
    }

    fn in_list<'a>(&self, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        let (key, value) = &self.key;
        let is_it = |object: &&Value| {
            object.get(*key).and_then(Value::as_str).is_some_and(|seen| eq_ignore_case(seen, value))
        };
        Ok(items(reply)?.iter().find(is_it))
    }

    /// The request that restores the object `id`. The members of the body are for users only, but the API description
    /// requires a body.
    pub(super) fn restore(id: &ObjectId) -> Request {
        Request::graph(Method::Post, item(id).then("/restore")).with_body(json!({}))
    }

    /// The request that deletes the soft-deleted object `id` permanently.
    pub(super) fn purge(id: &ObjectId) -> Request {
        Request::graph(Method::Delete, item(id))
    }
}

fn item(id: &ObjectId) -> GraphPath {
    GraphPath::of("/v1.0/directory/deletedItems").item(id)
}
