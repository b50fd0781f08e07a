//! Rights outside of Azure Resource Manager: built-in data roles, and permissions of Microsoft Graph.
//!
//! Sources: Microsoft, "Azure built-in roles" (the GUIDs), "Connecting to host storage with an identity" for the host's
//! storage, "Microsoft Entra authentication for Application Insights" for what the host sends, "Microsoft Graph
//! permissions reference".

/// A built-in role that one of tenantry's identities needs at one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataRole {
    /// The identity: `host` or `provisioner`.
    pub identity: &'static str,
    /// The name of the built-in role.
    pub role: &'static str,
    /// The role definition's GUID.
    pub id: &'static str,
    /// The narrowest scope at which the role is sufficient, in words.
    pub scope: &'static str,
    /// What the identity needs the role for.
    pub why: &'static str,
}

/// The required permission of Microsoft Graph: to create applications and manage those that it has created.
pub const GRAPH: &str = "Application.ReadWrite.OwnedBy";

/// An optional permission of Graph: it shows deleted objects. With it tenantry restores deleted applications, and
/// purges them when a tenant is deprovisioned; without it Entra deletes them permanently after thirty days.
pub const GRAPH_OPTIONAL: &str = "Application.Read.All";

const RECEIVER: (&str, &str) = ("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0");
const SENDER: (&str, &str) = ("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39");
const TABLES: (&str, &str) = ("Storage Table Data Contributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3");
const BLOBS: (&str, &str) = ("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b");
const EVENTS: (&str, &str) = ("EventGrid Data Sender", "d5a91429-5739-47e2-a06b-3470a27159e7");
const METRICS: (&str, &str) = ("Monitoring Metrics Publisher", "3913510d-42f4-4e42-8a64-420c390055eb");

const fn role(
    identity: &'static str,
    (role, id): (&'static str, &'static str),
    scope: &'static str,
    why: &'static str,
) -> DataRole {
    DataRole { identity, role, id, scope, why }
}

/// All data roles that a deployment needs. The remover needs none.
pub const ROLES: [DataRole; 8] = [
    role(
        "host",
        RECEIVER,
        "the queue tenant-requests",
        "its triggers take in requests, and what was dead-lettered",
    ),
    role("host", RECEIVER, "the queue tenant-wakeups", "its trigger starts reconcile passes"),
    role(
        "host",
        BLOBS,
        "the host's own storage account (not that of the state)",
        "keys, locks and the timer's schedule",
    ),
    role("host", METRICS, "Application Insights, if it takes no keys", "it sends logs and numbers"),
    role(
        "provisioner",
        TABLES,
        "the storage account of the state",
        "it makes its tables and keeps all state in them",
    ),
    role("provisioner", SENDER, "the queue tenant-wakeups", "it schedules wake-ups"),
    role("provisioner", SENDER, "the topic of TENANTRY_EVENTS_TOPIC, if set", "it publishes events"),
    role("provisioner", EVENTS, "the Event Grid topic of TENANTRY_EVENT_GRID, if set", "it publishes events"),
];
