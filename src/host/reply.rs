//! The answer to the host, as the JSON object that the host expects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::functions::FunctionTrigger;

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The outcome is saved, or work that continues later is: the host completes the message.
    Done {
        /// Lines for the invocation's log.
        logs: Vec<String>,
    },
    /// The response to the HTTP caller.
    ///
    /// For the host this is a success, whatever the status: a 404 for the caller is a 200 for the host.
    Http {
        /// The HTTP status for the caller.
        status: u16,
        /// The headers for the caller; without `Content-Type` the host sends `text/plain`.
        headers: BTreeMap<String, String>,
        /// The body for the caller, sent unchanged; may be empty.
        body: String,
        /// Lines for the invocation's log.
        logs: Vec<String>,
    },
    /// Nothing could be saved, so the message has to be delivered again. The host is answered late, because it delivers
    /// the message again at once ([`late`](super::late)). An HTTP caller gets a 500 without a body.
    TryAgain {
        /// Why nothing could be saved, for the log.
        why: String,
    },
}

impl Answer {
    /// A success without log lines.
    pub const fn done() -> Self {
        Self::Done { logs: Vec::new() }
    }

    /// The status and the body for the host. The body is always an object, never empty, never `null`.
    ///
    /// The response of an HTTP function always has a `body` string, because the host ignores status and headers without
    /// one (azure-functions-host, `HttpBinding`).
    pub fn to_host_json(&self, kind: FunctionTrigger) -> (u16, Value) {
        match self {
            Self::Done { logs } => (200, result(&json!({}), logs)),
            Self::Http { status, headers, body, logs } => {
                let response = json!({ "statusCode": status, "headers": headers, "body": body });
                let outputs = match kind {
                    FunctionTrigger::Http { output, .. } => json!({ output: response }),
                    // A queue or timer trigger has no caller and no output binding for a response; the host would
                    // ignore it.
                    FunctionTrigger::QueueMessage { .. } | FunctionTrigger::Timer { .. } => json!({}),
                };
                (200, result(&outputs, logs))
            }
            Self::TryAgain { why } => (503, json!({ "error": why })),
        }
    }
}

fn result(outputs: &Value, logs: &[String]) -> Value {
    json!({ "Outputs": outputs, "Logs": logs, "ReturnValue": null })
}
