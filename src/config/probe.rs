//! The settings of the probe, which calls tenants' services as their own applications.

use reqwest::Url;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Reader,
    azure::{Identity, address, is_loopback},
};

/// Who the probe is, from where it calls, and where its tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeConfig {
    /// The client id of its managed identity.
    pub client_id: String,
    /// The network place that it calls from, in words.
    pub place: String,
    /// Entra.
    pub login: Url,
    /// Where all services are instead of at their own addresses: a simulated Azure.
    pub inference: Option<Url>,
}

const NAME: &str = "TENANTRY_PROBE_CLIENT_ID";
const PLACE: &str = "TENANTRY_PROBE_PLACE";
const INFERENCE: &str = "TENANTRY_INFERENCE";
/// The member of a stamp that says whom its tenants' applications trust.
const MEMBER: &str = "probePrincipalId";
/// The longest place, in characters.
const MOST: usize = 200;

/// `None` if there is no probe, or something is wrong, which the reader then knows.
pub(super) fn read(
    reader: &mut Reader<'_>,
    identity: Option<&Identity>,
    remover: Option<&Identity>,
    stamps: Option<&[Value]>,
    in_azure: bool,
) -> Option<ProbeConfig> {
    let client_id = reader.text(NAME);
    let place = reader.text(PLACE);
    let login = address(reader, "TENANTRY_LOGIN", Some("https://login.microsoftonline.com"), in_azure);
    let inference = inference(reader, in_azure);
    for (at, stamp) in stamps.into_iter().flatten().enumerate() {
        let fault = match (&client_id, stamp.get(MEMBER).map(Value::as_str)) {
            (_, Some(id)) if id.is_none_or(|id| Uuid::try_parse(id).is_err()) => {
                ("TENANTRY_STAMPS", format!("/{at}/{MEMBER} is no GUID"))
            }
            (Some(_), None) => {
                let why = "is missing, so no application there would trust the probe of";
                ("TENANTRY_STAMPS", format!("/{at}/{MEMBER} {why} {NAME}"))
            }
            (None, Some(_)) => {
                let why = "the applications there trust a probe that nothing is called with";
                (NAME, format!("it is missing, but TENANTRY_STAMPS has /{at}/{MEMBER}: {why}"))
            }
            (Some(_), Some(_)) | (None, None) => continue,
        };
        reader.refuse(fault.0, fault.1);
    }
    let place = place.unwrap_or_else(|| "a place that nobody has named".to_owned());
    if place.chars().count() > MOST || place.chars().any(char::is_control) {
        reader.refuse(PLACE, format!("it is a line of at most {MOST} characters"));
    }
    let client_id = client_id?;
    if let Some(fault) = fault(&client_id, identity, remover) {
        reader.refuse(NAME, fault);
    }
    Some(ProbeConfig { client_id, place, login: login?, inference })
}

/// Whoever is the probe is every tenant, so it is nobody else.
fn fault(client_id: &str, identity: Option<&Identity>, remover: Option<&Identity>) -> Option<&'static str> {
    let is = |other: Option<&Identity>| match other {
        Some(Identity::Managed { client_id: Some(other) }) => other.eq_ignore_ascii_case(client_id),
        _ => false,
    };
    match identity {
        _ if Uuid::try_parse(client_id).is_err() => Some("it is no GUID"),
        _ if is(identity) || is(remover) => Some(
            "it is an identity that does something else too; the probe is one of its own, without any role",
        ),
        Some(Identity::Workload { .. } | Identity::Developer) => {
            Some("only managed identities can be a second one; leave it out")
        }
        Some(Identity::Managed { .. }) | None => None,
    }
}

/// Only this machine's: elsewhere it would get every tenant's token.
fn inference(reader: &mut Reader<'_>, in_azure: bool) -> Option<Url> {
    reader.text(INFERENCE)?;
    let url = address(reader, INFERENCE, None, in_azure)?;
    if is_loopback(&url) && url.scheme() == "http" {
        return Some(url);
    }
    reader.refuse(
        INFERENCE,
        "it is no http address of this machine, and tokens for tenants' services go there",
    );
    None
}
