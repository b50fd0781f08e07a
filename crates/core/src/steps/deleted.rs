//! What Entra keeps for thirty days after its deletion: applications and service principals.
//!
//! Sources: Microsoft Graph, "List deletedItems", "Restore deleted item" and "Permanently delete item". Restoring brings
//! back the same object with its ids; restoring an application leaves its service principal among the deleted. In a
//! list `tags` and `appId` can be filtered by, `uniqueName` can't. While an application lies there its `uniqueName` is
//! taken (public issue microsoftgraph/msgraph-bicep-types#137).

use serde_json::{Value, json};

use super::{Failure, GraphPath, Method, ObjectId, Reply, Request, failure, items, request::odata_key};
use crate::compare::same_word;

/// The most that Graph puts into one page.
const PAGE: &str = "999";

/// Where one object is found once it is deleted.
pub(super) struct Deleted {
    /// The list of the deleted of its type.
    all: &'static str,
    /// The member that finds it again, with its value.
    key: (&'static str, String),
    /// What a list of deleted objects is filtered by; without it, it is not looked for in a list.
    filter: Option<String>,
    /// Its id, if it was ever seen.
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

    /// By its id if that is known, then in the list of all.
    pub(super) fn looks(&self) -> Vec<Request> {
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

    /// Whether the look number `look` is for the very object that the step has made or found.
    pub(super) fn is_by_id(&self, look: usize) -> bool {
        look == 0 && self.object_id.is_some()
    }

    /// The object that the answer to the look number `look` shows; `None` when it is not among the deleted.
    pub(super) fn shown<'a>(&self, look: usize, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        let listed = !self.is_by_id(look);
        match reply.status {
            404 => Ok(None),
            // Looking there takes a permission of its own (`Application.Read.All`). Without it nothing is found, and
            // what is there all the same shows when the name turns out to be held.
            403 => Ok(None),
            400 if listed => Ok(None),
            200 if listed => self.in_list(reply),
            200 if reply.body.get("id").is_some_and(Value::is_string) => {
                let (key, value) = &self.key;
                let same =
                    reply.body.get(*key).and_then(Value::as_str).is_none_or(|seen| same_word(seen, value));
                Ok(same.then_some(&reply.body))
            }
            200..=299 => Err(Failure::nonsense("the answer shows no object")),
            _ => Err(failure::classify(reply)),
        }
    }

    fn in_list<'a>(&self, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        let (key, value) = &self.key;
        let is_it = |object: &&Value| {
            object.get(*key).and_then(Value::as_str).is_some_and(|seen| same_word(seen, value))
        };
        Ok(items(reply)?.iter().find(is_it))
    }

    /// Brings it back. The body's members are for users only; the description wants one all the same.
    pub(super) fn restore(id: &ObjectId) -> Request {
        Request::graph(Method::Post, item(id).then("/restore")).with_body(json!({}))
    }

    /// Removes it for good.
    pub(super) fn purge(id: &ObjectId) -> Request {
        Request::graph(Method::Delete, item(id))
    }
}

fn item(id: &ObjectId) -> GraphPath {
    GraphPath::of("/v1.0/directory/deletedItems").item(id)
}
