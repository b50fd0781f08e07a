//! The settings of the Azure environment.

use std::{collections::BTreeSet, ops::RangeInclusive, path::PathBuf, time::Duration};

use reqwest::Url;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Reader,
    probe::{self, ProbeConfig},
};

/// The settings of the Azure environment, read and checked.
#[derive(Debug, Clone)]
pub struct AzureConfig {
    /// The identity that calls Azure.
    pub identity: Identity,
    /// The identity that deletes in Azure Resource Manager; `None` if [`Self::identity`] does that too.
    pub remover: Option<Identity>,
    /// The settings of the probe; `None` if tenants' services are not called.
    pub probe: Option<ProbeConfig>,
    /// The address of Azure Resource Manager.
    pub arm: Url,
    /// The address of Microsoft Graph.
    pub graph: Url,
    /// The table endpoint of the storage account that holds the state.
    pub tables: Url,
    /// The prefix of the tables' names.
    pub table_prefix: String,
    /// The address of the Service Bus namespace.
    pub service_bus: Url,
    /// How requeued tenants are woken up.
    pub wake_ups: WakeUps,
    /// The address of the Event Grid topic that events are published to; `None` if only the Service Bus topic is used.
    pub event_grid: Option<Url>,
    /// The name of the Service Bus topic that events are published to; `None` if only Event Grid is used.
    pub events_topic: Option<String>,
    /// The speed of the simulated Azure, as text, if the configured Microsoft Graph is a simulated one on this machine
    /// and a speed is set.
    pub stand_in_speed: Option<String>,
    /// The timeout of each request to Azure.
    pub request_timeout: Duration,
    /// How long one invocation waits in place before it requeues a tenant.
    pub inline_wait: Duration,
    /// The stamps that tenants are placed on, as blueprints see them; at least one.
    pub stamps: Vec<Value>,
}

/// The identity that calls Azure. Its kind is configured, and not found by trying one kind after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A managed identity of the platform.
    Managed {
        /// The client id of a user-assigned identity; `None` for the system-assigned one.
        client_id: Option<String>,
    },
    /// The workload identity of a Kubernetes service account.
    Workload {
        /// The id of the Entra tenant.
        tenant_id: String,
        /// The client id of the application.
        client_id: String,
        /// The file with the service account's token.
        token_file: PathBuf,
    },
    /// The account that a developer has signed in with, in the Azure CLI or the Azure Developer CLI.
    Developer,
}

/// How requeued tenants are woken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeUps {
    /// By a scheduled message of Service Bus; the sweep finds tenants whose message was lost.
    Queue,
    /// By the sweep alone. For environments where messages can't be sent over HTTP, such as the Service Bus emulator.
    Sweep,
}

impl AzureConfig {
    /// Reads the settings of the Azure environment. Returns `None` if one is invalid; the reader has recorded why.
    /// `in_azure` is whether this process runs on the Functions platform.
    pub(super) fn read(reader: &mut Reader<'_>, in_azure: bool) -> Option<Self> {
        let identity = identity(reader);
        let remover = remover(reader, identity.as_ref());
        let arm = address(reader, "TENANTRY_ARM", Some("https://management.azure.com"), in_azure);
        let graph = address(reader, "TENANTRY_GRAPH", Some("https://graph.microsoft.com"), in_azure);
        let tables = address(reader, "TENANTRY_TABLES", None, in_azure);
        let namespace = reader.text("ServiceBus__fullyQualifiedNamespace");
        let service_bus = match (reader.text("TENANTRY_SERVICE_BUS"), namespace) {
            (None, None) => {
                reader.refuse("ServiceBus__fullyQualifiedNamespace", "it is missing");
                None
            }
            (None, Some(namespace)) => {
                const NAME: &str = "ServiceBus__fullyQualifiedNamespace";
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                if namespace.chars().all(plain) {
                    parsed(reader, NAME, &format!("https://{namespace}"), in_azure)
                } else {
                    reader
                        .refuse(NAME, "it is a host's name, and neither an address nor a connection string");
                    None
                }
            }
            (Some(url), _) => parsed(reader, "TENANTRY_SERVICE_BUS", &url, in_azure),
        };
        let event_grid = reader.text("TENANTRY_EVENT_GRID");
        let events_topic = topic(reader);
        if event_grid.is_none() && events_topic.is_none() {
            reader.refuse(
                "TENANTRY_EVENT_GRID",
                "it is missing, and so is TENANTRY_EVENTS_TOPIC: events would go nowhere",
            );
        }
        let event_grid = event_grid.and_then(|url| parsed(reader, "TENANTRY_EVENT_GRID", &url, in_azure));
        let wake_ups = wake_ups(reader);
        let table_prefix = table_prefix(reader);
        // Only a simulated Azure on this machine is called over plain http.
        let stands_in = graph.as_ref().is_some_and(|graph| graph.scheme() == "http");
        let stand_in_speed = reader.text("TENANTRY_SPEED").filter(|_| stands_in);
        let request_timeout = seconds(reader, "TENANTRY_REQUEST_TIMEOUT", 30, 1..=120);
        let inline_wait = seconds(reader, "TENANTRY_INLINE_WAIT", 20, 0..=200);
        let stamps = stamps(reader);
        let probe = probe::read(reader, identity.as_ref(), remover.as_ref(), stamps.as_deref(), in_azure);
        Some(Self {
            identity: identity?,
            remover,
            probe,
            arm: arm?,
            graph: graph?,
            tables: tables?,
            table_prefix,
            service_bus: service_bus?,
            wake_ups,
            event_grid,
            events_topic,
            stand_in_speed,
            request_timeout,
            inline_wait,
            stamps: stamps?,
        })
    }
}

