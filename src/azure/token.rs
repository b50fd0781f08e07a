//! Tokens of Entra: chosen by setting, one audience each, one refresh at a time, and never longer than a limit.
//!
//! `azure_identity` has a cache of its own, but one lock for all audiences, and asks again at every call once a token
//! has less than five minutes left. So each audience has a credential of its own here, and in front of it a cache that
//! goes on with a token that is still good when a new one can't be had.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use azure_core::{
    Error as AzureError,
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, RetryOptions, Transport},
};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use reqwest::Client;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::transport::TokenTransport;
use crate::steps::Failure;

/// How long a token may take to come; waiting for another's refresh counts.
const PATIENCE: Duration = Duration::from_secs(20);
/// A token with less left is replaced, as `azure_identity` does it.
const MARGIN: time::Duration = time::Duration::minutes(5);

/// Whom a token is for. A token for one is of no use to another, and is never sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
    /// An Event Grid topic.
    EventGrid,
    /// A Service Bus namespace.
    ServiceBus,
    /// Table Storage.
    Storage,
}

impl Audience {
    const ALL: [Self; 5] = [Self::Arm, Self::Graph, Self::EventGrid, Self::ServiceBus, Self::Storage];
}

/// The scopes of the audiences; another cloud than the public one has other ones for ARM and Graph.
#[derive(Debug, Clone)]
pub struct Scopes {
    /// ARM's, e.g. `https://management.azure.com/.default`.
    pub arm: String,
    /// Graph's, e.g. `https://graph.microsoft.com/.default`.
    pub graph: String,
}

impl Default for Scopes {
    fn default() -> Self {
        Self {
            arm: "https://management.azure.com/.default".to_owned(),
            graph: "https://graph.microsoft.com/.default".to_owned(),
        }
    }
}

impl Scopes {
    fn of(&self, audience: Audience) -> String {
        match audience {
            Audience::Arm => self.arm.clone(),
            Audience::Graph => self.graph.clone(),
            Audience::EventGrid => "https://eventgrid.azure.net/.default".to_owned(),
            Audience::ServiceBus => "https://servicebus.azure.net/.default".to_owned(),
            Audience::Storage => "https://storage.azure.com/.default".to_owned(),
        }
    }
}

/// Which identity this process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The platform's: system-assigned, or the user-assigned one with this client id.
    Managed {
        /// The client id of the user-assigned one.
        client_id: Option<String>,
    },
    /// A Kubernetes service account, federated with an application.
    Workload {
        /// The directory.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// The service account's token.
        token_file: PathBuf,
    },
    /// A person's, by `az` or `azd`, on a laptop.
    Developer,
}

/// Why an identity can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the identity can't be used")]
pub struct BadIdentity(#[from] AzureError);

/// A token, and until when it is good.
#[derive(Clone)]
pub struct Token {
    secret: Secret,
    expires: OffsetDateTime,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Token {
    /// The token itself, for an `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        self.secret.secret()
    }

    /// Until when it is good.
    pub fn expires(&self) -> OffsetDateTime {
        self.expires
    }

    fn left(&self) -> time::Duration {
        self.expires - OffsetDateTime::now_utc()
    }
}

/// One audience's credential and the last token that it gave.
struct Source {
    scope: String,
    credential: Arc<dyn TokenCredential>,
    last: Mutex<Option<Fetched>>,
}

struct Fetched {
    token: Token,
    /// With less left than this it is replaced: the usual margin, or half the life of a short token.
    margin: time::Duration,
}

/// Gives tokens to whoever sends.
pub struct Tokens(Kind);

enum Kind {
    Fixed(Token),
    Entra(Vec<(Audience, Source)>),
}

impl Tokens {
    /// Always the same; for a simulated Azure, which takes any.
    pub fn fixed(token: &str) -> Self {
        let secret = Secret::new(token.to_owned());
        Self(Kind::Fixed(Token { secret, expires: OffsetDateTime::now_utc() + time::Duration::days(36500) }))
    }

    /// Those of an identity.
    ///
    /// # Errors
    /// [`BadIdentity`] when the identity's surroundings are missing, for example its token file.
    pub fn of(identity: &Identity, scopes: &Scopes, client: &Client) -> Result<Self, BadIdentity> {
        let sources = Audience::ALL.into_iter().map(|audience| {
            let credential = credential(identity, client)?;
            let source = Source { scope: scopes.of(audience), credential, last: Mutex::new(None) };
            Ok((audience, source))
        });
        Ok(Self(Kind::Entra(sources.collect::<Result<_, BadIdentity>>()?)))
    }

    /// A token that is good for at least the next request.
    ///
    /// # Errors
    /// [`Failure`] of the class `not sent`, for nothing has been asked of the audience yet.
    pub async fn token(&self, audience: Audience) -> Result<Token, Failure> {
        let sources = match &self.0 {
            Kind::Fixed(token) => return Ok(token.clone()),
            Kind::Entra(sources) => sources,
        };
        let source = sources.iter().find(|(of, _)| *of == audience).map(|(_, source)| source);
        let source = source.ok_or_else(|| Failure::not_sent("there is no credential for this service"))?;
        let late = || Failure::not_sent("no token could be had in time");
        tokio::time::timeout(PATIENCE, source.token()).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Source {
    async fn token(&self) -> Result<Token, Failure> {
        // One refresh at a time: who waits here finds the token that the one before it fetched.
        let mut last = self.last.lock().await;
        if let Some(fetched) = last.as_ref().filter(|fetched| fetched.token.left() > fetched.margin) {
            return Ok(fetched.token.clone());
        }
        match self.credential.get_token(&[&self.scope], None).await {
            Ok(access) => {
                let token = Token { secret: access.token, expires: access.expires_on };
                let margin = MARGIN.min(token.left() / 2);
                *last = Some(Fetched { token: token.clone(), margin });
                Ok(token)
            }
            Err(error) => {
                let why = why(&error);
                tracing::warn!(scope = self.scope, "{why}");
                let token = last.as_ref().map(|fetched| &fetched.token);
                let still_good = token.filter(|token| token.left().is_positive());
                still_good.cloned().ok_or_else(|| Failure::not_sent(why))
            }
        }
    }
}

/// A credential with our transport and no retries of its own: who asks for a token asks again anyway.
fn credential(identity: &Identity, client: &Client) -> Result<Arc<dyn TokenCredential>, AzureError> {
    let transport = Transport::new(Arc::new(TokenTransport::new(client.clone())));
    let client_options =
        ClientOptions { transport: Some(transport), retry: RetryOptions::none(), ..ClientOptions::default() };
    Ok(match identity {
        Identity::Managed { client_id } => {
            let user_assigned_id = client_id.clone().map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            ManagedIdentityCredential::new(Some(options))?
        }
        Identity::Workload { tenant_id, client_id, token_file } => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id.clone()),
                tenant_id: Some(tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            }))?
        }
        Identity::Developer => DeveloperToolsCredential::new(None)?,
    })
}

/// What can be told of a failed refresh. The error's own text repeats what the endpoint answered, which may be a
/// token that could not be read.
fn why(error: &AzureError) -> String {
    match error.http_status() {
        Some(status) => format!("no token: the identity endpoint answered with HTTP {}", u16::from(status)),
        None => "no token: the identity endpoint can't be reached or understood".to_owned(),
    }
}
