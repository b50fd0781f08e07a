//! HTTP calls to a running tenantry: to `tenantry local` on this machine, or to an instance in Azure.

use std::{process::ExitCode, time::Duration};

use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::Value;

use super::output;
use crate::azure::client;

/// The running instance that a command calls, and how the command prints the answer.
#[derive(Debug, ClapArgs)]
pub(super) struct Instance {
    /// The instance's address; the HTTP functions are below `/api`
    #[arg(long, default_value = "http://127.0.0.1:7071")]
    url: String,
    /// Print the answer's JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Instance {
    /// The instance at an address, with output for people.
    pub(super) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), json: false }
    }

    /// Sends a call and prints the answer: with `--json` its JSON, otherwise a 2xx answer by `show`, and any other on
    /// stderr. Returns the exit code: 0 for a 2xx answer, 1 for any other, 2 for none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        show: impl FnOnce(&Value),
    ) -> ExitCode {
        self.hand_in(method, path, body, show).await.1
    }

    /// Like [`Self::call`]; also returns the JSON of a 2xx answer, or null.
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
                self.print_no_answer(&error);
                return (Value::Null, ExitCode::from(2));
            }
        };
        if self.json {
            output::line(&format!("{answer:#}"));
        } else if (200..300).contains(&status) {
            show(&answer);
        } else {
            print_problem(status, &answer);
        }
        if (200..300).contains(&status) {
            (answer, ExitCode::SUCCESS)
        } else {
            (Value::Null, ExitCode::from(1))
        }
    }

    /// Sends a GET and returns the JSON of a 2xx answer. Without one, prints the problem on stderr and returns the exit
    /// code for it.
    pub(super) async fn get(&self, path: &str) -> Result<Value, ExitCode> {
        self.ask_well(Method::GET, path, None).await
    }

    /// Posts a body and returns the JSON of a 2xx answer. Without one, does the same as [`Self::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ExitCode> {
        self.ask_well(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    async fn ask_well(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Value, ExitCode> {
        match self.ask(method, path, body).await {
            Ok((200..=299, answer)) => Ok(answer),
            Ok((status, answer)) => {
                print_problem(status, &answer);
                Err(ExitCode::from(1))
            }
            Err(error) => {
                self.print_no_answer(&error);
                Err(ExitCode::from(2))
            }
        }
    }

    fn print_no_answer(&self, error: &reqwest::Error) {
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
        let client = client::builder().timeout(Duration::from_secs(60)).build()?;
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

fn print_problem(status: u16, answer: &Value) {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let title = text("title").unwrap_or("the call failed");
    output::problem(&format!("{title} (HTTP {status}): {}", text("detail").unwrap_or_default()));
    if answer.get("replayed") == Some(&Value::Bool(true)) {
        output::problem("  this is the answer to an earlier request, which this one repeats");
    }
    for fault in answer.get("faults").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        output::problem(&format!("  {} {}: {}", of("pointer"), of("code"), of("message")));
    }
}

/// Prints on stderr the tenants whose documents the instance can't read, as its answer lists them. Returns how many.
pub(super) fn print_unreadable(answer: &Value) -> usize {
    let rows = answer.get("unreadable").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        output::problem(&format!("{} is unreadable: {}", text(row, "/tenantId"), text(row, "/why")));
    }
    rows.len()
}

/// The member at a JSON pointer, as text; empty if it is absent or null.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
