//! A signup app: sends sign-ups to tenantry, receives events about tenants, and polls if no event arrives.
//!
//! ```text
//! signup-app serve                                              receive events on a webhook
//! signup-app signup order-1001 northwind "Northwind" dedicated  send a sign-up
//! signup-app wait northwind                                     poll until the operation has ended
//! ```
//!
//! Settings are environment variables; ../README.md describes them. Without settings, the app works with
//! `tenantry local` on the same machine. It uses none of tenantry's code.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of its own, with other rules than tenantry's"
)]

mod queue;
mod webhook;

use std::{env, process::ExitCode, time::Duration};

use reqwest::{Client, Method};
use serde_json::{Value, json};

const USAGE: &str = "usage: serve | signup ORDER TENANT \"DISPLAY NAME\" TIER | wait TENANT";
const SETTLED: [&str; 5] = ["active", "suspended", "waiting", "failed", "deleted"];

/// Why a command failed.
enum Problem {
    /// tenantry has refused the request permanently. Holds tenantry's answer, with a code and all faults.
    Refused(Value),
    /// It is unknown whether the request arrived. The app can send it again unchanged: its id makes it the same
    /// request.
    NotTaken(String),
    /// A setting or a command is invalid.
    Unusable(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => webhook::serve().await,
        ["signup", order, tenant, display_name, tier] => sign_up(order, tenant, display_name, tier).await,
        ["wait", tenant] => wait_for(tenant).await,
        _ => Err(Problem::Unusable(USAGE.to_owned())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem::Refused(answer)) => {
            eprintln!("refused: {}", text(&answer, "/code"));
            for fault in answer["faults"].as_array().into_iter().flatten() {
                let of = |pointer| text(fault, pointer);
                eprintln!("  {} {}: {}", of("/pointer"), of("/code"), of("/message"));
            }
            ExitCode::from(1)
        }
        Err(Problem::NotTaken(why) | Problem::Unusable(why)) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// Sends a sign-up: to the queue if one is configured, and then events report the result; otherwise over HTTP.
async fn sign_up(order: &str, tenant: &str, display_name: &str, tier: &str) -> Result<(), Problem> {
    // The order's number is the request's id, so an order that is sent twice is one sign-up.
    let request = json!({
        "schema": "tenantry.request/1",
        "requestId": order,
        "action": "signup",
        "tenantId": tenant,
        "spec": { "displayName": display_name, "tier": tier },
    });
    if let Some(namespace) = setting("SERVICEBUS_NAMESPACE") {
        queue::send(&client()?, &namespace, &request).await?;
        println!("sent: tenant {tenant}");
    } else {
        let answer = call(Method::POST, "/api/tenants", Some(&request)).await?;
        let of = |pointer| text(&answer, pointer);
        println!("{}: tenant {}, operation {}", of("/decision"), of("/tenantId"), of("/operationId"));
    }
    Ok(())
}

/// Polls until the tenant's operation has ended. Use it only if no event arrives: events are faster and cheaper.
async fn wait_for(tenant: &str) -> Result<(), Problem> {
    let mut pause = Duration::from_millis(500);
    loop {
        match call(Method::GET, &format!("/api/tenants/{tenant}"), None).await {
            Ok(seen) if SETTLED.contains(&text(&seen, "/status")) => {
                println!("{tenant} is {} {}", text(&seen, "/status"), text(&seen, "/outputs/endpointUrl"));
                return Ok(());
            }
            Ok(_) => {}
            Err(Problem::NotTaken(why)) => eprintln!("{why}; asked again"),
            Err(problem) => return Err(problem),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// Calls tenantry's HTTP functions.
async fn call(method: Method, path: &str, body: Option<&Value>) -> Result<Value, Problem> {
    let base = setting("TENANTRY_URL").unwrap_or_else(|| "http://127.0.0.1:7071".to_owned());
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let mut request = client()?.request(method, &url);
    if let Some(key) = setting("TENANTRY_KEY") {
        request = request.header("x-functions-key", key);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let lost = |error: reqwest::Error| Problem::NotTaken(format!("{url} can't be called: {error}"));
    let answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let is_problem = content_type.is_some_and(|kind| kind.starts_with("application/problem+json"));
    if status.is_success() {
        answer.json().await.map_err(lost)
    } else if is_problem && !status.is_server_error() {
        Err(Problem::Refused(answer.json().await.map_err(lost)?))
    } else {
        Err(Problem::NotTaken(format!("{url} answered HTTP {}", status.as_u16())))
    }
}

fn client() -> Result<Client, Problem> {
    // reqwest is built without cryptography of its own; an app with reqwest's feature `rustls` does not need this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(Duration::from_secs(60)).build();
    client.map_err(|error| Problem::Unusable(format!("there is no HTTP client: {error}")))
}

/// The value of a setting; `None` if it is absent or empty.
fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The text at a pointer in JSON, or the empty string.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
