//! The answer to a request.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};
use tenantry_core::{ids::TenantId, tenant::Status};

/// A fault of a message, with its position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// JSON pointer into the message; empty for the message as a whole.
    pub pointer: String,
    /// A stable code, e.g. `wrong_type`.
    pub code: String,
    /// A text for people: what is wrong, and what would be right.
    pub message: String,
}

/// How many faults an answer lists; if there are more, a last one says how many are left out. With the lengths below,
/// an event that lists all of them stays below 64 KiB, whatever the message contains.
pub(super) const MAX_FAULTS: usize = 32;
/// The maximum lengths of a pointer and of a message, in characters. Both may repeat what a sender wrote.
const MAX_POINTER: usize = 160;
const MAX_MESSAGE: usize = 400;

impl Fault {
    /// Creates a fault. The pointer and the message are cut to their maximum lengths.
    pub fn new(pointer: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        let pointer = cut(pointer.into(), MAX_POINTER);
        Self { pointer, code: code.to_owned(), message: cut(message.into(), MAX_MESSAGE) }
    }
}

fn cut(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntakeDecision {
    /// The request is accepted; its outcome will be published.
    Accepted,
    /// The request is refused permanently; nothing was changed.
    Rejected,
    /// The request is a dry run: the answer has the plan, and nothing was changed.
    Planned,
}

impl fmt::Display for IntakeDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Planned => "planned",
        })
    }
}

/// An object that is deleted and recreated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// The step that manages the object.
    pub step: String,
    /// The object's Azure resource id, or its path in Entra; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

/// The answer to a request. A repeat gets the same answer, with `replayed` and the tenant's current status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestAnswer {
    /// What is decided about the request.
    pub decision: IntakeDecision,
    /// The id of the request; absent if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The id of the tenant; absent if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub tenant_id: Option<TenantId>,
    /// Whether this repeats the answer to an earlier request; nothing was done for this one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// The tenant's current status, in the answer to a repeat that was not refused.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "status")]
    pub status: Option<Status>,
    /// In the answer to a repeat: whether a later request about the tenant has been accepted since, so that the result
    /// of this one may no longer hold.
    #[serde(default, skip_serializing_if = "is_false")]
    pub superseded: bool,
    /// The operation that the request started; for a retry, the operation that it continues; for a repeat, that of the
    /// first request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Why the request was refused: the fault's code, or `invalid` if there are several faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Everything that is wrong with a refused request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// The objects that are deleted and recreated although they were in use, with the request's consent; for a dry run,
    /// those that would be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replacement>,
    /// The plan of a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
    /// The key under which a refused message is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_as: Option<String>,
}

/// Reads the tenant's status. In a refusal over HTTP the member `status` is the HTTP status code, a number (RFC 9457,
/// 3.1), and is ignored.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    let status = Value::deserialize(deserializer)?;
    if status.is_number() { Ok(None) } else { Deserialize::deserialize(status).map_err(D::Error::custom) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl RequestAnswer {
    /// Creates the answer to an accepted request.
    pub fn accepted(request_id: &str, tenant_id: &TenantId, operation_id: &str) -> Self {
        Self {
            decision: IntakeDecision::Accepted,
            request_id: Some(request_id.to_owned()),
            tenant_id: Some(tenant_id.clone()),
            replayed: false,
            status: None,
            superseded: false,
            operation_id: Some(operation_id.to_owned()),
            code: None,
            faults: Vec::new(),
            replaces: Vec::new(),
            plan: None,
            kept_as: None,
        }
    }

    /// Creates the answer to a refused request, which has at least one fault.
    pub fn rejected(request_id: Option<String>, tenant_id: Option<TenantId>, mut faults: Vec<Fault>) -> Self {
        if faults.len() > MAX_FAULTS {
            let more = faults.len() - MAX_FAULTS;
            faults.truncate(MAX_FAULTS);
            faults.push(Fault::new("", "more_faults", format!("and {more} more faults")));
        }
        let code = match faults.as_slice() {
            [only] => only.code.clone(),
            _ => "invalid".to_owned(),
        };
        Self {
            decision: IntakeDecision::Rejected,
            request_id,
            tenant_id,
            replayed: false,
            status: None,
            superseded: false,
            operation_id: None,
            code: Some(code),
            faults,
            replaces: Vec::new(),
            plan: None,
            kept_as: None,
        }
    }

    /// Reads the answer in a record; `None` if the record has none yet.
    pub(super) fn read(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    /// The answer as it is recorded, without what differs from repeat to repeat.
    pub(super) fn to_value(&self) -> Value {
        json!(Self { replayed: false, status: None, superseded: false, ..self.clone() })
    }

    /// Marks the answer as an answer to a repeat of the request.
    pub(super) fn again(self) -> Self {
        Self { replayed: true, ..self }
    }
}
