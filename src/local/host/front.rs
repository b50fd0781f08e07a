//! The host's own HTTP front: the routes of HTTP functions, and the few admin calls that people use.
//!
//! As `func start` without `--enableAuth`: nobody is asked for a key. Source: azure-functions-host,
//! `HttpRequestExtensions`, `FunctionsController` and `HostController`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Shared,
    app::{FunctionFile, TriggerKind},
    encode,
    invoke::envelope,
    listener::send_outputs,
    outputs, timer,
};

/// The largest request that is taken, as on the real host.
const REQUEST_LIMIT: usize = 100 << 20;

/// All routes of the host.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new()
        .route("/admin/functions", get(list))
        .route("/admin/functions/{name}", post(run_function))
        .route("/admin/host/ping", get(|| async { StatusCode::OK }).post(|| async { StatusCode::OK }));
    for function in &shared.functions {
        if function.kind() != Some(TriggerKind::Http) {
            continue;
        }
        for path in paths(&shared.app.host.route_prefix, function) {
            let function = Arc::clone(function);
            let template: Arc<[String]> = path.iter().map(ToString::to_string).collect();
            let handler = move |state: State<Arc<Shared>>, request: Request| async move {
                Box::pin(call(state.0, function, template, request)).await
            };
            router = router.route(&axum_path(&path), any(handler));
        }
    }
    router.with_state(Arc::clone(shared))
}

/// The paths of a function's route as segments: one with all, and one without the optional last parameter.
fn paths(prefix: &str, function: &FunctionFile) -> Vec<Vec<String>> {
    let route = function.trigger().route.as_deref().unwrap_or(&function.name);
    let segments = |text: &str| -> Vec<String> {
        text.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
    };
    let mut full = segments(prefix);
    full.extend(segments(route));
    match full.split_last() {
        Some((last, rest)) if last.ends_with("?}") => vec![rest.to_vec(), full.clone()],
        _ => vec![full],
    }
}

/// The name of a parameter segment such as `{tenantId?}` or `{id:int}`.
fn parameter(segment: &str) -> Option<&str> {
    let inner = segment.strip_prefix('{')?.strip_suffix('}')?;
    inner.split([':', '?', '=']).next()
}

/// The same path for axum; parameters are named by their place, since two routes may name one place differently.
fn axum_path(segments: &[String]) -> String {
    segments.iter().enumerate().fold(String::new(), |path, (place, segment)| match parameter(segment) {
        Some(_) => format!("{path}/{{p{place}}}"),
        None => format!("{path}/{segment}"),
    })
}

