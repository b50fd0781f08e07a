//! What Graph's objects are called in the store.

/// How the kinds and ids of Graph objects begin.
pub(crate) const PREFIX: &str = "graph/";
/// The kind of an application.
pub(crate) const APPLICATION: &str = "graph/application";
/// The kind of a service principal.
pub(crate) const PRINCIPAL: &str = "graph/servicePrincipal";
/// The kind of a federated credential.
pub(crate) const CREDENTIAL: &str = "graph/federatedIdentityCredential";
