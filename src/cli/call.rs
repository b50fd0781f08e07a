//! Calls to a running tenantry, the one of `tenantry local` or one in Azure.

use std::{process::ExitCode, time::Duration};

use clap::Args as ClapArgs;
use reqwest::{Client, Method};
use serde_json::Value;

use super::output;

/// Which instance to call.
#[derive(Debug, ClapArgs)]
pub(super) struct Instance {
    /// Where it is; the HTTP functions are below `/api`
    #[arg(long, default_value = "http://127.0.0.1:7071")]
    url: String,
    /// Print the answer's JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Instance {
    /// The instance at an address.
    pub(super) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), json: false }
    }

    /// Calls, and hands a 2xx answer's JSON to `show`; anything else is told on stderr.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        show: impl FnOnce(&Value),
    ) -> ExitCode {
        self.hand_in(method, path, body, show).await.1
    }

    /// As [`Self::call`], with the answer's JSON if it was a 2xx.
    pub(super) async fn hand_in(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        show: impl FnOnce(&Value),
    ) -> (Value, ExitCode) {
        let (status, answer) = match self.ask(method, path, body).await {
            Ok(answered) => answered,
            Err(error) => {
                self.tell_silence(&error);
                return (Value::Null, ExitCode::from(2));
            }
        };
        if self.json {
            output::line(&format!("{answer:#}"));
        } else if (200..300).contains(&status) {
            show(&answer);
        } else {
            tell_problem(status, &answer);
        }
        if (200..300).contains(&status) {
            (answer, ExitCode::SUCCESS)
        } else {
            (Value::Null, ExitCode::from(1))
        }
    }

    /// Gets a 2xx answer's JSON; anything else is told on stderr, and this is the exit code for it.
    pub(super) async fn get(&self, path: &str) -> Result<Value, ExitCode> {
        self.ask_well(Method::GET, path, None).await
    }

    /// The same for a call that changes something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ExitCode> {
        self.ask_well(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    async fn ask_well(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Value, ExitCode> {
        match self.ask(method, path, body).await {
            Ok((200..=299, answer)) => Ok(answer),
            Ok((status, answer)) => {
                tell_problem(status, &answer);
                Err(ExitCode::from(1))
            }
            Err(error) => {
                self.tell_silence(&error);
                Err(ExitCode::from(2))
            }
        }
    }

    fn tell_silence(&self, error: &reqwest::Error) {
        output::problem(&format!("{} can't be called: {}", self.url, output::chain(error)));
        let hint =
            if cfg!(feature = "local") { " start one with: tenantry local" } else { " --url says where" };
        output::problem(&format!("is it running?{hint}"));
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let client = Client::builder().timeout(Duration::from_secs(60)).build()?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let mut request = client.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

fn tell_problem(status: u16, answer: &Value) {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let title = text("title").unwrap_or("the call failed");
    output::problem(&format!("{title} (HTTP {status}): {}", text("detail").unwrap_or_default()));
    if answer.get("replayed") == Some(&Value::Bool(true)) {
        output::problem("  this is the answer of an earlier request, which this one repeats");
    }
    for fault in answer.get("faults").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        output::problem(&format!("  {} {}: {}", of("pointer"), of("code"), of("message")));
    }
}

/// Says which tenants an answer could not tell of, for their documents can't be read; how many.
pub(super) fn tell_unreadable(answer: &Value) -> usize {
    let rows = answer.get("unreadable").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        output::problem(&format!("{} is unreadable: {}", text(row, "/tenantId"), text(row, "/why")));
    }
    rows.len()
}

/// A member as text; empty if it is not there.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