async fn call(
    shared: Arc<Shared>,
    function: Arc<FunctionFile>,
    template: Arc<[String]>,
    request: Request,
) -> Response {
    let _busy = shared.busy();
    let (parts, body) = request.into_parts();
    let methods = function.trigger().methods.as_deref();
    if methods.is_some_and(|methods| !methods.iter().any(|m| m.eq_ignore_ascii_case(parts.method.as_str()))) {
        // The real host has no route for it, so it is "not found" there as well.
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(body) = to_bytes(body, REQUEST_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let params = params(&template, &parts.uri, function.trigger().route.as_deref().unwrap_or_default());
    let query = query(&parts.uri);
    let data = data(&parts, &query, &params, &body);
    let metadata = metadata(&shared, &function, &parts.headers, &query, &params, &body);
    let envelope = envelope(&function.trigger().name, &data, &metadata);
    let response = match shared.invoker.invoke(&function.name, &envelope, None).await {
        Err(why) => Err(why),
        Ok(answer) => match send_outputs(&shared, &function, &answer).await {
            Err(why) => Err(why),
            Ok(()) => {
                let output =
                    function.bindings.iter().find(|binding| binding.kind.eq_ignore_ascii_case("http"));
                outputs::http_response(output, &answer)
            }
        },
    };
    response.unwrap_or_else(|why| {
        tracing::warn!(function.name = function.name, why, "the invocation failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// The route values of a path; those of unused optional parameters are null.
fn params(template: &[String], uri: &Uri, route: &str) -> Map<String, Value> {
    let unused = route.split('/').filter_map(parameter).map(|name| (name.to_owned(), Value::Null));
    let segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    let used = template.iter().zip(segments).filter_map(|(place, segment)| {
        let value = percent_decode_str(segment).decode_utf8_lossy().into_owned();
        Some((parameter(place)?.to_owned(), json!(value)))
    });
    unused.chain(used).collect()
}

/// The query, decoded; the values of a repeated key are joined by a comma.
fn query(uri: &Uri) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut query: BTreeMap<String, String> = BTreeMap::new();
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value);
        query
            .entry(decode(name))
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    query
}

/// Standard headers are written as .NET writes them, others as most clients send them.
fn header_name(name: &str) -> String {
    if name.starts_with("x-") {
        return name.to_owned();
    }
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    });
    words.collect::<Vec<_>>().join("-")
}

fn header_values(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

fn data(parts: &Parts, query: &BTreeMap<String, String>, params: &Map<String, Value>, body: &[u8]) -> Value {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let headers: Map<String, Value> = parts
        .headers
        .keys()
        .map(|name| (header_name(name.as_str()), json!(header_values(&parts.headers, name))))
        .collect();
    let mut data = json!({
        "Url": format!("http://{host}{}", parts.uri),
        "Method": parts.method.as_str(),
        "Query": query,
        "Headers": headers,
        "Params": params,
        "Identities": [{
            "AuthenticationType": null,
            "IsAuthenticated": false,
            "Actor": null,
            "BootstrapContext": null,
            "Claims": [],
            "Label": null,
            "Name": null,
            "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
        }],
    });
    // A chunked request has no Content-Length, and then the real host gives no body.
    let announced = parts.headers.contains_key(header::CONTENT_LENGTH);
    if announced && !body.is_empty() {
        data["Body"] = body_value(&parts.headers, body);
    }
    data
}

fn body_value(headers: &HeaderMap, body: &[u8]) -> Value {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.starts_with("application/octet-stream") || media_type.starts_with("multipart/") {
        json!(BASE64_STANDARD.encode(body))
    } else {
        json!(String::from_utf8_lossy(body))
    }
}

fn metadata(
    shared: &Shared,
    function: &FunctionFile,
    headers: &HeaderMap,
    query: &BTreeMap<String, String>,
    params: &Map<String, Value>,
    body: &[u8],
) -> Map<String, Value> {
    let mut metadata = Map::new();
    encode::leak(&mut metadata, body);
    let query_members = query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("code"));
    metadata.extend(query_members.map(|(name, value)| (name.clone(), encode::literal(value.as_str()))));
    let used = params.iter().filter(|(_, value)| !value.is_null());
    metadata.extend(used.map(|(name, value)| (name.clone(), encode::literal(value.clone()))));
    let headers: Map<String, Value> = headers
        .keys()
        .map(|name| (header_name(name.as_str()), json!(header_values(headers, name).join(","))))
        .collect();
    metadata.insert("Query".to_owned(), json!(query));
    metadata.insert("Headers".to_owned(), Value::Object(headers));
    metadata.insert("sys".to_owned(), encode::sys(function, shared.now()));
    metadata
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let entry = |function: &Arc<FunctionFile>| json!({ "name": function.name, "language": "custom" });
    Json(shared.functions.iter().map(entry).collect())
}

/// Runs a function in the background with a text as its trigger's value; HTTP functions are called by their route.
async fn run_function(State(shared): State<Arc<Shared>>, Path(name): Path<String>, body: String) -> Response {
    let Some(function) = shared.functions.iter().find(|f| f.name.eq_ignore_ascii_case(&name)).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let refuse = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    let input = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|body| Some(body.get("input")?.as_str()?.to_owned()));
    let Some(input) = input else { return refuse("the body must be {\"input\": \"<text>\"}") };
    if function.kind() == Some(TriggerKind::Http) {
        return refuse("an HTTP function is called by its route");
    }
    let busy = shared.busy();
    tokio::spawn(async move {
        run_with(&shared, &function, &input).await;
        drop(busy);
    });
    StatusCode::ACCEPTED.into_response()
}

async fn run_with(shared: &Shared, function: &FunctionFile, input: &str) {
    if function.kind() == Some(TriggerKind::Timer) {
        let next = shared.now();
        timer::run(shared, function, timer::Tick { last: None, next, past_due: false }).await;
        return;
    }
    let trigger = function.trigger();
    let mut metadata: Map<String, Value> =
        Map::from_iter([("sys".to_owned(), encode::sys(function, shared.now()))]);
    if !trigger.is_binary() {
        encode::leak(&mut metadata, input.as_bytes());
    }
    let envelope = envelope(&trigger.name, &encode::body(trigger, input.as_bytes()), &metadata);
    let outcome = match shared.invoker.invoke(&function.name, &envelope, None).await {
        Ok(answer) => send_outputs(shared, function, &answer).await,
        Err(why) => Err(why),
    };
    if let Err(why) = outcome {
        tracing::warn!(function.name = function.name, why, "the invocation by hand failed");
    }
}
