//! Tokens of Entra for the configured identity: one cached token per audience, one refresh at a time, and a timeout.
//!
//! `azure_identity` has a cache of its own, but with one lock for all audiences, and it requests a new token at every
//! call once a token has less than five minutes left. So each audience has its own credential here, behind a cache that
//! continues with a valid token when no new one can be obtained.

use std::{fmt, sync::Arc, time::Duration};

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
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use tenantry_core::steps::Failure;
use tokio::sync::Mutex;

use super::token_transport::TokenTransport;
use crate::{config::Identity, ports::Clock};

/// The timeout of a call for a token, including the wait for another caller's refresh.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A token with less time left is replaced, as in `azure_identity`.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The service that a token is for. A token is never sent to another service.
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

/// The token scopes of ARM and Graph, which differ between Azure's clouds. The default is the public cloud.
#[derive(Debug, Clone)]
pub struct Scopes {
    /// The scope of ARM, e.g. `https://management.azure.com/.default`.
    pub arm: String,
    /// The scope of Graph, e.g. `https://graph.microsoft.com/.default`.
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

/// Why an identity can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the identity can't be used")]
pub struct BadIdentity(#[from] AzureError);

/// A bearer token with its expiry.
#[derive(Clone)]
pub struct Token {
    secret: Secret,
    expires: Timestamp,
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

    /// When the token expires.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// The credential for one audience, with the last token.
struct Source {
    scope: String,
    credential: Arc<dyn TokenCredential>,
    last: Mutex<Option<Fetched>>,
}

struct Fetched {
    token: Token,
    /// The token is replaced when it has less time left than this: five minutes, or half the lifetime of a short-lived
    /// token.
    margin: SignedDuration,
}

/// Issues tokens to the transports.
pub struct Tokens(Kind);

enum Kind {
    Fixed(Token),
    Entra { sources: Vec<(Audience, Source)>, clock: Arc<dyn Clock> },
}

impl Tokens {
    /// Creates a source of one fixed token, for a simulated Azure, which accepts any token.
    pub fn fixed(token: &str) -> Self {
        let secret = Secret::new(token.to_owned());
        Self(Kind::Fixed(Token { secret, expires: Timestamp::MAX }))
    }

    /// Creates a source of tokens for an identity. No token is requested yet.
    ///
    /// # Errors
    /// [`BadIdentity`] when something that the identity needs is missing, for example its token file.
    pub fn of(
        identity: &Identity,
        scopes: &Scopes,
        client: &Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadIdentity> {
        let sources = Audience::ALL.into_iter().map(|audience| {
            let credential = credential(identity, client)?;
            let source = Source { scope: scopes.of(audience), credential, last: Mutex::new(None) };
            Ok((audience, source))
        });
        let sources = sources.collect::<Result<_, BadIdentity>>()?;
        Ok(Self(Kind::Entra { sources, clock }))
    }

    /// Returns a valid token for an audience: the cached one, unless it has little time left and a new one can be
    /// obtained.
    ///
    /// # Errors
    /// [`Failure::not_sent`], because nothing was sent to the audience yet.
    pub async fn token(&self, audience: Audience) -> Result<Token, Failure> {
        let (sources, clock) = match &self.0 {
            Kind::Fixed(token) => return Ok(token.clone()),
            Kind::Entra { sources, clock } => (sources, clock),
        };
        let source = sources.iter().find(|(of, _)| *of == audience).map(|(_, source)| source);
        let source = source.ok_or_else(|| Failure::not_sent("there is no credential for this service"))?;
        let late = || Failure::not_sent("no token was issued in time");
        tokio::time::timeout(TIMEOUT, source.token(clock.as_ref())).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Source {
    async fn token(&self, clock: &dyn Clock) -> Result<Token, Failure> {
        // The lock allows one refresh at a time: a caller that waits here finds the token of the refresh before.
        let mut last = self.last.lock().await;
        let left = |token: &Token| token.expires.duration_since(clock.now());
        if let Some(fetched) = last.as_ref().filter(|fetched| left(&fetched.token) > fetched.margin) {
            return Ok(fetched.token.clone());
        }
        match self.credential.get_token(&[&self.scope], None).await {
            Ok(access) => {
                let expires = Timestamp::from_second(access.expires_on.unix_timestamp());
                let token = Token { secret: access.token, expires: expires.unwrap_or(Timestamp::MAX) };
                let margin = MARGIN.min(left(&token) / 2);
                *last = Some(Fetched { token: token.clone(), margin });
                Ok(token)
            }
            Err(error) => {
                let why = why(&error);
                tracing::warn!(scope = self.scope, "{why}");
                let token = last.as_ref().map(|fetched| &fetched.token);
                let still_good = token.filter(|token| left(token).is_positive());
                still_good.cloned().ok_or_else(|| Failure::not_sent(why))
            }
        }
    }
}

/// Creates the credential of an identity. It uses this program's HTTP client, except for a developer's account, whose
/// token comes from a command-line tool. It does not retry, because its callers do.
pub(super) fn credential(
    identity: &Identity,
    client: &Client,
) -> Result<Arc<dyn TokenCredential>, AzureError> {
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

/// The reason for a failed refresh. The error's own text is left out because it repeats the endpoint's answer, which
/// may be a token that could not be parsed.
pub(super) fn why(error: &AzureError) -> String {
    match error.http_status() {
        Some(status) => format!("no token: the identity endpoint answered with HTTP {}", u16::from(status)),
        None => "no token: the identity endpoint can't be reached or understood".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use async_trait::async_trait;
    use azure_core::{
        credentials::{AccessToken, TokenRequestOptions},
        error::ErrorKind,
    };
    use time::OffsetDateTime;

    use super::*;
    use crate::ports::SystemClock;

    /// How the fake identity endpoint answers.
    #[derive(Debug, Clone, Copy)]
    enum Does {
        /// Issues a token that is valid for this number of seconds.
        Give(i64),
        Fail,
        /// Does not answer requests for this scope.
        Hang(&'static str),
    }

    /// A fake identity endpoint. The text of a token says which request it answered.
    #[derive(Debug)]
    struct Endpoint {
        does: Does,
        asked: StdMutex<u32>,
    }

    impl Endpoint {
        fn new(does: Does) -> Arc<StdMutex<Self>> {
            Arc::new(StdMutex::new(Self { does, asked: StdMutex::new(0) }))
        }
    }

    #[derive(Debug)]
    struct Credential(Arc<StdMutex<Endpoint>>);

    #[async_trait]
    impl TokenCredential for Credential {
        async fn get_token(
            &self,
            scopes: &[&str],
            _options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let (does, number) = {
                let endpoint = self.0.lock().unwrap();
                let mut asked = endpoint.asked.lock().unwrap();
                *asked += 1;
                (endpoint.does, *asked)
            };
            tokio::task::yield_now().await;
            match does {
                Does::Hang(scope) if scope == scopes.concat() => std::future::pending().await,
                Does::Hang(_) => Ok(AccessToken::new("given", OffsetDateTime::now_utc())),
                Does::Give(seconds) => {
                    let expires = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
                    Ok(AccessToken::new(format!("{} #{number}", scopes.concat()), expires))
                }
                Does::Fail => Err(AzureError::with_message(ErrorKind::Credential, "canary: eyJcanary")),
            }
        }
    }

    fn tokens(endpoint: &Arc<StdMutex<Endpoint>>) -> Tokens {
        let sources = [Audience::Arm, Audience::Graph].map(|audience| {
            let credential = Arc::new(Credential(Arc::clone(endpoint)));
            (audience, Source { scope: format!("{audience:?}"), credential, last: Mutex::new(None) })
        });
        Tokens(Kind::Entra { sources: sources.into(), clock: Arc::new(SystemClock) })
    }

    async fn token(tokens: &Tokens, audience: Audience) -> Result<String, Failure> {
        tokens.token(audience).await.map(|token| token.expose().to_owned())
    }

    #[tokio::test]
    async fn each_audience_has_its_own_token_and_a_valid_one_is_cached() {
        let tokens = tokens(&Endpoint::new(Does::Give(3600)));
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #1");
        assert_eq!(token(&tokens, Audience::Graph).await.unwrap(), "Graph #2");
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #1");
    }

    #[tokio::test]
    async fn a_hundred_callers_at_once_are_one_request() {
        let endpoint = Endpoint::new(Does::Give(3600));
        let tokens = tokens(&endpoint);
        let all = futures_util::future::join_all((0..100).map(|_| token(&tokens, Audience::Arm))).await;
        assert!(all.into_iter().all(|token| token.unwrap() == "Arm #1"));
        assert_eq!(*endpoint.lock().unwrap().asked.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_short_token_is_not_fetched_at_every_call() {
        let tokens = tokens(&Endpoint::new(Does::Give(200)));
        for _ in 0..10 {
            assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #1");
        }
    }

    #[tokio::test]
    async fn an_ended_token_is_replaced() {
        let tokens = tokens(&Endpoint::new(Does::Give(-1)));
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #1");
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #2");
    }

    #[tokio::test]
    async fn a_valid_token_is_used_while_no_new_one_is_available() {
        let endpoint = Endpoint::new(Does::Give(3600));
        let tokens = tokens(&endpoint);
        token(&tokens, Audience::Arm).await.unwrap();
        if let Kind::Entra { sources, .. } = &tokens.0 {
            // With this margin the token counts as almost expired.
            sources[0].1.last.lock().await.as_mut().unwrap().margin = SignedDuration::from_hours(2);
        }
        endpoint.lock().unwrap().does = Does::Fail;
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #1");
        let failure = token(&tokens, Audience::Graph).await.unwrap_err();
        assert!(!format!("{failure:?}").contains("canary"), "what the endpoint says is not repeated");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_endpoint_times_out_and_the_next_call_asks_again() {
        let endpoint = Endpoint::new(Does::Hang("Arm"));
        let tokens = tokens(&endpoint);
        let (arm, graph) = tokio::join!(token(&tokens, Audience::Arm), token(&tokens, Audience::Graph));
        assert_eq!(arm.unwrap_err().cause.code, "not-sent");
        assert_eq!(graph.unwrap(), "given", "one audience does not wait for another");
        endpoint.lock().unwrap().does = Does::Give(3600);
        assert_eq!(token(&tokens, Audience::Arm).await.unwrap(), "Arm #3");
    }

    #[test]
    fn a_token_is_not_shown() {
        let shown = format!("{:?}", Token { secret: Secret::new("canary"), expires: Timestamp::MAX });
        assert!(!shown.contains("canary"), "{shown}");
    }
}
