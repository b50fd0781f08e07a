//! What the host is told, as the JSON object that it understands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::functions::FunctionTrigger;

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The outcome, or a durable continuation, is saved: the host completes the message.
    Done {
        /// Lines for the invocation's log.
        logs: Vec<String>,
    },
    /// The response for the one who made the HTTP request.
    ///
    /// For the host this is a success, whatever the status: a 404 for the caller is a 200 from here.
    Http {
        /// The status for the caller.
        status: u16,
        /// The headers for the caller; give a `Content-Type`, or the host says `text/plain`.
        headers: BTreeMap<String, String>,
        /// The body for the caller, sent as it is; may be empty.
        body: String,
        /// Lines for the invocation's log.
        logs: Vec<String>,
    },
    /// Nothing could be saved: the message has to come again. The host is told late, for it hands the message in again
    /// at once ([`late`](super::late)). An HTTP caller sees a bare 500.
    TryAgain {
        /// Why, for the log.
        why: String,
    },
}

impl Answer {
    /// A success with nothing to say.
    pub const fn done() -> Self {
        Self::Done { logs: Vec::new() }
    }

    /// The status and the body for the host. The body is always an object, never empty, never `null`.
    ///
    /// The response of an HTTP function always has a `body` string, because the host ignores status and headers
    /// without one (azure-functions-host, `HttpBinding`).
    pub fn to_wire(&self, kind: FunctionTrigger) -> (u16, Value) {
        match self {
            Self::Done { logs } => (200, result(&json!({}), logs)),
            Self::Http { status, headers, body, logs } => {
                let response = json!({ "statusCode": status, "headers": headers, "body": body });
                let outputs = match kind {
                    FunctionTrigger::Http { output, .. } => json!({ output: response }),
                    // No such output is declared, so the host would drop it; a queue or a timer has no caller.
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
