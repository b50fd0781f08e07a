//! What a secret looks like: the one place that knows, whether it is to be taken out of a text or to be refused.
//!
//! Nothing in this program keeps a secret, so nothing that may hold one is kept: a stranger's words are redacted
//! ([`redact()`]), for in doubt a reader misses a word less than a secret; what a person writes into a blueprint or a
//! request, or what Azure shows for an output, is refused ([`carried`]) if it is one beyond doubt. What only may be one
//! (a GUID, a hash in base64) passes there.

mod forms;
mod redact;
mod value;

pub use redact::redact;
pub use value::{carried, carried_as, carried_within};

/// Whether a member of a resource with this name is a secret, so that no output may point to it.
///
/// The words are the redaction's: `primaryKey`, `ConnectionString`, `adminPassword`; not `publicKey`, `partitionKey`.
pub fn is_secret_name(name: &str) -> bool {
    redact::is_secret(name)
}

/// Whether a name speaks of a secret anywhere in it: of a parameter or an output, which are named by people.
pub fn speaks_of_secret(name: &str) -> bool {
    const WORDS: [&str; 11] = [
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
    WORDS.iter().any(|word| plain.contains(word)) || matches!(plain.as_str(), "key" | "token" | "credential")
}

/// Whether a member of a request's body with this name is a credential, so that any text in it would be one.
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
