//! Microsoft Graph v1.0: applications, service principals and federated identity credentials.
//!
//! Source: Microsoft Graph documentation of the upsert calls, of deleted items and of federated identity credentials. A
//! write takes effect at once. Reads show a new object, and other objects can refer to it, only when replicas have it.

mod applications;
mod body;
pub(crate) mod credentials;
pub(crate) mod deleted;
pub(crate) mod find;
pub(crate) mod kinds;
pub(crate) mod managed;
pub(crate) mod ownership;
mod principals;
mod requests;
mod target;

pub(crate) use self::requests::{change, read, touched};
