//! Finding applications and service principals: their ids, the names that they take, and by what they are asked for.

use crate::{
    error::CloudError,
    graph::kinds::APPLICATION,
    store::{Look, Object},
};

/// By what an object is asked for.
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

/// The id under which an application is kept.
pub(crate) fn application_id(id: &str) -> String {
    format!("graph/applications/{id}")
}

/// The name that a `uniqueName` takes. Upper and lower case differ.
pub(crate) fn unique_key(name: &str) -> String {
    format!("application@{name}")
}

/// The name that an `appId` takes.
pub(crate) fn app_id_key(app_id: &str) -> String {
    format!("appid@{}", app_id.to_lowercase())
}

/// A living application.
pub(crate) fn application(look: &impl Look, key: &Key) -> Result<Option<Object>, CloudError> {
    let found = match key {
        Key::Id(id) => look.alive(&application_id(id))?,
        Key::AppId(id) => look.living_holder(&app_id_key(id))?,
        Key::Name(name) => look.living_holder(&unique_key(name))?,
    };
    Ok(found.filter(|object| object.kind == APPLICATION))
}

/// The id under which a service principal is kept.
pub(crate) fn principal_id(id: &str) -> String {
    format!("graph/servicePrincipals/{id}")
}

/// The name that the principal of an application takes.
pub(crate) fn owner_key(app_id: &str) -> String {
    format!("principal@{}", app_id.to_lowercase())
}

/// A living service principal by its object id.
pub(crate) fn principal_with_id(look: &impl Look, id: &str) -> Result<Option<Object>, CloudError> {
    look.alive(&principal_id(id))
}

/// A living service principal.
pub(crate) fn principal(look: &impl Look, key: &Key) -> Result<Option<Object>, CloudError> {
    match key {
        Key::Id(id) => principal_with_id(look, id),
        Key::AppId(id) => look.living_holder(&owner_key(id)),
        Key::Name(_) => Ok(None),
    }
}
