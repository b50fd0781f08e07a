//! No secret in a service's answer is stored; text without a secret is not changed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tenantry_core::steps::redact;

use crate::testkit::same_cases;

/// The name of a form in which services write secrets, and a function that returns a text with a secret in this form.
/// The secret has at least 24 characters.
type Shape = (&'static str, fn(&str) -> String);

const SHAPES: [Shape; 36] = [
    ("a member named so", |secret| json!({"primaryKey": secret, "keyName": "one"}).to_string()),
    ("a member in other case", |secret| json!({"a": [{"ClientSecret": secret}]}).to_string()),
    ("a member with dashes", |secret| json!({"aeg-sas-key": secret}).to_string()),
    ("a member with underscores", |secret| {
        json!({"access_token": secret, "token_type": "Bearer"}).to_string()
    }),
    ("a member with a number", |secret| json!({"keys": {"key1": secret}, "key2": secret}).to_string()),
    ("a list of keys", |secret| json!({"keys": ["x", secret]}).to_string()),
    ("Entra's secretText", |secret| {
        json!({"passwordCredentials": [{"keyId": "k", "secretText": secret}]}).to_string()
    }),
    ("a password", |secret| json!({"adminPassword": secret}).to_string()),
    ("a setting by name and value", |secret| json!([{"name": "API_KEY", "value": secret}]).to_string()),
    ("a tag by key and value", |secret| json!([{"key": "password", "value": secret}]).to_string()),
    ("JSON within a message", |secret| {
        json!({"message": json!({"error": {"accountKey": secret}}).to_string()}).to_string()
    }),
    ("JSON that is cut off", |secret| format!("{{\"error\": {{\"primaryKey\": \"{secret}\", \"oth")),
    ("JSON that is cut off in the secret", |secret| format!("{{\"clientSecret\":\"{secret}")),
    ("escaped JSON in a text", |secret| format!("He said {{\\\"password\\\":\\\"{secret}\\\"}}.")),
    ("a list in a text", |secret| format!("got \"keys\": [\"a\", \"{secret}\"] back")),
    ("a bearer token", |secret| format!("sent with Bearer {secret}, and refused")),
    ("an Authorization header", |secret| format!("Authorization: Bearer {secret}\r\nHost: x")),
    ("an Authorization header, basic", |secret| format!("authorization: Basic {secret}==")),
    ("basic credentials", |secret| format!("with Basic {secret}9A==")),
    ("a shared key", |secret| format!("SharedKey account:{secret}9=")),
    ("a key in a header", |secret| format!("x-functions-key: {secret} was refused")),
    ("a connection string", |secret| {
        format!(
            "DefaultEndpointsProtocol=https;AccountName=st1;AccountKey={secret}==;EndpointSuffix=core.windows.net"
        )
    }),
    ("a connection string of a bus", |secret| {
        format!("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={secret}=")
    }),
    ("a member with a connection string", |secret| {
        json!({"connectionString": format!("Server={secret}")}).to_string()
    }),
    ("a SAS URL", |secret| {
        format!("https://st1.blob.core.windows.net/c/b?sv=2024&sp=r&sig={secret}%3D&se=2026")
    }),
    ("a SAS URL as a parameter", |secret| {
        format!("https://x/?to=https%3A%2F%2Fst1%2Fb%3Fsv%3D1%26sig%3D{secret}%26se%3D2")
    }),
    ("a SAS", |secret| format!("SharedAccessSignature sr=x&sig={secret}&se=1&skn=Root")),
    ("a form", |secret| format!("grant_type=client_credentials&client_id=x&client_secret={secret}&scope=y")),
    ("a password in a text", |secret| format!("login failed for user=sa password = {secret}; try again")),
    ("a quoted password in a text", |secret| format!("password='{secret} {secret}' is wrong")),
    ("a password in a URL", |secret| format!("cloned https://git:{secret}@example.org/x.git")),
    ("a JSON Web Token", |secret| format!("the token eyJhbGciOiJSUzI1NiJ9.{secret}.{secret} has expired")),
    ("a token without a signature", |secret| format!("t=eyJhbGciOiJub25lIn0.{secret}.")),
    ("a private key", |secret| {
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\nMII{secret}\n{secret}\n-----END RSA PRIVATE KEY-----\nand more"
        )
    }),
    ("half a private key", |secret| {
        json!({"pem": format!("-----BEGIN PRIVATE KEY-----\n{secret}")}).to_string()
    }),
    ("Entra's client secret", |secret| {
        format!("AADSTS7000215: abc8Q~{:.31} is not valid", format!("{secret}{secret}"))
    }),
];

