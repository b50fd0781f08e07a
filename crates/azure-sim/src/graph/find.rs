//! Finds applications and service principals by the keys in requests: their ids in the store and the unique names that
//! they reserve.

use crate::{
    error::CloudError,
    graph::kinds::APPLICATION,
    store::{Object, StoreQuery},
};

/// The key by which a request names an object.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// The object id.
    Id(String),
    /// The `appId` of an application or of a service principal's application.
    AppId(String),
    /// The `uniqueName` of an application, or the `name` of a credential.
    Name(String),
}

impl Key {
    /// The text of the key, for messages of refusals.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Id(text) | Self::AppId(text) | Self::Name(text) => text,
        }
    }
}

/// The id under which an application is stored, from its object id.
pub(crate) fn application_id(id: &str) -> String {
    format!("graph/applications/{id}")
}

/// The unique name that an application reserves for its `uniqueName`. It is case-sensitive.
pub(crate) fn unique_key(name: &str) -> String {
    format!("application@{name}")
}

/// The unique name that an application reserves for its `appId`.
pub(crate) fn app_id_key(app_id: &str) -> String {
    format!("appid@{}", app_id.to_lowercase())
}

/// The application with a key, if there is one and it is not deleted. Replicas need not show it yet.
pub(crate) fn application(view: &impl StoreQuery, key: &Key) -> Result<Option<Object>, CloudError> {
    let found = match key {
        Key::Id(id) => view.alive(&application_id(id))?,
        Key::AppId(id) => view.living_holder(&app_id_key(id))?,
        Key::Name(name) => view.living_holder(&unique_key(name))?,
    };
    Ok(found.filter(|object| object.kind == APPLICATION))
}

/// The id under which a service principal is stored, from its object id.
pub(crate) fn principal_id(id: &str) -> String {
    format!("graph/servicePrincipals/{id}")
}

/// The unique name that a service principal reserves for its `appId`: an application has at most one.
pub(crate) fn owner_key(app_id: &str) -> String {
    format!("principal@{}", app_id.to_lowercase())
}

/// The service principal with an object id, if there is one and it is not deleted. Replicas need not show it yet.
pub(crate) fn principal_with_id(view: &impl StoreQuery, id: &str) -> Result<Option<Object>, CloudError> {
    view.alive(&principal_id(id))
}

/// The service principal with a key, if there is one and it is not deleted. Replicas need not show it yet.
pub(crate) fn principal(view: &impl StoreQuery, key: &Key) -> Result<Option<Object>, CloudError> {
    match key {
        Key::Id(id) => principal_with_id(view, id),
        Key::AppId(id) => view.living_holder(&owner_key(id)),
        Key::Name(_) => Ok(None),
    }
}
