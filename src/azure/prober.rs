//! Calls tenants' services from outside: as a tenant's own application, with a token and without a secret, or as a
//! caller that the service has to refuse.
//!
//! The probe is a managed identity that the tenants' applications trust. Entra accepts the probe's token as the
//! assertion for a token of such an application (Microsoft, "Configure an application to trust a managed identity").
//! Addresses of services come from Azure's answers about tenants' resources. Therefore only hosts of known services are
//! called, and only over https. Only the head of an answer is read. Nothing is logged here, and no error repeats what
//! was sent or answered.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport},
};
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use reqwest::{Client, Url, header};
use serde_json::Value;
use tenantry_core::isolation::ProbeTarget;

use super::{
    call::{Call, Service},
    client::{exchange, head},
    token::{BadIdentity, credential, why},
    token_transport::TokenTransport,
};
use crate::{
    config::{Identity, ProbeConfig},
    ports::{Clock, Credential, NoToken, ProbeToken, Prober, Scored, TokenFor},
};

/// The audience of the probe's own token: Entra, which exchanges it for a token of a tenant's application.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// The timeout of one call. The result for a service that takes longer for a small input is inconclusive, not verified.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The header with which Azure Machine Learning reports that the model itself has failed, so that the call had reached
/// the model (Microsoft, "Troubleshoot online endpoints").
const MODEL_FAILED: &str = "ms-azureml-model-error-statuscode";
/// Entra's error for an application whose service principal is disabled (Microsoft, "Microsoft Entra authentication and
/// authorization error codes").
const DISABLED: &str = "AADSTS7000112";
/// The suffixes of the hosts of known services; no other host is called.
const HOSTS: [&str; 4] = [
    ".inference.ml.azure.com",
    ".cognitiveservices.azure.com",
    ".openai.azure.com",
    ".services.ai.azure.com",
];
/// The header for the key of services that do not take the key as a bearer token.
const API_KEY: &str = "api-key";
/// A key that was never issued, with the length of a real one.
const MADE_UP_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The source of the probe's own tokens.
enum Who {
    /// A managed identity of the platform.
    Managed(Arc<dyn TokenCredential>),
    /// A simulated Azure: the endpoint that issues the tokens, and the secret that the endpoint expects.
    Simulated { endpoint: Url, secret: String },
}

/// The prober, on top of the program's one HTTP client.
pub struct HttpProber {
    client: Client,
    who: Who,
    login: Url,
    /// The address of all tenants' services if they are simulated; `None` in Azure.
    inference: Option<Url>,
    /// The scope of Resource Manager, for a token that a tenant's service has to reject. The applications have no
    /// rights in Resource Manager.
    elsewhere: String,
    location: String,
    clock: Arc<dyn Clock>,
}

impl HttpProber {
    /// Creates a prober from its settings; `elsewhere` is the token scope of Resource Manager.
    ///
    /// # Errors
    /// [`BadIdentity`] when the managed identity can't be used, for example because its endpoint is not configured.
    pub fn new(
        config: &ProbeConfig,
        client: Client,
        elsewhere: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadIdentity> {
        let identity = Identity::Managed { client_id: Some(config.client_id.clone()) };
        let who = Who::Managed(credential(&identity, &client)?);
        let (login, inference) = (config.login.clone(), config.inference.clone());
        let (elsewhere, location) = (elsewhere.to_owned(), config.location.clone());
        Ok(Self { client, who, login, inference, elsewhere, location, clock })
    }

    /// Creates a prober for a simulated Azure at `cloud`, whose identity endpoint is at `identity` and expects
    /// `secret`.
    pub fn simulated(
        cloud: &Url,
        identity: Url,
        secret: &str,
        client: Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            client,
            who: Who::Simulated { endpoint: identity, secret: secret.to_owned() },
            login: cloud.clone(),
            inference: Some(cloud.clone()),
            elsewhere: "https://management.azure.com/.default".to_owned(),
            location: "this machine, where Azure is simulated".to_owned(),
            clock,
        }
    }

    /// Requests the probe's own token.
    async fn assertion(&self) -> Result<Secret, String> {
        match &self.who {
            Who::Managed(credential) => {
                match credential.get_token(&[&format!("{EXCHANGE}/.default")], None).await {
                    Ok(access) => Ok(access.token),
                    Err(error) => Err(format!("the probe identity has {}", why(&error))),
                }
            }
            Who::Simulated { endpoint, secret } => {
                let ask = self.client.get(endpoint.clone()).header("x-identity-header", secret);
                let answer = exchange(Call::to(Service::Entra), ask, 64 << 10)
                    .await
                    .map_err(|lost| lost.to_string())?;
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let token = body.get("access_token").and_then(Value::as_str);
                let token = token
                    .ok_or_else(|| format!("the probe identity has no token: HTTP {}", answer.status))?;
                Ok(Secret::new(token.to_owned()))
            }
        }
    }