/// Texts without a secret, some of which resemble a text with a secret.
const INNOCENT: [&str; 30] = [
    "",
    "The resource was not found.",
    "Soft-deleted workspace exists. Please purge or recover it.",
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the client secret value.",
    "Authentication failed: the Bearer token is missing.",
    "Bearer authentication is required",
    "WWW-Authenticate: Bearer realm=\"x\", error=\"invalid_token\"",
    "InvalidAuthenticationToken: The access token has expired.",
    "The Basic tier is not available; Basic B1 neither.",
    "{\"error\":{\"code\":\"KeyVaultNotFound\",\"message\":\"keyVault kv-1 is missing\"}}",
    "{\"keyVault\":\"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv\",\"keyId\":\"k-1\"}",
    "{\"publicKey\":\"ssh-rsa AAAAB3NzaC1yc2E\",\"keyName\":\"one\",\"keyType\":\"RSA\",\"tokenType\":\"Bearer\"}",
    "{\"secretUri\":\"https://kv.vault.azure.net/secrets/x\",\"secretName\":\"x\",\"hasPassword\":true,\"password\":null}",
    "{\"partitionKey\":\"contoso\",\"rowKey\":\"1\",\"total_tokens\":12}",
    "{\"passwordCredentials\":[],\"keyCredentials\":[],\"keys\":[],\"token\":\"\"}",
    "{ \"spaced\" : \"as it was\" }",
    "https://management.azure.com/subscriptions/s/providers?api-version=2024-07-01&$skiptoken=abc",
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/st1",
    "design=new&config=old&sigma=3",
    "Property 'key' is required: see the docs.",
    "The value of \"token\": it is missing",
    "quota: 10 cores; used: 10; key facts: none",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "a == b, c := d, e=f",
    "16d26c7f-a6e1-55f7-88fa-2323d36d1caa",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Übergröße 🚀: naïve = ja; Schlüssel fehlt",
    "mailto://someone@example.org and https://host:8443/x@y",
    "eyJ is how tokens begin",
];

#[test]
fn every_shape_of_secret_is_redacted() {
    let secret = "Zk3vQmFy-bmF6cXV4MTIz_NA7b";
    for (name, shape) in SHAPES {
        let text = shape(secret);
        let redacted = redact(&text);
        assert!(!redacted.contains("Zk3vQmFy"), "{name}: {text}\n{redacted}");
        assert!(redacted.contains("[redacted]"), "{name}: {redacted}");
        assert_eq!(redact(&redacted), redacted, "{name}: once is enough");
    }
    let bytes: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(97)).collect();
    let (account, bus) = (STANDARD.encode(&bytes), STANDARD.encode(&bytes[..32]));
    let newer = format!("{}JQQJ99{}", "aB3".repeat(17), "cD4".repeat(9));
    for key in [account, bus, newer] {
        let redacted = redact(&format!("he gave {key} away"));
        assert_eq!(redacted, "he gave [redacted] away");
    }
}

#[test]
fn the_text_around_a_secret_is_kept() {
    let rows = [
        ("?sv=2024&sig=abc%2Bdef&se=1", "?sv=2024&sig=[redacted]&se=1"),
        ("AccountName=a;AccountKey=b3BlbiBzZXNhbWU=;X=y", "AccountName=a;AccountKey=[redacted];X=y"),
        ("Bearer abc123 was sent", "Bearer [redacted] was sent"),
        (
            "{\"a\":1,\"key\":\"x\",\"b\":{\"c\":\"sig=y\"}}",
            "{\"a\":1,\"b\":{\"c\":\"sig=[redacted]\"},\"key\":\"[redacted]\"}",
        ),
        ("https://me:word@host/x", "https://me:[redacted]@host/x"),
        ("Authorization: Basic x y z\nnext", "Authorization: [redacted]\nnext"),
    ];
    for (text, expected) in rows {
        let same = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| text.to_owned());
        assert_eq!(same(&redact(text)), same(expected));
    }
}

#[test]
fn texts_without_secrets_are_not_changed() {
    for text in INNOCENT {
        assert_eq!(redact(text), text);
    }
}

fn secret() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{12}[A-Z][0-9][a-z][A-Za-z0-9_-]{9,40}"
}

proptest! {
    #![proptest_config(same_cases(3000))]

    /// No part of a secret is left after redaction, however the text is wrapped and whatever is around it.
    #[test]
    fn a_secret_never_survives_redaction(
        secret in secret(),
        shape in select(SHAPES.as_slice()),
        before in select(INNOCENT.as_slice()),
        after in select(INNOCENT.as_slice()),
        wrapping in 0..5_u8,
    ) {
        let text = shape.1(&secret);
        let text = match wrapping {
            0 => text,
            1 => format!("{before}\n{text}\n{after}"),
            2 => json!({"error": {"message": text, "details": [{"message": before}]}}).to_string(),
            3 => json!({"message": json!({"x": [after, text]}).to_string()}).to_string(),
            _ => json!(format!("{before} {text}")).to_string(),
        };
        let redacted = redact(&text);
        // A form may cut the secret, so its start and its end are searched for.
        for part in [&secret[..10], &secret[secret.len() - 10..]] {
            prop_assert!(!redacted.contains(part), "{}: {text}\n{redacted}", shape.0);
        }
        prop_assert_eq!(redact(&redacted), redacted);
    }

    /// Texts without secrets are not changed, alone or together.
    #[test]
    fn texts_without_secrets_are_not_changed_together(texts in prop::collection::vec(select(INNOCENT.as_slice()), 0..6)) {
        let (lines, list) = (texts.join("\n"), json!({"error": {"details": texts}}).to_string());
        prop_assert_eq!(redact(&lines), lines);
        prop_assert_eq!(redact(&list), list);
    }

    /// No text causes a panic, and redacting a text twice changes nothing.
    #[test]
    fn no_text_causes_a_panic(text in "\\PC{0,200}", punctuation in "[\"'\\\\:=;&%{}\\[\\]a-z ]{0,80}") {
        for text in [text, format!("key{punctuation}"), format!("\"password\":{punctuation}")] {
            let redacted = redact(&text);
            prop_assert_eq!(redact(&redacted), redacted);
        }
    }
}
