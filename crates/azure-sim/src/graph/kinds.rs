//! The kinds of Graph objects in the store (`Object::kind`).

/// The prefix of the kinds and ids of Graph objects.
pub(crate) const PREFIX: &str = "graph/";
/// The kind of an application.
pub(crate) const APPLICATION: &str = "graph/application";
/// The kind of a service principal.
pub(crate) const PRINCIPAL: &str = "graph/servicePrincipal";
/// The kind of a federated credential.
pub(crate) const CREDENTIAL: &str = "graph/federatedIdentityCredential";
