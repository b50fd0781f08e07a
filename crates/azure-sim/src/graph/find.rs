//! Finds applications and service principals: their ids, their unique names, and their keys in requests.

use crate::{
    error::CloudError,
    graph::kinds::APPLICATION,
    store::{Object, StoreQuery},
};

/// The key of an object in a request.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// Its object id.
    Id(String),
    /// The `appId` of an application or of a service principal's application.
    AppId(String),
    /// The `uniqueName` of an application, or the `name` of a credential.
    Name(String),
}

impl Key {
    /// The key as refusals show it.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Id(text) | Self::AppId(text) | Self::Name(text) => text,
        }
    }
}

/// The id under which an application is stored.
pub(crate) fn application_id(id: &str) -> String {
    format!("graph/applications/{id}")
}

/// The unique name of a `uniqueName`. It is case-sensitive.
pub(crate) fn unique_key(name: &str) -> String {
    format!("application@{name}")
}

/// The unique name of an `appId`.
pub(crate) fn app_id_key(app_id: &str) -> String {
    format!("appid@{}", app_id.to_lowercase())
}

/// An application that is not deleted.
pub(crate) fn application(view: &impl StoreQuery, key: &Key) -> Result<Option<Object>, CloudError> {
    let found = match key {
        Key::Id(id) => view.alive(&application_id(id))?,
        Key::AppId(id) => view.living_holder(&app_id_key(id))?,
        Key::Name(name) => view.living_holder(&unique_key(name))?,
    };
    Ok(found.filter(|object| object.kind == APPLICATION))
}

/// The id under which a service principal is stored.
pub(crate) fn principal_id(id: &str) -> String {
    format!("graph/servicePrincipals/{id}")
}

/// The unique name of the principal of an application.
pub(crate) fn owner_key(app_id: &str) -> String {
    format!("principal@{}", app_id.to_lowercase())
}

/// A service principal that is not deleted, by its object id.
pub(crate) fn principal_with_id(view: &impl StoreQuery, id: &str) -> Result<Option<Object>, CloudError> {
    view.alive(&principal_id(id))
}

/// A service principal that is not deleted.
pub(crate) fn principal(view: &impl StoreQuery, key: &Key) -> Result<Option<Object>, CloudError> {
    match key {
        Key::Id(id) => principal_with_id(view, id),
        Key::AppId(id) => view.living_holder(&owner_key(id)),
        Key::Name(_) => Ok(None),
    }
}
