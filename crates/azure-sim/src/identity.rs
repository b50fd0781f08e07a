//! The managed identity endpoint, with the protocol of App Service; issues and validates tokens.
//!
//! A token has the three parts of one of Entra's: a header, claims, and in place of the signature a hash of the claims
//! and a secret from the state file. So a service can read the audience and the expiry of a token, and nobody else can
//! create a valid one.
//!
//! Source: Microsoft, "How to use managed identities for App Service and Azure Functions", REST endpoint reference.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    call::Call,
    digest::sha256_hex,
    reply::{Outcome, Reply, refuse},
    stamp::{DIRECTORY_ID, PROBE_CLIENT_ID, PROBE_PRINCIPAL_ID},
};

/// The path of the managed identity endpoint. The setting `IDENTITY_ENDPOINT` of a program is the address of the
/// simulated Azure followed by this path.
pub(crate) const PATH: &str = "/msi/token";
const VERSION: &str = "2019-08-01";
/// The first part of every token, so that it has the three parts of a JSON Web Token.
const HEADER: &str = r#"{"typ":"JWT","alg":"none"}"#;
/// The audiences that tokens are issued for.
const AUDIENCES: [&str; 8] = [
    "https://management.azure.com",
    "https://graph.microsoft.com",
    "https://eventgrid.azure.net",
    "https://servicebus.azure.net",
    "https://storage.azure.com",
    "https://ml.azure.com",
    "https://cognitiveservices.azure.com",
    // A token for this audience is exchanged for a token of an application.
    "api://AzureADTokenExchange",
];
/// The query parameters that name a user-assigned identity by other means than its client id. Azure accepts them; the
/// simulated Azure refuses them.
const OTHER_NAMES: [&str; 4] = ["object_id", "principal_id", "mi_res_id", "msi_res_id"];

/// Why a token is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// The request has no token.
    #[error("Authentication failed: the bearer token is missing.")]
    Missing,
    /// The token was not issued by the simulated Azure.
    #[error("The access token is invalid: it was not issued by this cloud.")]
    MadeUp,
    /// The token has expired.
    #[error("The access token has expired.")]
    Expired,
    /// The token is for this other audience.
    #[error("The access token has been obtained for the wrong audience '{0}'.")]
    Foreign(String),
}

/// The longest lifetime of a token that an application gets from Entra's token endpoint, in seconds.
const APPLICATION_LIFE: i64 = 3600;

/// The claims of a token.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The audience: the service that the token is for.
    pub(crate) aud: String,
    /// The issuer: the URL of the directory. Set in tokens of the prober and of applications only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    /// The object id of the service principal, like `oid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<String>,
    /// The object id of the service principal. Set in tokens of the prober and of applications only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) oid: Option<String>,
    /// The client id of the identity; absent for the system-assigned identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appid: Option<String>,
    /// The application permissions, in tokens of a managed identity for Graph only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<BTreeSet<String>>,
    /// When the token expires, in seconds since 1970.
    pub(crate) exp: i64,
}

impl Claims {
    /// The claims of a token of a service principal. The expiry is 0 until the caller sets it.
    pub(crate) fn of_principal(audience: &str, client: &str, principal: &str) -> Self {
        Self {
            aud: audience.to_owned(),
            iss: Some(format!("https://login.microsoftonline.com/{DIRECTORY_ID}/v2.0")),
            sub: Some(principal.to_owned()),
            oid: Some(principal.to_owned()),
            appid: Some(client.to_owned()),
            roles: None,
            exp: 0,
        }
    }
}

/// Whether tokens are issued for a resource (audience).
pub(crate) fn is_known(resource: &str) -> bool {
    AUDIENCES.contains(&bare(resource))
}

/// Issues tokens for identities, and validates tokens.
pub(crate) struct Issuer {
    secret: String,
    lifetime: SignedDuration,
}

