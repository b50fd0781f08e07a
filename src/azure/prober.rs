//! Calls tenants' services as a caller from outside: as a tenant's own application, without any secret, or as somebody
//! who has to be refused.
//!
//! The probe is a managed identity that the tenants' applications trust. Its token is the assertion with which Entra
//! gives a token of such an application (Microsoft, "Configure an application to trust a managed identity"). Addresses
//! come from what Azure told of tenants' resources, so only hosts of known services are called, over https, and what is
//! sent there is a token for that tenant's service or one without any right elsewhere. Of an answer only the head is
//! taken. Nothing here is logged, and no error repeats what was sent or answered.

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
    transport::TokenTransport,
};
use crate::{
    config::{Identity, ProbeConfig},
    ports::{Clock, Credential, NoToken, ProbeToken, Prober, Scored, TokenFor},
};

/// Whom the probe's own token is for: Entra, to be traded.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// How long one call may take. A service that scores more slowly than this on a small input is unclear, not proved.
const PATIENCE: Duration = Duration::from_secs(10);
/// What Azure Machine Learning says when the model itself has failed: the call had come through (Microsoft,
/// "Troubleshoot online endpoints").
const MODEL_FAILED: &str = "ms-azureml-model-error-statuscode";
/// What Entra says of an application whose service principal is disabled (Microsoft, "Microsoft Entra authentication and
/// authorization error codes").
const DISABLED: &str = "AADSTS7000112";
/// The services that are called; their hosts end so.
const HOSTS: [&str; 4] = [
    ".inference.ml.azure.com",
    ".cognitiveservices.azure.com",
    ".openai.azure.com",
    ".services.ai.azure.com",
];
/// Those that take a key in a header of its own, and not as a bearer.
const API_KEY: &str = "api-key";
/// As long as their keys are.
const MADE_UP_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Who the probe is.
enum Who {
    /// A managed identity of the platform.
    Managed(Arc<dyn TokenCredential>),
    /// One of a simulated Azure: where its tokens are, and what has to be shown there.
    Simulated { endpoint: Url, secret: String },
}

/// The prober over the one HTTP client.
pub struct HttpProber {
    client: Client,
    who: Who,
    login: Url,
    /// Where all services are, if they are simulated.
    inference: Option<Url>,
    /// A scope that no tenant's service is for; the applications have no right there.
    elsewhere: String,
    place: String,
    clock: Arc<dyn Clock>,
}

impl HttpProber {
    /// A prober by its settings; `elsewhere` is the scope of Resource Manager.
    ///
    /// # Errors
    /// [`BadIdentity`] when the identity's surroundings are missing.
    pub fn new(
        config: &ProbeConfig,
        client: Client,
        elsewhere: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadIdentity> {
        let identity = Identity::Managed { client_id: Some(config.client_id.clone()) };
        let who = Who::Managed(credential(&identity, &client)?);
        let (login, inference) = (config.login.clone(), config.inference.clone());
        let (elsewhere, place) = (elsewhere.to_owned(), config.place.clone());
        Ok(Self { client, who, login, inference, elsewhere, place, clock })
    }

    /// A prober of a simulated Azure, whose identity endpoint is at `identity` and wants to see `secret`.
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
            place: "this machine, where Azure is simulated".to_owned(),
            clock,
        }
    }

    /// The probe's own token.
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
            return Err("its service is the one that is taken for another one".to_owned().into());
        }
        // A credential for one token: what Entra said an hour ago proves nothing about now.
        let options = Some(ClientAssertionCredentialOptions { client_options: self.options() });
        let (directory, client) = (of.directory_id.clone(), of.client_id.clone());
        let refused = |error: azure_core::Error| {
            let said = said(&error);
            let why = format!("Entra gave no token of its application: {said}");
            let disabled = said.split(", ").any(|code| code == DISABLED);
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
            Some(place) => {
                let mut here = place.clone();
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
        let request = request.timeout(PATIENCE).json(&target.body);
        let (status, headers) = match head(Call::to(Service::Inference), request).await {
            Ok(answer) => answer,
            Err(lost) => return Err(lost.to_string()),
        };
        Ok(Scored { status, from_service: headers.contains_key(MODEL_FAILED) })
    }

    /// A token that says that it has ended. Entra's own can't be aged, so its signature no longer fits either.
    fn expired(&self, token: &ProbeToken) -> Result<ProbeToken, String> {
        let other = || {
            "the token has another form than a JSON Web Token's, so it can't be made out as expired"
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
    fn place(&self) -> &str {
        &self.place
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        Box::pin(async move {
            let token = tokio::time::timeout(PATIENCE, self.own_token(of, is_for)).await;
            token.unwrap_or_else(|_| Err("no token could be had in time".to_owned().into()))
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

/// The address of a known service: nothing else is called, whatever a resource says of itself.
fn allowed(url: &str) -> Result<Url, String> {
    let refused = |why: &str| Err(format!("its address is not called: {why}"));
    let Ok(url) = Url::parse(url) else { return refused("it is no URL") };
    let host = url.host_str().unwrap_or_default();
    let is_known = HOSTS.iter().any(|end| host.strip_suffix(end).is_some_and(|name| !name.is_empty()));
    match () {
        () if url.scheme() != "https" => refused("it is not https"),
        () if !url.username().is_empty() || url.password().is_some() => refused("it names a user"),
        () if url.port().is_some() => refused("it names a port"),
        () if !is_known => refused("its host is none of a service that tenants have"),
        () => Ok(url),
    }
}

/// What Entra said, as far as it can be told: the status and the numbers of its errors.
fn said(error: &azure_core::Error) -> String {
    let status = error.http_status().map(|status| format!("HTTP {}", u16::from(status)));
    let text = error.to_string();
    let codes = text.split("AADSTS").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
        format!("AADSTS{digits}")
    });
    let mut told: Vec<String> = status.into_iter().chain(codes.filter(|code| code.len() > 6)).collect();
    told.dedup();
    if told.is_empty() { "it can't be reached or understood".to_owned() } else { told.join(", ") }
}

/// The probe's token as what it is traded with.
#[derive(Debug)]
struct Assertion(Secret);

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.secret().to_owned())
    }
}