    async fn own_token(&self, of: &ProbeTarget, is_for: TokenFor) -> Result<ProbeToken, NoToken> {
        let assertion = Assertion(self.assertion().await?);
        let scope = match is_for {
            TokenFor::Service => &of.scope,
            TokenFor::Another => &self.elsewhere,
        };
        if is_for == TokenFor::Another && *scope == of.scope {
            return Err("its service is the one that serves as another one".to_owned().into());
        }
        // The credential is used for one token only: a cached token would not prove that Entra issues one now.
        let options = Some(ClientAssertionCredentialOptions { client_options: self.options() });
        let (directory, client) = (of.directory_id.clone(), of.client_id.clone());
        let refused = |error: azure_core::Error| {
            let errors = entra_errors(&error);
            let why = format!("Entra gave no token of its application: {errors}");
            let disabled = errors.split(", ").any(|code| code == DISABLED);
            if disabled { NoToken::Disabled(why) } else { NoToken::Other(why) }
        };
        let credential =
            ClientAssertionCredential::new(directory, client, assertion, options).map_err(refused)?;
        let access = credential.get_token(&[scope], None).await.map_err(refused)?;
        Ok(ProbeToken::new(access.token.secret()))
    }

    fn options(&self) -> ClientOptions {
        let client = self.client.clone();
        let (transport, cloud) = match self.login.scheme() {
            "https" => {
                let mut cloud = CustomConfiguration::default();
                cloud.authority_host = self.login.to_string();
                (TokenTransport::new(client), CloudConfiguration::Custom(cloud))
            }
            _ => (TokenTransport::to(client, self.login.clone()), CloudConfiguration::AzurePublic),
        };
        let transport = Some(Transport::new(Arc::new(transport)));
        let cloud = Some(Arc::new(cloud));
        ClientOptions { transport, cloud, retry: RetryOptions::none(), ..ClientOptions::default() }
    }

    async fn score(&self, target: &ProbeTarget, with: &Credential) -> Result<Scored, String> {
        let url = allowed(&target.url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut request = match &self.inference {
            None => self.client.post(url),
            Some(simulated) => {
                let mut here = simulated.clone();
                here.set_path(url.path());
                here.set_query(url.query());
                self.client.post(here).header(header::HOST, &host)
            }
        };
        request = match with {
            Credential::None => request,
            Credential::Token(token) => request.bearer_auth(token.expose()),
            Credential::Expired(token) => request.bearer_auth(self.expired(token)?.expose()),
            Credential::Key if host.ends_with(HOSTS[0]) => request.bearer_auth(MADE_UP_KEY),
            Credential::Key => request.header(API_KEY, MADE_UP_KEY),
        };
        let request = request.timeout(TIMEOUT).json(&target.body);
        let (status, headers) = match head(Call::to(Service::Inference), request).await {
            Ok(answer) => answer,
            Err(lost) => return Err(lost.to_string()),
        };
        Ok(Scored { status, from_service: headers.contains_key(MODEL_FAILED) })
    }

    /// Returns the token with its expiry moved into the past. The signature no longer matches, because a token of Entra
    /// can't be changed.
    fn expired(&self, token: &ProbeToken) -> Result<ProbeToken, String> {
        let other = || {
            "the token has another form than a JSON Web Token's, so it can't be changed to an expired one"
                .to_owned()
        };
        let parts: Vec<&str> = token.expose().split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { return Err(other()) };
        let claims = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| other())?;
        let mut claims: Value = serde_json::from_slice(&claims).map_err(|_| other())?;
        let end = claims.get_mut("exp").ok_or_else(other)?;
        let past = self.clock.now().checked_sub(SignedDuration::from_hours(1)).map_err(|_| other())?;
        *end = past.as_second().into();
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        Ok(ProbeToken::new(format!("{header}.{payload}.{signature}")))
    }
}

impl Prober for HttpProber {
    fn location(&self) -> &str {
        &self.location
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        Box::pin(async move {
            let token = tokio::time::timeout(TIMEOUT, self.own_token(of, is_for)).await;
            token.unwrap_or_else(|_| Err("no token was issued in time".to_owned().into()))
        })
    }

    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>> {
        Box::pin(self.score(target, with))
    }
}

/// Checks the address of a service. Only known services are called, whatever address a resource has.
fn allowed(url: &str) -> Result<Url, String> {
    let refused = |why: &str| Err(format!("its address is not called: {why}"));
    let Ok(url) = Url::parse(url) else { return refused("it is no URL") };
    let host = url.host_str().unwrap_or_default();
    let is_known = HOSTS.iter().any(|end| host.strip_suffix(end).is_some_and(|name| !name.is_empty()));
    match () {
        () if url.scheme() != "https" => refused("it is not https"),
        () if !url.username().is_empty() || url.password().is_some() => refused("it names a user"),
        () if url.port().is_some() => refused("it names a port"),
        () if !is_known => refused("its host does not belong to a known service"),
        () => Ok(url),
    }
}

/// The part of Entra's answer that an error may repeat: the status and the error numbers.
fn entra_errors(error: &azure_core::Error) -> String {
    let status = error.http_status().map(|status| format!("HTTP {}", u16::from(status)));
    let text = error.to_string();
    let codes = text.split("AADSTS").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
        format!("AADSTS{digits}")
    });
    let mut texts: Vec<String> = status.into_iter().chain(codes.filter(|code| code.len() > 6)).collect();
    texts.dedup();
    if texts.is_empty() { "it can't be reached or understood".to_owned() } else { texts.join(", ") }
}

/// The probe's own token, as a client assertion.
#[derive(Debug)]
struct Assertion(Secret);

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.secret().to_owned())
    }
}
