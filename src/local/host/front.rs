//! The host's HTTP front end, with the routes of the HTTP functions.
//!
//! As with `func start` without `--enableAuth`, no key is required unless keys are set. Source: azure-functions-host,
//! `HttpRequestExtensions`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::any,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Shared, admin,
    app::{FunctionFile, TriggerKind},
    encode,
    invoke::envelope,
    listener::send_outputs,
    outputs,
};

/// The largest request that is accepted, as on the real host.
const REQUEST_LIMIT: usize = 100 << 20;

/// All routes of the host.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let mut router = admin::router();
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

/// The paths of a function's route, each as its segments. A route with an optional last parameter has two: without and
/// with it.
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

/// The path of a route in axum's syntax. Parameters are named by their index, because two routes may have different
/// names for a parameter at the same position.
fn axum_path(segments: &[String]) -> String {
    segments.iter().enumerate().fold(String::new(), |path, (index, segment)| match parameter(segment) {
        Some(_) => format!("{path}/{{p{index}}}"),
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
        // The real host has no such route, so it also answers "not found".
        return StatusCode::NOT_FOUND.into_response();
    }
    let query = query(&parts.uri);
    if let Some(keys) = &shared.keys
        && !keys.open(keys.shown(&parts.headers, &query))
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(mut body) = to_bytes(body, REQUEST_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // A chunked request has no Content-Length; then the real host drops the body and keeps the header.
    if !parts.headers.contains_key(header::CONTENT_LENGTH) {
        body.clear();
    }
    let params = params(&template, &parts.uri, function.trigger().route.as_deref().unwrap_or_default());
    let call = CallParts { parts: &parts, query: &query, params: &params, body: &body };
    let (data, metadata) = (data(&call), metadata(&shared, &function, &call));
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

/// The values of the route's parameters in a path; null for an optional parameter that the path does not have.
fn params(template: &[String], uri: &Uri, route: &str) -> Map<String, Value> {
    let unused = route.split('/').filter_map(parameter).map(|name| (name.to_owned(), Value::Null));
    let segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    let used = template.iter().zip(segments).filter_map(|(part, segment)| {
        let value = percent_decode_str(segment).decode_utf8_lossy().into_owned();
        Some((parameter(part)?.to_owned(), json!(value)))
    });
    unused.chain(used).collect()
}

/// The decoded parameters of the query; the values of a repeated one are joined by a comma.
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

/// A header's name as the handler gets it: with capitals, as .NET spells standard headers; in lower case, as most
/// clients send it, if it begins with `x-`.
fn header_name(name: &str) -> String {
    if name.starts_with("x-") {
        return name.to_owned();
    }
    let parts = name.split('-').map(|part| {
        let mut letters = part.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    });
    parts.collect::<Vec<_>>().join("-")
}

fn header_values(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

fn data(call: &CallParts<'_>) -> Value {
    let CallParts { parts, query, params, body } = call;
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
    if !body.is_empty() {
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

/// The parts of an HTTP call, from which the envelope's data and metadata are made.
struct CallParts<'a> {
    parts: &'a Parts,
    query: &'a BTreeMap<String, String>,
    params: &'a Map<String, Value>,
    body: &'a [u8],
}

fn metadata(shared: &Shared, function: &FunctionFile, call: &CallParts<'_>) -> Map<String, Value> {
    let CallParts { parts: Parts { headers, .. }, query, params, body } = call;
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