impl Issuer {
    /// An issuer with a secret and a lifetime for its tokens. Callers of the identity endpoint present the secret, and
    /// the hash in a token is computed with it.
    pub(crate) const fn new(secret: String, lifetime: SignedDuration) -> Self {
        Self { secret, lifetime }
    }

    /// The value that callers of the identity endpoint send in the header `X-IDENTITY-HEADER`.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Answers a request to the managed identity endpoint with a token.
    ///
    /// A token for Graph contains the identity's application permissions; `roles` returns them for a client id.
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
        if !is_known(resource) {
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
        let claims = match client_id {
            Some(id) if id.eq_ignore_ascii_case(PROBE_CLIENT_ID) => {
                Claims { exp: end, ..Claims::of_principal(resource, id, PROBE_PRINCIPAL_ID) }
            }
            _ => Claims {
                aud: resource.to_owned(),
                iss: None,
                sub: None,
                oid: None,
                appid: client_id.map(str::to_owned),
                roles: is_graph.then(|| roles(client_id.unwrap_or_default())),
                exp: end,
            },
        };
        Ok(Reply::json(
            200,
            json!({
                "access_token": self.token(&json!(claims).to_string()),
                // App Service sends a text here, unlike other token endpoints, and clients parse it as one.
                "expires_on": end.to_string(),
                "resource": resource,
                "token_type": "Bearer",
            }),
        )
        .with("Cache-Control", "no-store"))
    }

    /// Issues a token of an application with these claims and a new expiry. Returns the token and its lifetime in
    /// seconds.
    pub(crate) fn issue(&self, claims: Claims, now: Timestamp) -> (String, i64) {
        let life = self.lifetime.as_secs().min(APPLICATION_LIFE);
        let claims = Claims { exp: now.as_second().saturating_add(life), ..claims };
        (self.token(&json!(claims).to_string()), life)
    }

    /// The claims of a token, whatever its audience and expiry.
    ///
    /// # Errors
    /// A [`Flaw`] if the token is missing or was not issued by this issuer.
    pub(crate) fn read(&self, token: &str) -> Result<Claims, Flaw> {
        if token.is_empty() {
            return Err(Flaw::Missing);
        }
        let payload = token.split('.').nth(1).ok_or(Flaw::MadeUp)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| Flaw::MadeUp)?;
        let claims = String::from_utf8(claims).map_err(|_| Flaw::MadeUp)?;
        if self.token(&claims) != token {
            return Err(Flaw::MadeUp);
        }
        serde_json::from_str(&claims).map_err(|_| Flaw::MadeUp)
    }

    /// The claims of a token, without a check of who has issued it. `None` if they can't be parsed.
    pub(crate) fn said(token: &str) -> Option<Claims> {
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    /// Checks that a token was issued by this issuer, is for this audience, and has not expired.
    pub(crate) fn check(&self, token: &str, audience: &str, now: Timestamp) -> Result<(), Flaw> {
        let claims = self.read(token)?;
        if bare(&claims.aud) != audience {
            return Err(Flaw::Foreign(claims.aud));
        }
        if claims.exp <= now.as_second() { Err(Flaw::Expired) } else { Ok(()) }
    }

    /// The client id in a token, without a check of who has issued it; empty for the system-assigned identity. `None`
    /// if the token can't be parsed.
    pub(crate) fn client(token: &str) -> Option<String> {
        Some(Self::said(token)?.appid.unwrap_or_default())
    }

    fn token(&self, claims: &str) -> String {
        let signed = sha256_hex(format!("{0}\n{claims}\n{0}", self.secret).as_bytes());
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{signed}", encode(HEADER), encode(claims))
    }
}

/// Generates a random secret that can't be guessed.
#[expect(clippy::disallowed_methods, reason = "the identity endpoint's protocol needs a secret")]
pub(crate) fn new_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// An audience without the slash at its end, with which it means the same.
fn bare(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}
