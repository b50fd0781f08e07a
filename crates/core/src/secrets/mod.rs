//! Recognizes secrets, to redact or to refuse them.
//!
//! tenantry stores no secrets, so it keeps nothing that may contain one. Texts from services are redacted
//! ([`redact()`]): in doubt a word is removed, because a missing word does less harm than a leaked secret. Texts that a
//! person writes into a blueprint or a request, and outputs from Azure, are refused ([`carried`]) if they are certainly
//! a secret. They are accepted if they only may be one (a GUID, a hash in base64).

mod forms;
mod redact;
mod value;

pub use redact::redact;
pub use value::{carried, carried_as, carried_within};

/// Whether a member of a resource with this name is a secret, so that no output may point to it.
///
/// The rules are those of the redaction: `primaryKey`, `ConnectionString` and `adminPassword` are secrets, `publicKey`
/// and `partitionKey` are not.
pub fn is_secret_name(name: &str) -> bool {
    redact::is_secret(name)
}

/// Whether a name that people choose, of a parameter or an output, mentions a secret anywhere in it.
pub fn speaks_of_secret(name: &str) -> bool {
    const TEXTS: [&str; 11] = [
        "password",
        "passwd",
        "secret",
        "connectionstring",
        "apikey",
        "accesskey",
        "accountkey",
        "privatekey",
        "primarykey",
        "secondarykey",
        "sastoken",
    ];
    let plain: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    TEXTS.iter().any(|text| plain.contains(text)) || matches!(plain.as_str(), "key" | "token" | "credential")
}

/// Whether a member of a request's body with this name is a credential, so that any text in it is a secret.
pub fn is_credential_name(name: &str) -> bool {
    const ENDS: [&str; 12] = [
        "password",
        "passphrase",
        "clientsecret",
        "secrettext",
        "accountkey",
        "sharedaccesskey",
        "sastoken",
        "privatekey",
        "primarykey",
        "secondarykey",
        "passwordcredentials",
        "keycredentials",
    ];
    let name = redact::normal(name);
    ENDS.iter().any(|end| name.ends_with(end))
}
