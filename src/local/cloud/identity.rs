//! The platform's identity: an endpoint that gives tokens, in the form that App Service has, and their check.
//!
//! A token has the form of Entra's: a header, claims, and a hash of them with a secret that lies in the state file. So
//! the services can tell whom it is for and until when it is good, and nobody else can make one.
//!
//! Source: Microsoft, "How to use managed identities for App Service and Azure Functions", REST endpoint reference.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::reply::{Call, Outcome, Reply, refuse};
use crate::ids::sha256_hex;

/// Where tokens are asked for; the rest of the setting `IDENTITY_ENDPOINT` is the simulator's own address.
pub(crate) const PATH: &str = "/msi/token";
const VERSION: &str = "2019-08-01";
/// How a token begins, so that it has the three parts of a JSON Web Token.
const HEADER: &str = r#"{"typ":"JWT","alg":"none"}"#;
/// Whom tokens are issued to.
const AUDIENCES: [&str; 5] = [
    "https://management.azure.com",
    "https://graph.microsoft.com",
    "https://eventgrid.azure.net",
    "https://servicebus.azure.net",
    "https://storage.azure.com",
];
/// Other names of a user-assigned identity than its client id.
const OTHER_NAMES: [&str; 4] = ["object_id", "principal_id", "mi_res_id", "msi_res_id"];

/// Why a token is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// There is none.
    #[error("Authentication failed: the bearer token is missing.")]
    Missing,
    /// It was not issued here.
    #[error("The access token is invalid: it was not issued by this cloud.")]
    MadeUp,
    /// Its time is over.
    #[error("The access token has expired.")]
    Expired,
    /// It is for another service.
    #[error("The access token has been obtained for the wrong audience '{0}'.")]
    Foreign(String),
}

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Claims {
    /// Whom it is for.
    aud: String,
    /// The client id of the identity; absent for the system-assigned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appid: Option<String>,
    /// The application permissions, where the audience is Graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<BTreeSet<String>>,
    /// Until when it is good, in seconds since 1970.
    exp: i64,
}

/// Issues tokens and knows its own again.
pub(crate) struct Issuer {
    secret: String,
    lifetime: SignedDuration,
}

impl Issuer {
    /// An issuer with the secret that callers show and that tokens are signed with.
    pub(crate) const fn new(secret: String, lifetime: SignedDuration) -> Self {
        Self { secret, lifetime }
    }

    /// What callers show in the header `X-IDENTITY-HEADER`.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Answers who asks for a token.
    ///
    /// A token for Graph names the application's permissions; `roles` tells them by client id.
    pub(crate) fn answer(
        &self,
        call: &Call,
        now: Timestamp,
        roles: impl Fn(&str) -> BTreeSet<String>,
    ) -> Outcome {
        if call.header("x-identity-header") != self.secret {
            return refuse(401, "Unauthorized", "The header X-IDENTITY-HEADER is missing or wrong.");
        }
        if call.method != "GET" {
            return refuse(405, "MethodNotAllowed", "Tokens are asked for with GET.");
        }
        let asked = |name: &str| call.query.get(name).map(String::as_str);
        if asked("api-version") != Some(VERSION) {
            return refuse(400, "BadRequest", format!("The api-version is not {VERSION}."));
        }
        let resource = asked("resource").unwrap_or_default();
        if !AUDIENCES.contains(&bare(resource)) {
            return refuse(400, "BadRequest", format!("The resource '{resource}' is not known."));
        }
        if OTHER_NAMES.iter().any(|name| asked(name).is_some()) {
            return refuse(400, "BadRequest", "This cloud knows a user-assigned identity by client_id only.");
        }
        let client_id = asked("client_id");
        if client_id.is_some_and(|id| Uuid::parse_str(id).is_err()) {
            return refuse(400, "BadRequest", "There is no identity with this client_id.");
        }
        let end = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX).as_second();
        let is_graph = bare(resource) == "https://graph.microsoft.com";
        let claims = Claims {
            aud: resource.to_owned(),
            appid: client_id.map(str::to_owned),
            roles: is_graph.then(|| roles(client_id.unwrap_or_default())),
            exp: end,
        };
        Ok(Reply::json(
            200,
            json!({
                "access_token": self.token(&json!(claims).to_string()),
                // A text, unlike everywhere else: clients read it as one.
                "expires_on": end.to_string(),
                "resource": resource,
                "token_type": "Bearer",
            }),
        )
        .with("Cache-Control", "no-store"))
    }

    /// Whether a token is good for an audience now.
    pub(crate) fn check(&self, token: &str, audience: &str, now: Timestamp) -> Result<(), Flaw> {
        if token.is_empty() {
            return Err(Flaw::Missing);
        }
        let payload = token.split('.').nth(1).ok_or(Flaw::MadeUp)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| Flaw::MadeUp)?;
        let claims = String::from_utf8(claims).map_err(|_| Flaw::MadeUp)?;
        if self.token(&claims) != token {
            return Err(Flaw::MadeUp);
        }
        let claims: Claims = serde_json::from_str(&claims).map_err(|_| Flaw::MadeUp)?;
        if bare(&claims.aud) != audience {
            return Err(Flaw::Foreign(claims.aud));
        }
        if claims.exp <= now.as_second() { Err(Flaw::Expired) } else { Ok(()) }
    }

    /// The client id of the identity that a token of ours was issued to; empty for the system-assigned one.
    pub(crate) fn client(token: &str) -> Option<String> {
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        Some(claims.appid.unwrap_or_default())
    }

    fn token(&self, claims: &str) -> String {
        let signed = sha256_hex(format!("{0}\n{claims}\n{0}", self.secret).as_bytes());
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{signed}", encode(HEADER), encode(claims))
    }
}

/// A secret that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the identity endpoint's protocol wants a secret")]
pub(crate) fn new_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// An audience is the same with a slash at its end and without.
fn bare(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}
