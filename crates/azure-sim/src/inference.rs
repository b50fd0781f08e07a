//! Calls to tenants' services: online endpoints of Machine Learning, and models of Cognitive Services. The token and
//! the role assignments decide who may call, as in Azure.
//!
//! Networks are not simulated: every call is treated as one from inside the network. Sources: Microsoft, "Authenticate
//! clients for online endpoints", "Troubleshoot online endpoints" (401 also if a permission is missing), "Authenticate
//! requests to Foundry Tools".

use crate::{
    call::Call,
    flaws::{Accepts, State},
    identity::{Claims, Flaw, Issuer},
    inner::Inner,
    reply::{Outcome, Reply, refuse},
    resources::{cognitive_account, online_endpoint},
    roles,
    store::{Object, Snapshot, StoreQuery as _},
};
use serde_json::{Value, json};

const MACHINE_LEARNING: &str = ".inference.ml.azure.com";
const LANGUAGE: [&str; 2] = [".openai.azure.com", ".cognitiveservices.azure.com"];

/// The properties of a tenant's service that decide how a call to the service is answered.
struct Service {
    object: Object,
    audience: &'static str,
    /// The action that the caller of the service needs permission for.
    action: &'static str,
    /// Whether `action` is a data action, which role definitions list in `dataActions`.
    on_data: bool,
    takes_keys: bool,
    takes_tokens: bool,
    /// Whether the service can answer: a deployment of the online endpoint has traffic, or the called model is
    /// deployed.
    serves: bool,
}

/// The host that a call is for, in lower case and without the port.
pub(crate) fn host(call: &Call) -> String {
    call.header("host").split(':').next().unwrap_or_default().to_lowercase()
}

/// Whether a host name has the form of a tenant's service. The service need not exist.
pub(crate) fn is_host(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default().to_lowercase();
    host.ends_with(MACHINE_LEARNING) || LANGUAGE.iter().any(|end| host.ends_with(end))
}

/// Answers a call to a tenant's service.
pub(crate) fn answer(inner: &Inner, view: &Snapshot, call: &Call) -> Outcome {
    let host = host(call);
    if inner.flaws.has(&host, State::Refuses) {
        return refuse(403, "Forbidden", "Nobody is let in.");
    }
    let Some(service) = find(view, &host, &call.path)? else {
        return refuse(404, "NotFound", format!("There is no service '{host}'."));
    };
    let tenant = service.object.tenant.clone();
    admit(inner, view, call, &host, &service)?;
    if !service.serves {
        return refuse(404, "NotFound", "The endpoint has no valid deployment with positive weight.");
    }
    if inner.flaws.has(&host, State::ModelFails) {
        let reply = Reply::json(424, json!({"error": "the model has failed"}));
        return Ok(reply.with("ms-azureml-model-error-statuscode", "500").of(tenant));
    }
    Ok(Reply::json(200, json!([{"label": "POSITIVE", "score": 0.99}])).of(tenant))
}

fn find(view: &Snapshot, host: &str, path: &str) -> Outcome<Option<Service>> {
    if let Some(name) = host.strip_suffix(MACHINE_LEARNING) {
        let Some((name, region)) = name.split_once('.') else { return Ok(None) };
        let key = online_endpoint::PROFILE.name_key(name, region).unwrap_or_default();
        let Some(object) = view.living_holder(&key)? else { return Ok(None) };
        let mode = object.text("/properties/authMode").to_owned();
        let traffic = object.body.pointer("/properties/traffic").and_then(Value::as_object);
        let serves = traffic.is_some_and(|all| all.values().any(|share| share.as_u64() > Some(0)));
        let is_score = object.text("/properties/scoringUri").ends_with(&format!("{host}{path}"));
        return Ok(is_score.then_some(Service {
            object,
            audience: "https://ml.azure.com",
            action: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action",
            on_data: false,
            takes_keys: mode == "Key",
            takes_tokens: mode == "AADToken",
            serves,
        }));
    }
    let Some(name) = LANGUAGE.iter().find_map(|end| host.strip_suffix(end)) else { return Ok(None) };
    let Some(object) = view.living_holder(&cognitive_account::subdomain_key(name))? else { return Ok(None) };
    let model = path.strip_prefix("/openai/deployments/").and_then(|rest| rest.split('/').next());
    let Some(model) = model else { return Ok(None) };
    let serves = view.alive(&format!("{}/deployments/{model}", object.id))?.is_some();
    let takes_keys = object.body.pointer("/properties/disableLocalAuth") != Some(&json!(true));
    Ok(Some(Service {
        object,
        audience: "https://cognitiveservices.azure.com",
        action: "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
        on_data: true,
        takes_keys,
        takes_tokens: true,
        serves,
    }))
}

/// Admits a caller or refuses it with 401. A flaw that a test has set admits the callers that it names.
fn admit(inner: &Inner, view: &Snapshot, call: &Call, host: &str, service: &Service) -> Outcome<()> {
    let flawed = |accepts: Accepts| inner.flaws.accepts(host, accepts);
    let no = |why: &str| refuse(401, "Unauthorized", why.to_owned());
    let bearer = call.header("authorization").strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let key = if bearer.split('.').count() == 3 { call.header("api-key") } else { bearer };
    if bearer.is_empty() && key.is_empty() {
        return if flawed(Accepts::NoToken) { Ok(()) } else { no("Access denied: a token is missing.") };
    }
    if !key.is_empty() {
        // The simulated Azure never issues keys, so no key can be right.
        let why = if service.takes_keys { "The key is wrong." } else { "Keys are not taken." };
        return if flawed(Accepts::AnyKey) { Ok(()) } else { no(why) };
    }
    if !service.takes_tokens {
        return no("Tokens of Entra are not taken.");
    }
    let claims = match inner.issuer.read(bearer) {
        Ok(claims) => claims,
        Err(Flaw::MadeUp) if flawed(Accepts::Expired) => {
            let said: Option<Claims> = Issuer::said(bearer);
            return match said.filter(|claims| claims.exp <= view.now.as_second()) {
                Some(_) => Ok(()),
                None => no("The token is not Entra's."),
            };
        }
        Err(flaw) => return no(&flaw.to_string()),
    };
    if claims.exp <= view.now.as_second() && !flawed(Accepts::Expired) {
        return no("The token has ended.");
    }
    if claims.aud != service.audience && !flawed(Accepts::WrongAudience) {
        return no("The token is for another service.");
    }
    let caller = claims.oid.unwrap_or_default();
    let may = roles::may(view, &caller, &service.object.id, service.action, service.on_data)?;
    if may || flawed(Accepts::AnyToken) {
        return Ok(());
    }
    no("The principal may not do this here.")
}