fn identity(reader: &mut Reader<'_>) -> Option<Identity> {
    match reader.required("TENANTRY_IDENTITY")?.as_str() {
        "managed" => Some(Identity::Managed { client_id: reader.text("TENANTRY_CLIENT_ID") }),
        "workload" => {
            let tenant_id = reader.required("AZURE_TENANT_ID");
            let client_id = reader.required("AZURE_CLIENT_ID");
            let token_file = reader.required("AZURE_FEDERATED_TOKEN_FILE");
            Some(Identity::Workload {
                tenant_id: tenant_id?,
                client_id: client_id?,
                token_file: token_file?.into(),
            })
        }
        "developer" => Some(Identity::Developer),
        _ => {
            reader.refuse("TENANTRY_IDENTITY", "it is `managed`, `workload` or `developer`");
            None
        }
    }
}

/// Reads the identity that deletes. Only a managed identity can be a second one, because the other kinds have only one
/// account each.
fn remover(reader: &mut Reader<'_>, identity: Option<&Identity>) -> Option<Identity> {
    const NAME: &str = "TENANTRY_REMOVER_CLIENT_ID";
    let client_id = reader.text(NAME)?;
    match identity {
        Some(Identity::Managed { client_id: Some(own) }) if own.eq_ignore_ascii_case(&client_id) => {
            reader.refuse(NAME, "it is the identity of TENANTRY_CLIENT_ID itself; leave it out");
        }
        Some(Identity::Workload { .. } | Identity::Developer) => {
            reader.refuse(NAME, "only managed identities can be two; leave it out");
        }
        Some(Identity::Managed { .. }) | None => {}
    }
    Some(Identity::Managed { client_id: Some(client_id) })
}

/// Reads the address of a service; `otherwise` is the default, and `None` makes the setting required.
pub(super) fn address(
    reader: &mut Reader<'_>,
    name: &'static str,
    otherwise: Option<&str>,
    in_azure: bool,
) -> Option<Url> {
    let text = match otherwise {
        Some(otherwise) => reader.text(name).unwrap_or_else(|| otherwise.to_owned()),
        None => reader.required(name)?,
    };
    parsed(reader, name, &text, in_azure)
}

/// Parses an address. It has to be https; plain http is allowed only for services on this machine, and not on the
/// Functions platform, where there are none.
pub(super) fn parsed(reader: &mut Reader<'_>, name: &'static str, text: &str, in_azure: bool) -> Option<Url> {
    let why = match Url::parse(text) {
        Err(error) => format!("it is not a URL: {error}"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "it names a user, and settings hold no credentials".to_owned()
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "it has a query or a fragment, and settings hold no keys or signatures".to_owned()
        }
        Ok(url) if url.path().contains([';', '=']) => {
            "it has a part like a connection string's, and settings hold no keys".to_owned()
        }
        Ok(url) if url.scheme() == "https" && url.has_host() => return Some(url),
        Ok(url) if url.scheme() == "http" && is_loopback(&url) && !in_azure => return Some(url),
        Ok(url) if url.scheme() == "http" && is_loopback(&url) => {
            "it is an address of this machine, which in the Functions platform has no services".to_owned()
        }
        Ok(_) => "it is not https, and only this machine's own services may be called without".to_owned(),
    };
    reader.refuse(name, why);
    None
}

