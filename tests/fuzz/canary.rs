//! A secret that must not appear in any output. The checks insert it themselves, so the input alone reproduces a
//! finding.

use serde_json::{Value, json};

use super::{draw::Draw, tree};

/// The secret: a text that nothing else contains.
pub(crate) const CANARY: &str = "Zk3vQmFyCANARYbmF6cXV4MTIz9NA7b";
/// Parts of the secret, which must not appear either.
const PARTS: [&str; 2] = ["Zk3vQmFy", "XV4MTIz9NA7b"];

/// Fails if `text` contains the secret or a part of it; `output` names the text in the failure message.
#[track_caller]
pub(crate) fn is_not_in(text: &str, output: &str) {
    for part in PARTS {
        assert!(!text.contains(part), "the secret is in {output}: {text:.400}");
    }
}

/// The input with one of its JSON texts replaced by the secret; `None` if it is not JSON or has no text.
pub(crate) fn instead_of_a_text(draw: &mut Draw, input: &[u8]) -> Option<Value> {
    let mut whole: Value = serde_json::from_slice(input).ok()?;
    let mut texts = tree::pointers(&whole);
    texts.retain(|at| whole.pointer(at).is_some_and(Value::is_string));
    if texts.is_empty() {
        return None;
    }
    *whole.pointer_mut(draw.of_these(&texts).as_str())? = Value::from(CANARY);
    Some(whole)
}

/// The forms in which services write a secret into an answer.
const SHAPES: [fn() -> String; 16] = [
    || json!({ "primaryKey": CANARY }).to_string(),
    || json!({"passwordCredentials": [{"secretText": CANARY}]}).to_string(),
    || json!([{"name": "API_KEY", "value": CANARY}]).to_string(),
    || json!({"message": json!({"accountKey": CANARY}).to_string()}).to_string(),
    || format!("{{\"clientSecret\":\"{CANARY}"),
    || format!("He said {{\\\"password\\\":\\\"{CANARY}\\\"}}."),
    || format!("Authorization: Bearer {CANARY}"),
    || format!("sent with Bearer {CANARY}, and refused"),
    || format!("x-functions-key: {CANARY} was refused"),
    || format!("DefaultEndpointsProtocol=https;AccountName=st1;AccountKey={CANARY}==;EndpointSuffix=x"),
    || format!("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={CANARY}="),
    || format!("https://st1.blob.core.windows.net/c/b?sv=2024&sp=r&sig={CANARY}%3D&se=2026"),
    || format!("grant_type=client_credentials&client_secret={CANARY}&scope=y"),
    || format!("https://git:{CANARY}@example.org/x.git"),
    || format!("the token eyJhbGciOiJSUzI1NiJ9.{CANARY}.{CANARY} has expired"),
    || format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"),
];

/// A text that contains the secret in one of these forms.
pub(crate) fn shaped(draw: &mut Draw) -> String {
    draw.of_these(&SHAPES)()
}
