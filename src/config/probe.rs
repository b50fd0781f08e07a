//! The settings of the probe, which calls each tenant's service as the tenant's own application.

use reqwest::Url;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Reader,
    azure::{Identity, address, is_loopback},
};

/// The identity of the probe, the location it calls from, and where its tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeConfig {
    /// The client id of the probe's managed identity.
    pub client_id: String,
    /// The network location that the probe calls from, as a text for reports.
    pub location: String,
    /// The address of Entra, which issues the tokens of tenants' applications.
    pub login: Url,
    /// The address at which all tenants' services are called instead of their own: a simulated Azure on this machine.
    /// `None` in Azure.
    pub inference: Option<Url>,
}

const NAME: &str = "TENANTRY_PROBE_CLIENT_ID";
const LOCATION: &str = "TENANTRY_PROBE_LOCATION";
const INFERENCE: &str = "TENANTRY_INFERENCE";
/// The member of a stamp with the id of the principal that the applications of the stamp's tenants trust: the probe's.
const MEMBER: &str = "probePrincipalId";
/// The maximum length of the probe's location, in characters.
const MOST: usize = 200;

/// Reads the settings of the probe. Returns `None` if there is no probe or a setting is invalid; the reader has
/// recorded why. Each stamp has to name the probe's principal exactly if there is a probe.
pub(super) fn read(
    reader: &mut Reader<'_>,
    identity: Option<&Identity>,
    remover: Option<&Identity>,
    stamps: Option<&[Value]>,
    in_azure: bool,
) -> Option<ProbeConfig> {
    let client_id = reader.text(NAME);
    let location = reader.text(LOCATION);
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
    let location = location.unwrap_or_else(|| "an unnamed location".to_owned());
    if location.chars().count() > MOST || location.chars().any(char::is_control) {
        reader.refuse(LOCATION, format!("it is a line of at most {MOST} characters"));
    }
    let client_id = client_id?;
    if let Some(fault) = fault(&client_id, identity, remover) {
        reader.refuse(NAME, fault);
    }
    Some(ProbeConfig { client_id, location, login: login?, inference })
}

/// What is wrong with the identity of the probe. The probe can act as every tenant, so its identity must have no other
/// use.
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

/// Reads the address that replaces those of tenants' services. Only an address on this machine is allowed, because
/// every tenant's token is sent to it.
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
