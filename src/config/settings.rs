//! The table of all settings. docs/operating.md repeats it; a test compares both.

/// One setting: its name, its meaning, its default, an example.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// What the setting means.
    pub meaning: &'static str,
    /// What applies if the variable is absent.
    pub default: &'static str,
    /// A valid value.
    pub example: &'static str,
}

const fn setting(
    name: &'static str,
    meaning: &'static str,
    default: &'static str,
    example: &'static str,
) -> Setting {
    Setting { name, meaning, default, example }
}

/// All settings: first those of both environments, then those for `local`, then those for Azure.
pub const SETTINGS: [Setting; 42] = [
    setting(
        "TENANTRY_ENVIRONMENT",
        "the environment where tenants are provisioned: `local` or `azure`",
        "local",
        "azure",
    ),
    setting(
        "TENANTRY_DEPLOYMENT",
        "the deployment's name: part of every derived name, mark and event source",
        "local; required for `azure`",
        "prod",
    ),
    setting("TENANTRY_BLUEPRINTS", "a folder of blueprints besides the built-in one", "none", "blueprints"),
    setting(
        "TENANTRY_ISOLATION_ALLOW",
        "who may reach tenants besides themselves: a JSON array, or a file with one (docs/isolation.md)",
        "nobody",
        "isolation-allow.json",
    ),
    setting(
        "TENANTRY_QUARANTINE",
        "what is done when others reach a tenant: `off` (report only), `take-back` or `suspend` (docs/isolation.md)",
        "off",
        "take-back",
    ),
    setting(
        "TENANTRY_HEAL",
        "the classes of drift that are repaired automatically, comma-separated: `isolation`, `availability`, `cosmetic` (docs/drift.md)",
        "none; drift is reported only",
        "isolation,availability",
    ),
    setting(
        "TENANTRY_EVENT_TOPICS",
        "the Event Grid topics (resource ids) and CloudEvents sources that may send requests, comma-separated",
        "none; the webhook is off",
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-shop/providers/Microsoft.EventGrid/topics/evgt-shop",
    ),
    setting(
        "TENANTRY_LOG",
        "what is logged, as a filter of tracing",
        "info for `serve`, warn for the other commands",
        "tenantry=debug",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "the OpenTelemetry collector that spans and metrics go to (docs/telemetry.md)",
        "none; only logs are written",
        "https://collector.example.com:4318",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "the protocol of the export; only this one is supported",
        "http/protobuf",
        "http/protobuf",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "not allowed with an endpoint: headers hold a key",
        "none",
        "leave it out",
    ),
    setting("OTEL_SERVICE_NAME", "the service name in spans and metrics", "tenantry", "tenantry-prod"),
    setting(
        "OTEL_TRACES_SAMPLER",
        "which traces are recorded: `always_on`, `always_off` or `traceidratio`; with the prefix `parentbased_` the sender decides first",
        "always_on",
        "traceidratio",
    ),
    setting("OTEL_TRACES_SAMPLER_ARG", "the share of traces for `traceidratio`, from 0 to 1", "1", "0.1"),
    setting(
        "OTEL_METRIC_EXPORT_INTERVAL",
        "how often metrics are exported, in milliseconds",
        "60000",
        "10000",
    ),
    setting(
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "the port that the Functions host calls its handler on; the host sets it",
        "7072 (to try `serve` by hand)",
        "7072",
    ),
    setting("TENANTRY_DATA", "the folder of the local environment's state", ".tenantry", "/tmp/tenantry"),
    setting(
        "TENANTRY_SPEED",
        "the simulated Azure's speed: `max`, or how many times faster than Azure; no effect on Azure itself",
        "200",
        "max",
    ),
    setting(
        "TENANTRY_IDENTITY",
        "the identity that calls Azure: `managed`, `workload` (Kubernetes) or `developer` (az or azd on a laptop)",
        "required for `azure`",
        "managed",
    ),
    setting(
        "TENANTRY_CLIENT_ID",
        "the client id of the user-assigned managed identity",
        "the system-assigned one",
        "11111111-2222-3333-4444-555555555555",
    ),
    setting(
        "TENANTRY_REMOVER_CLIENT_ID",
        "the client id of a second user-assigned identity, the only one that deletes in Azure Resource Manager",
        "the identity that does everything else",
        "22222222-2222-3333-4444-555555555555",
    ),
    setting(
        "TENANTRY_PROBE_CLIENT_ID",
        "the client id of a user-assigned identity that calls tenants' services to prove that only they are let in",
        "none: services are not called, and tenants whose blueprint declares a probe stay inconclusive",
        "33333333-2222-3333-4444-555555555555",
    ),
    setting(
        "TENANTRY_PROBE_LOCATION",
        "the network location that tenants' services are called from, as a text for reports",
        "an unnamed location",
        "subnet snet-functions of vnet-hub, westeurope",
    ),
    setting(
        "IDENTITY_ENDPOINT",
        "where managed identities get tokens; the platform sets it",
        "the platform's metadata service",
        "http://127.0.0.1:7073/msi/token",
    ),
    setting(
        "IDENTITY_HEADER",
        "the secret that this endpoint expects; the platform sets it",
        "none",
        "a text set by the platform",
    ),
    setting(
        "AZURE_TENANT_ID",
        "the directory of a workload identity; its webhook sets it",
        "required for `workload`",
        "11111111-2222-3333-4444-555555555555",
    ),
    setting(
        "AZURE_CLIENT_ID",
        "the application of a workload identity; its webhook sets it",
        "required for `workload`",
        "11111111-2222-3333-4444-555555555555",
    ),
    setting(
        "AZURE_FEDERATED_TOKEN_FILE",
        "the token of a workload identity; its webhook sets it",
        "required for `workload`",
        "/var/run/secrets/azure/tokens/azure-identity-token",
    ),
    setting(
        "TENANTRY_TABLES",
        "where the state is: a storage account's table endpoint, or Azurite's on this machine",
        "required for `azure`",
        "https://sttenantryprod.table.core.windows.net",
    ),
    setting("TENANTRY_TABLE_PREFIX", "the prefix of the tables' names", "tenantry", "tenantryprod"),
    setting(
        "ServiceBus__fullyQualifiedNamespace",
        "the Service Bus namespace; the host's triggers read it too",
        "required for `azure` unless TENANTRY_SERVICE_BUS is set",
        "sb-tenantry-prod.servicebus.windows.net",
    ),
    setting(
        "TENANTRY_SERVICE_BUS",
        "the namespace's address, if it differs from the setting above",
        "https:// and the setting above",
        "http://127.0.0.1:7073",
    ),
    setting(
        "TENANTRY_WAKEUPS",
        "how requeued tenants are woken up: `queue` (a scheduled message) or `sweep` (the timer alone)",
        "queue",
        "sweep",
    ),
    setting(
        "TENANTRY_EVENT_GRID",
        "the Event Grid topic that events are published to; its schema is CloudEvents 1.0",
        "none; this, or TENANTRY_EVENTS_TOPIC, is required for `azure`",
        "https://evgt-tenantry-prod.westeurope-1.eventgrid.azure.net",
    ),
    setting(
        "TENANTRY_EVENTS_TOPIC",
        "the Service Bus topic that events are published to, besides or instead of Event Grid",
        "none",
        "tenant-events",
    ),
    setting(
        "TENANTRY_STAMPS",
        "the stamps that tenants are placed on: a JSON array, or a file with one",
        "required for `azure`",
        "stamps.json",
    ),
    setting(
        "TENANTRY_INLINE_WAIT",
        "how long one invocation waits in place before it requeues a tenant, in seconds",
        "20",
        "5",
    ),
    setting(
        "TENANTRY_REQUEST_TIMEOUT",
        "the timeout of a request to Azure, in seconds; the lease on a tenant lasts five times as long",
        "30",
        "60",
    ),
    setting(
        "TENANTRY_ARM",
        "Azure Resource Manager",
        "https://management.azure.com",
        "https://management.usgovcloudapi.net",
    ),
    setting("TENANTRY_GRAPH", "Microsoft Graph", "https://graph.microsoft.com", "https://graph.microsoft.us"),
    setting(
        "TENANTRY_LOGIN",
        "Entra, which issues the tokens of tenants' applications to the probe",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
    ),
    setting(
        "TENANTRY_INFERENCE",
        "the address where tenants' services are called instead of their own: a simulated Azure on this machine",
        "their own addresses",
        "http://127.0.0.1:7073",
    ),
];
