//! Entra's token endpoint, for applications that trust a managed identity: exchanges a token of the managed identity
//! (the assertion) for a token of the application.
//!
//! Sources: Microsoft, "Microsoft identity platform and the OAuth 2.0 client credentials flow" (third case, a federated
//! credential) and "Microsoft Entra authentication and authorization error codes".

use crate::{
    call::{Call, form},
    graph::{
        credentials,
        find::{self, Key},
    },
    identity::{self, Claims, Flaw},
    inner::Inner,
    reply::{Outcome, Reply, refuse},
    stamp::DIRECTORY_ID,
    store::{Object, Snapshot},
};
use serde_json::json;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The end of a scope in a request of an application: a resource, and this suffix.
const ALL_GRANTED: &str = "/.default";

/// The directory in a path of the token endpoint; `None` for any other path.
pub(crate) fn directory(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.strip_suffix("/oauth2/v2.0/token").filter(|directory| !directory.contains('/'))
}

/// Answers a request of an application for a token.
pub(crate) fn answer(inner: &Inner, view: &Snapshot, call: &Call) -> Outcome {
    if call.method != "POST" {
        return refuse(405, "invalid_request", "AADSTS900561: The endpoint only accepts POST requests.");
    }
    let directory = directory(&call.path).unwrap_or_default();
    if directory != DIRECTORY_ID {
        return refuse(400, "invalid_request", format!("AADSTS90002: Tenant '{directory}' not found."));
    }
    let form = form(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" || field("client_assertion_type") != ASSERTION {
        let message = "AADSTS70003: The app requested an unsupported grant type or kind of assertion.";
        return refuse(400, "unsupported_grant_type", message);
    }
    let client = field("client_id");
    let key = Key::AppId(client.to_owned());
    let Some(owner) = find::application(view, &key)?.filter(|found| found.visible <= view.now) else {
        let message = format!(
            "AADSTS700016: Application with identifier '{client}' was not found in the directory '{directory}'."
        );
        return refuse(400, "unauthorized_client", message);
    };
    check_assertion(inner, view, &owner, field("client_assertion"))?;
    let principal = principal(view, &key, client)?;
    let Some(resource) = field("scope").strip_suffix(ALL_GRANTED) else {
        let message = format!("AADSTS1002012: The provided value for scope {} is not valid.", field("scope"));
        return refuse(400, "invalid_scope", message);
    };
    if !identity::is_known(resource) {
        let message =
            format!("AADSTS500011: The resource principal named {resource} was not found in the tenant.");
        return refuse(400, "invalid_resource", message);
    }
    let (token, life) =
        inner.issuer.issue(Claims::of_principal(resource, client, principal.text("/id")), view.now);
    Ok(Reply::json(
        200,
        json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}),
    )
    .with("Cache-Control", "no-store"))
}

/// Refuses an assertion that is not a token of this issuer, or that no credential of the application trusts.
fn check_assertion(inner: &Inner, view: &Snapshot, application: &Object, assertion: &str) -> Outcome<()> {
    let claims = match inner.issuer.read(assertion) {
        Ok(claims) if claims.exp > view.now.as_second() => claims,
        Ok(_) | Err(Flaw::Expired) => {
            let message = "AADSTS700024: Client assertion is not within its valid time range.";
            return refuse(401, "invalid_client", message);
        }
        Err(_) => {
            let message = "AADSTS700027: The certificate with identifier used to sign the client assertion is not known.";
            return refuse(401, "invalid_client", message);
        }
    };
    let trusted = credentials::all(view, application)?.into_iter().any(|one| {
        let audiences = one.body.get("audiences").and_then(|list| list.as_array()).into_iter().flatten();
        one.visible <= view.now
            && Some(one.text("/issuer")) == claims.iss.as_deref()
            && Some(one.text("/subject")) == claims.sub.as_deref()
            && audiences.into_iter().any(|audience| *audience == claims.aud)
    });
    if trusted {
        return Ok(());
    }
    let message = format!(
        "AADSTS700213: No matching federated identity record found for presented assertion subject '{}'. Check your \
         federated identity credential Subject, Audience and Issuer against the presented assertion.",
        claims.sub.unwrap_or_default()
    );
    refuse(401, "invalid_client", message)
}

/// The service principal of an application. Refuses the request if there is none, or if it is disabled.
fn principal(view: &Snapshot, key: &Key, client: &str) -> Outcome<Object> {
    let Some(principal) = find::principal(view, key)?.filter(|found| found.visible <= view.now) else {
        let message = format!(
            "AADSTS7000229: The client application {client} is missing service principal in the tenant {DIRECTORY_ID}."
        );
        return refuse(401, "invalid_client", message);
    };
    if principal.body.get("accountEnabled") == Some(&json!(false)) {
        let message = format!("AADSTS7000112: Application '{client}' is disabled.");
        return refuse(400, "unauthorized_client", message);
    }
    Ok(principal)
}
