//! One bad input and its expected result.

use serde_json::{Value, json};

/// One row of a table: a bad input with its number and name.
pub(crate) struct Case {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Expected,
}

/// The expected result.
pub(crate) enum Expected {
    /// Rejected: the answer's code, and the pointer of its first fault.
    Refused { code: &'static str, pointer: &'static str },
    /// Accepted like any sign-up, and why that is right.
    Taken { why: &'static str },
}

pub(crate) fn refused(
    number: u32,
    name: &'static str,
    body: impl Into<Vec<u8>>,
    code: &'static str,
    pointer: &'static str,
) -> Case {
    Case { number, name, body: body.into(), expected: Expected::Refused { code, pointer } }
}

pub(crate) fn taken(number: u32, name: &'static str, body: impl Into<Vec<u8>>, why: &'static str) -> Case {
    Case { number, name, body: body.into(), expected: Expected::Taken { why } }
}

/// A valid sign-up with this request id; each case changes one thing in it.
pub(crate) fn signup(request_id: &str) -> Value {
    json!({
        "schema": "tenantry.request/1", "requestId": request_id, "action": "signup",
        "spec": {"displayName": "Adventure Works", "tier": "dedicated"},
    })
}

/// A sign-up with another value at a JSON pointer.
pub(crate) fn with(request_id: &str, pointer: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut body = signup(request_id);
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[member] = value.into();
    body.to_string().into_bytes()
}

/// A sign-up without the member at a JSON pointer.
pub(crate) fn without(request_id: &str, pointer: &str) -> Vec<u8> {
    let mut body = signup(request_id);
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
    body.to_string().into_bytes()
}

/// A sign-up with a member of `spec` as literal text, for what no serialiser would write.
pub(crate) fn written(request_id: &str, member: &str) -> String {
    signup(request_id).to_string().replace(r#""tier""#, &format!(r#"{member},"tier""#))
}
