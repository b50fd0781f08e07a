//! Compares the permissions that this program's identities hold, as Azure and Entra report them, with those that are
//! required.
//!
//! Sources: Microsoft, "Permissions - List For Resource Group" (what the caller may do at a scope, without regard to
//! conditions), and "Access token claims reference" (`roles`: the application's permissions).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tenantry_core::{
    ids::{ApiVersion, BadId, ResourceId},
    permissions::{
        Held, OPTIONAL, Permissions, Role, RoleComparison, compare,
        data_plane::{GRAPH, GRAPH_OPTIONAL},
    },
    steps::{Failure, Method, Request, items},
};

use super::{
    client::client,
    ports::{AzureError, scopes},
    token::{Audience, Tokens},
    transport::{Hosts, HttpTransport},
};
use crate::{
    config::{AzureConfig, Identity},
    paging::ask,
    ports::Clock,
};

/// The API version of "Permissions - List For Resource Group".
const API_VERSION: ApiVersion = ApiVersion::known("2022-04-01");

/// The comparison of one identity's permissions at one scope with those that are required.
#[derive(Debug)]
pub struct Finding {
    /// The role of the identity: `provisioner` or `remover`.
    pub identity: &'static str,
    /// The scope in Resource Manager, as a resource id, or `Microsoft Graph`.
    pub location: String,
    /// Which permissions are missing and which are superfluous, or why that is unknown.
    pub comparison: Result<RoleComparison, Failure>,
}

/// Reads the permissions of this program's identities at the scopes of all stamps and in Graph, and compares them with
/// `permissions`.
///
/// # Errors
/// [`AzureError`] when an identity can't be used. A request that fails is reported in its [`Finding`].
pub async fn held(
    config: &AzureConfig,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
    permissions: &Permissions,
) -> Result<Vec<Finding>, AzureError> {
    let names = |role: &Role| role.names().map(str::to_owned).collect::<BTreeSet<_>>();
    let (mut provisioner, remover) = (names(&permissions.provisioner), names(&permissions.remover));
    // The identity of the provisioner also runs the isolation check.
    provisioner.extend(names(&permissions.auditor));
    let mut asked: Vec<(&'static str, &Identity, BTreeSet<String>)> = Vec::new();
    match &config.remover {
        Some(identity) => asked.push(("remover", identity, remover)),
        // Without a second identity, the provisioner also deletes.
        None => provisioner.extend(remover),
    }
    asked.insert(0, ("provisioner", &config.identity, provisioner));
    let mut findings = Vec::new();
    for (identity, account, needed) in asked {
        let client = client(timeout)?;
        let tokens = Arc::new(Tokens::of(account, &scopes(config), &client, Arc::clone(clock))?);
        let hosts = Hosts { arm: config.arm.clone(), graph: config.graph.clone(), event_grid: None };
        let transport = HttpTransport::new(client, hosts, Arc::clone(&tokens), timeout);
        for scope in permissions.scopes(&config.stamps) {
            let mut comparison = at_scope(&transport, &scope).await.map(|held| compare(&needed, &held));
            if let Ok(found) = &mut comparison {
                found.missing.retain(|action| action != OPTIONAL);
            }
            findings.push(Finding { identity, location: scope, comparison });
        }
        if identity == "provisioner" && permissions.entra {
            let comparison = in_graph(&tokens).await;
            findings.push(Finding { identity, location: "Microsoft Graph".to_owned(), comparison });
        }
    }
    Ok(findings)
}

/// Reads the permissions that the caller has at a scope: one entry for each role assignment at the scope or above it.
async fn at_scope(transport: &HttpTransport, scope: &str) -> Result<Vec<Held>, Failure> {
    let scope: ResourceId = scope.parse().map_err(|why: BadId| Failure::not_sent(why.to_string()))?;
    let list = "/providers/Microsoft.Authorization/permissions";
    let list = Request::arm_of(Method::Get, &scope, list, &API_VERSION).every_page();
    let reply = ask(transport, list).await?;
    let held = items(&reply)?.iter().cloned().map(serde_json::from_value).collect::<Result<_, _>>();
    held.map_err(|_| Failure::nonsense("the list of permissions can't be read"))
}

/// Compares the application permissions in this program's own token for Graph. Entra issued the token to this program
/// directly, so the signature is not checked.
async fn in_graph(tokens: &Tokens) -> Result<RoleComparison, Failure> {
    let token = tokens.token(Audience::Graph).await?;
    let unreadable = || Failure::nonsense("the token for Graph lists no permissions");
    let payload = token.expose().split('.').nth(1).ok_or_else(unreadable)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| unreadable())?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_| unreadable())?;
    if claims.get("scp").is_some() {
        return Err(Failure::nonsense(
            "the token for Graph is a person's, which does not list that person's rights",
        ));
    }
    let roles = claims["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let roles: BTreeSet<&str> = roles.collect();
    // `Application.ReadWrite.All` includes the required permission.
    let enough = [GRAPH, "Application.ReadWrite.All"].iter().any(|role| roles.contains(role));
    let excess = roles.iter().filter(|role| ![GRAPH, GRAPH_OPTIONAL].contains(role));
    Ok(RoleComparison {
        missing: if enough { Vec::new() } else { vec![GRAPH.to_owned()] },
        excess: excess.map(|role| (*role).to_owned()).collect(),
    })
}