/// Whether an address is a loopback address, that is, on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn wake_ups(reader: &mut Reader<'_>) -> WakeUps {
    match reader.text("TENANTRY_WAKEUPS").as_deref() {
        None | Some("queue") => WakeUps::Queue,
        Some("sweep") => WakeUps::Sweep,
        Some(_) => {
            reader.refuse("TENANTRY_WAKEUPS", "it is `queue` or `sweep`");
            WakeUps::Queue
        }
    }
}

fn seconds(
    reader: &mut Reader<'_>,
    name: &'static str,
    otherwise: u64,
    range: RangeInclusive<u64>,
) -> Duration {
    let seconds = match reader.text(name).map(|text| text.parse::<u64>()) {
        None => otherwise,
        Some(Ok(seconds)) if range.contains(&seconds) => seconds,
        Some(Ok(_) | Err(_)) => {
            let why = format!("it is a whole number of seconds from {} to {}", range.start(), range.end());
            reader.refuse(name, why);
            otherwise
        }
    };
    Duration::from_secs(seconds)
}

/// Reads the name of the Service Bus topic. The name becomes part of a path, so only plain characters are accepted.
fn topic(reader: &mut Reader<'_>) -> Option<String> {
    let topic = reader.text("TENANTRY_EVENTS_TOPIC")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if topic.len() > 260 || !topic.chars().all(plain) {
        let why = "it has 1 to 260 characters out of letters, digits, hyphen, underscore and dot";
        reader.refuse("TENANTRY_EVENTS_TOPIC", why);
    }
    Some(topic)
}

/// Reads the prefix of the tables' names. A table's name matches `^[A-Za-z][A-Za-z0-9]{2,62}$`; the longest suffix,
/// `blueprints`, has ten characters.
fn table_prefix(reader: &mut Reader<'_>) -> String {
    let prefix = reader.text("TENANTRY_TABLE_PREFIX").unwrap_or_else(|| "tenantry".to_owned());
    let plain = prefix.chars().all(|c| c.is_ascii_alphanumeric());
    if prefix.len() > 40 || !plain || !prefix.starts_with(|c: char| c.is_ascii_alphabetic()) {
        reader.refuse("TENANTRY_TABLE_PREFIX", "it has 1 to 40 letters and digits and begins with a letter");
    }
    prefix
}

/// Reads the stamps. The setting is a JSON array, or the path of a file that contains one.
fn stamps(reader: &mut Reader<'_>) -> Option<Vec<Value>> {
    const NAME: &str = "TENANTRY_STAMPS";
    let given = reader.required(NAME)?;
    let text = if given.starts_with('[') {
        given
    } else {
        match std::fs::read_to_string(&given) {
            Ok(text) => text,
            Err(error) => {
                reader.refuse(NAME, format!("that file can't be read: {error}"));
                return None;
            }
        }
    };
    let stamps: Vec<Value> = match serde_json::from_str(&text) {
        Ok(stamps) => stamps,
        Err(error) => {
            reader.refuse(NAME, format!("it is not a JSON array of objects: {error}"));
            return None;
        }
    };
    let faults = stamp_faults(&stamps);
    if faults.is_empty() {
        return Some(stamps);
    }
    faults.into_iter().for_each(|fault| reader.refuse(NAME, fault));
    None
}

fn stamp_faults(stamps: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    if stamps.is_empty() {
        faults.push("there is no stamp in it, so no tenant could be created".to_owned());
    }
    let mut names = BTreeSet::new();
    for (at, stamp) in stamps.iter().enumerate() {
        let text = |member: &str| stamp.get(member).and_then(Value::as_str).unwrap_or_default();
        for member in ["name", "region", "resourceGroup"] {
            if text(member).is_empty() {
                faults.push(format!("/{at}/{member} is missing or no text"));
            }
        }
        for member in ["subscriptionId", "directoryId"] {
            if Uuid::try_parse(text(member)).is_err() {
                faults.push(format!("/{at}/{member} is missing or no GUID"));
            }
        }
        if !names.insert(text("name")) {
            faults.push(format!("/{at}/name is taken by an earlier stamp"));
        }
    }
    faults
}
