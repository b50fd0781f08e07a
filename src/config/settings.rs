//! The table of all settings; docs/operating.md repeats it, and a test compares.

/// One setting: its name, what it is, what it is when absent, an example.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// A right value.
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

/// Every setting of the program: first those of both worlds, then the local one's, then Azure's.
pub const SETTINGS: [Setting; 42] = [
    setting("TENANTRY_WORLD", "where tenants are made: `local` or `azure`", "local", "azure"),
    setting(
        "TENANTRY_DEPLOYMENT",
        "the deployment's name: part of every derived name, mark and event source",
        "local; required in the Azure world",
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
        "what is done when others reach a tenant: `off` (it is told), `take-back` or `suspend` (docs/isolation.md)",
        "off",
        "take-back",
    ),
    setting(
        "TENANTRY_HEAL",
        "which drift is put right without being asked: `isolation`, `availability`, `cosmetic`, with commas (docs/drift.md)",
        "none; drift is reported only",
        "isolation,availability",
    ),
    setting(
        "TENANTRY_EVENT_TOPICS",
        "from which Event Grid topics (resource ids) and CloudEvents sources requests are taken, with commas between",
        "none; the webhook is off",
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-shop/providers/Microsoft.EventGrid/topics/evgt-shop",
    ),
    setting(
        "TENANTRY_LOG",
        "what is logged, in tracing's filter form",
        "info for `serve`, warn for the other commands",
        "tenantry=debug",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "the OpenTelemetry collector that spans and metrics go to (docs/telemetry.md)",
        "none; logs alone tell",
        "https://collector.example.com:4318",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "what is spoken to it; there is only one choice",
        "http/protobuf",
        "http/protobuf",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "refused with an endpoint, for it holds a key",
        "none",
        "nothing: leave it out",
    ),
    setting(
        "OTEL_SERVICE_NAME",
        "the name under which spans and metrics go out",
        "tenantry",
        "tenantry-prod",
    ),
    setting(
        "OTEL_TRACES_SAMPLER",
        "which traces are recorded: `always_on`, `always_off` or `traceidratio`; behind `parentbased_` senders decide first",
        "always_on",
        "traceidratio",
    ),
    setting("OTEL_TRACES_SAMPLER_ARG", "the share of traces for `traceidratio`, from 0 to 1", "1", "0.1"),
    setting("OTEL_METRIC_EXPORT_INTERVAL", "how often metrics go out, in milliseconds", "60000", "10000"),
    setting(
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "the port that the Functions host calls its handler on; the host sets it",
        "7072 (for trying `serve` by hand)",
        "7072",
    ),
    setting("TENANTRY_DATA", "the folder of the local world's state", ".tenantry", "/tmp/tenantry"),
    setting(
        "TENANTRY_SPEED",
        "the simulated Azure's speed: `max`, or how many times faster than Azure; without meaning for Azure itself",
        "200",
        "max",
    ),
    setting(
        "TENANTRY_IDENTITY",
        "as whom Azure is called: `managed`, `workload` (Kubernetes) or `developer` (az or azd on a laptop)",
        "required in the Azure world",
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
        "the client id of a second user-assigned identity, which alone deletes in Azure Resource Manager",
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
        "TENANTRY_PROBE_PLACE",
        "the network place that tenants' services are called from, in words; reports show it",
        "a place that nobody has named",
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
        "what proves to that endpoint that we run here; the platform sets it",
        "none",
        "a text of the platform's",
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
        "required in the Azure world",
        "https://sttenantryprod.table.core.windows.net",
    ),
    setting("TENANTRY_TABLE_PREFIX", "what the names of the tables begin with", "tenantry", "tenantryprod"),
    setting(
        "ServiceBus__fullyQualifiedNamespace",
        "the Service Bus namespace; the host's triggers read it too",
        "required in the Azure world unless TENANTRY_SERVICE_BUS is set",
        "sb-tenantry-prod.servicebus.windows.net",
    ),
    setting(
        "TENANTRY_SERVICE_BUS",
        "the namespace's address where it is not that of the setting above",
        "https:// and the setting above",
        "http://127.0.0.1:7073",
    ),
    setting(
        "TENANTRY_WAKEUPS",
        "how parked tenants are woken: `queue` (a scheduled message) or `sweep` (the timer alone)",
        "queue",
        "sweep",
    ),
    setting(
        "TENANTRY_EVENT_GRID",
        "the Event Grid topic that events go to; its schema is CloudEvents 1.0",
        "none; this, or TENANTRY_EVENTS_TOPIC, is required in the Azure world",
        "https://evgt-tenantry-prod.westeurope-1.eventgrid.azure.net",
    ),
    setting(
        "TENANTRY_EVENTS_TOPIC",
        "the Service Bus topic that events go to, besides or instead of Event Grid",
        "none",
        "tenant-events",
    ),
    setting(
        "TENANTRY_STAMPS",
        "the places that tenants go to: a JSON array, or a file with one",
        "required in the Azure world",
        "stamps.json",
    ),
    setting(
        "TENANTRY_PATIENCE",
        "how long one invocation waits in place before it parks a tenant, in seconds",
        "20",
        "5",
    ),
    setting(
        "TENANTRY_REQUEST_TIMEOUT",
        "how long an answer of Azure is waited for, in seconds; the lease on a tenant lasts five times as long",
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
        "Entra, where the probe gets tokens of tenants' applications",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
    ),
    setting(
        "TENANTRY_INFERENCE",
        "where tenants' services are called instead of at their own addresses: a simulated Azure on this machine",
        "their own addresses",
        "http://127.0.0.1:7073",
    ),
];
