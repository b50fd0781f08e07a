//! The table of rules. Each has a stable code, what a violation means, and what to do about it.

mod access;
mod entra;
mod network;
mod probes;
mod resources;

use super::{
    case::Case,
    powers::Capability,
    report::{Finding, Given},
};

/// One violation that a rule has found: the fields of its [`Finding`] that differ between violations of the same rule.
struct Found {
    about: String,
    says: String,
    can: Vec<Capability>,
    given: Option<Given>,
}

impl Found {
    fn new(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { about: about.into(), says: says.into(), can: Vec::new(), given: None }
    }
}

/// One rule of the isolation check.
pub struct Rule {
    /// The rule's code in reports and events; stable.
    pub code: &'static str,
    /// What a violation of the rule means.
    pub means: &'static str,
    /// What to do about a violation; `TENANT` at the end of a command stands for the tenant's id.
    pub next: &'static str,
    /// Whether a violation lets others reach the tenant, or act as the tenant. If not, the tenant reaches others, or an
    /// object is not in its desired state, which gives no one access.
    pub lets_others_in: bool,
    judge: fn(&Case<'_>) -> Vec<Found>,
}

impl Rule {
    pub(super) fn findings(&self, case: &Case<'_>) -> Vec<Finding> {
        let finding = |Found { about, says, can, given }| Finding {
            code: self.code.into(),
            about,
            says,
            can,
            means: self.means.into(),
            next: case.judged.tenant_id.within(self.next).into(),
            given,
        };
        (self.judge)(case).into_iter().map(finding).collect()
    }
}

const fn rule(
    code: &'static str,
    means: &'static str,
    next: &'static str,
    judge: fn(&Case<'_>) -> Vec<Found>,
) -> Rule {
    Rule { code, means, next, lets_others_in: true, judge }
}

impl Rule {
    /// Marks the rule as one whose violation gives no one else access: it is no reason to suspend the tenant.
    const fn lets_nobody_in(self) -> Self {
        Self { lets_others_in: false, ..self }
    }
}

/// Whether a violation of the rule with this code gives others access; `true` for an unknown code.
pub(super) fn lets_others_in(code: &str) -> bool {
    RULES.iter().find(|rule| rule.code == code).is_none_or(|rule| rule.lets_others_in)
}

const REPAIR: &str = "run `tenantry reconcile TENANT`: what differs from its blueprint is put right";
const TAKE_BACK: &str =
    "take the assignment back, or declare the principal in TENANTRY_ISOLATION_ALLOW with the reason";

/// All rules of the isolation check.
pub const RULES: [Rule; 29] = [
    // Role assignments.
    rule(
        "other-tenant-can-reach",
        "another tenant's principal reaches this tenant's service, keys, data or settings",
        TAKE_BACK,
        access::other_tenants,
    ),
    rule(
        "stranger-can-reach",
        "somebody who is neither the tenant nor declared reaches its service, keys, data or settings",
        TAKE_BACK,
        access::strangers,
    ),
    rule(
        "reaches-beyond",
        "the tenant's own principal reaches what is not the tenant's: other tenants' data, or what all share",
        "take the assignment back; the blueprint grants none outside of the tenant's own resources",
        access::beyond,
    )
    .lets_nobody_in(),
    // Settings of resources.
    rule(
        "key-auth",
        "the service can be called with a key, and a key can be passed on to anybody",
        "delete the endpoint in Azure, for its way of signing in can't be changed; `tenantry reconcile TENANT` recreates it",
        resources::key_auth,
    ),
    rule(
        "endpoint-public",
        "the service can be called from the internet",
        REPAIR,
        resources::endpoint_public,
    ),
    rule(
        "workspace-public",
        "the workspace around the service is open to the internet",
        REPAIR,
        resources::workspace_public,
    ),
    rule("storage-public", "the data is open to the internet", REPAIR, resources::storage_public),
    rule("vault-public", "the vault is open to the internet", REPAIR, resources::vault_public),
    rule("account-public", "the service can be called from the internet", REPAIR, resources::account_public),
    rule(
        "storage-keys",
        "the data can be read with an account key or a signature made with one, past all roles",
        REPAIR,
        resources::storage_keys,
    ),
    rule(
        "storage-anonymous",
        "containers can be opened to everybody, without signing in",
        REPAIR,
        resources::storage_anonymous,
    ),
    rule(
        "storage-local-users",
        "the data can be read over SFTP by users that Entra does not know",
        REPAIR,
        resources::storage_local_users,
    ),
    rule(
        "storage-lets-others-in",
        "a resource that is not the tenant's comes through the storage account's firewall",
        REPAIR,
        resources::storage_lets_others_in,
    ),
    rule(
        "vault-policies",
        "the vault goes by access policies of its own, which no role assignment shows",
        REPAIR,
        resources::vault_policies,
    ),
    rule(
        "endpoint-identity",
        "the service runs as an identity that is not only this tenant's, or reads what all tenants keep in the workspace",
        "delete the endpoint in Azure, for its identity can't be changed; `tenantry reconcile TENANT` recreates it",
        resources::endpoint_identity,
    )
    .lets_nobody_in(),
    rule(
        "mark-wrong",
        "the resource does not say that it is this tenant's, so it may be somebody else's",
        "find out who changed the tags; with the right ones back, tenantry takes it for its own again",
        resources::mark_wrong,
    )
    .lets_nobody_in(),
    rule(
        "resource-missing",
        "something that the tenant consists of is not there, so nothing is proved by how it is set",
        REPAIR,
        resources::missing,
    )
    .lets_nobody_in(),
    // Private networking.
    rule(
        "connection-not-approved",
        "the private way to the workspace does not work, so calls would need another way",
        "approve the connection at the workspace, or find out who rejected it",
        network::not_approved,
    )
    .lets_nobody_in(),
    rule(
        "private-endpoint-elsewhere",
        "the tenant's private endpoint is in another network than its stamp's, or leads elsewhere",
        "remove the private endpoint in Azure; `tenantry reconcile TENANT` recreates it",
        network::elsewhere,
    )
    .lets_nobody_in(),
    rule(
        "foreign-private-endpoint",
        "another network than the tenant's stamp has a private way in",
        "reject the connection, or declare the private endpoint in TENANTRY_ISOLATION_ALLOW with the reason",
        network::foreign,
    ),
    rule(
        "dns-zone-missing",
        "the service's name does not lead to its private address, but to the public one",
        REPAIR,
        network::dns_missing,
    )
    .lets_nobody_in(),
    rule(
        "dns-zone-elsewhere",
        "the service's name is recorded in a zone that is not the stamp's",
        REPAIR,
        network::dns_elsewhere,
    )
    .lets_nobody_in(),
    // Who can act as the tenant.
    rule(
        "application-secret",
        "whoever has the password or certificate is the tenant",
        "remove it from the application or service principal, and find out who added it",
        entra::secrets,
    ),
    rule(
        "credential-undeclared",
        "an outside identity that nobody declared can become the tenant",
        "remove the federated credential, and find out who added it",
        entra::undeclared,
    ),
    rule(
        "credential-changed",
        "another outside identity than the declared one can become the tenant",
        REPAIR,
        entra::changed,
    ),
    rule(
        "identity-credential",
        "an outside identity can become the identity that the service runs as",
        "remove the federated credential of the managed identity, and find out who added it",
        entra::identity_credentials,
    ),
    rule(
        "application-owner",
        "an owner can add credentials and so become the tenant",
        "remove the owner, or declare it in TENANTRY_ISOLATION_ALLOW with the reason",
        entra::owners,
    ),
    rule(
        "principal-enabled",
        "the tenant is suspended, and Entra still gives its application tokens",
        REPAIR,
        entra::enabled,
    )
    .lets_nobody_in(),
    // Results of calls.
    rule(
        "probe-accepted",
        "somebody who must be refused was let in to the tenant's service",
        "take the service out of use until it is known why: compare its settings, its roles and what stands before it",
        probes::accepted,
    ),
];
