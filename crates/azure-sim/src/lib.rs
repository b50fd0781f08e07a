//! The simulated Azure: Resource Manager, Microsoft Graph, an Event Grid topic, a Service Bus namespace and the
//! platform's identity behind one loopback port.
//!
//! It answers what Azure answers and refuses what Azure refuses, over HTTP, so that the same code reaches it and the
//! real one. The path selects the service: `/subscriptions/...` is ARM, `/v1.0/...` Graph, `/api/events` Event Grid,
//! `/<queue or topic>/messages` Service Bus, `/msi/token` the identity endpoint, `/<directory>/oauth2/v2.0/token` Entra
//! and `/_sim/...` the simulator's own window for tests (journal, objects, events, subscribers, messages, faults,
//! flaws, forms, chaos). A host that belongs to a tenant's service selects that service, whatever the address.
//!
//! State is in one redb file. A change is durable before it is answered, together with its line of the journal, so the
//! process can be killed at any moment. There are no timers: operations end, replicas catch up and soft-deleted objects
//! expire by comparing instants with the clock on each request. Only deliveries to webhooks run by themselves.
//!
//! # Example
//!
//! Start it on a free port and create a resource group:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use azure_sim::{Cloud, CloudSettings, SUBSCRIPTION_ID};
//! use jiff::Timestamp;
//! use tokio::net::TcpListener;
//!
//! let folder = tempfile::tempdir()?;
//! let settings = CloudSettings::new(folder.path().join("azure.redb"), Arc::new(Timestamp::now));
//! let cloud = Cloud::open(settings).await?;
//! let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move { cloud.serve(listener).await });
//!
//! let group = format!("http://{address}/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-mine");
//! let answer = reqwest::Client::builder()
//!     .no_proxy()
//!     .build()?
//!     .put(format!("{group}?api-version=2024-07-01"))
//!     .header("Authorization", "Bearer any")
//!     .json(&serde_json::json!({ "location": "westeurope" }))
//!     .send()
//!     .await?;
//! assert_eq!(answer.status(), 201);
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! From top to bottom. A part uses only those below it, and there are no cycles between files;
//! `tests/suite/architecture.rs` of the repository checks this.
//!
//! | layer | parts |
//! | --- | --- |
//! | the running simulator | `cloud` opens, serves and delivers; [`pairing`] remembers the state file beside it |
//! | HTTP | `http` reads a request, `router` finds its service, `answer` lets the service answer and journals it |
//! | services | `arm`, `graph`, `events`, `service_bus`, `subscription`, `login`, `inference`; `sim` is the window for tests |
//! | who may do what | [`access`]; `roles` are the assignments and definitions that Resource Manager keeps |
//! | operations | `operations`: long-running ones, polls, soft deletion |
//! | resource types | `resources`: one file each, with a registry on top |
//! | state | `store` over [`db`]; [`queue`] is a broker in such a file |
//!
//! What a test sets is kept in memory: `faults`, `flaws`, `forms`, `chaos`. `inner` is what all services share.
//!
//! # Adding a resource type
//!
//! Write a file in `src/resources`, with a type that implements `ResourceType`, and add a line to `TYPES` in
//! `src/resources/registry.rs`. `storage_account.rs` is a small one to start from. The profile holds what is fixed:
//! name, api-version, name rule, durations, form of the answer to a PUT, states, scope of unique names. The methods
//! have defaults; override those in which the type differs: what is refused (`check`, `check_delete`, `name_taken`,
//! `busy`), what the service adds (`complete`, `written`), what a deletion does to others (`removed`), how soft-deleted
//! ones are shown and purged (`deleted_items`), and which rights a body needs at other resources (`linked_actions`).
//! PUT, GET, lists, DELETE, polls, providers and the expiry of soft-deleted ones follow from that.

pub mod access;
mod activity;
mod answer;
mod api_version;
mod arm;
mod call;
mod chaos;
mod clock;
mod cloud;
pub mod db;
mod digest;
mod error;
mod events;
mod faults;
mod flaws;
mod forms;
mod graph;
mod http;
mod identity;
mod inference;
mod inner;
mod journal;
mod login;
mod operations;
pub mod pairing;
mod path;
mod pause;
pub mod queue;
mod reply;
mod resources;
mod roles;
mod router;
mod seed;
mod service;
mod service_bus;
mod settings;
mod sim;
mod stamp;
mod store;
mod subscribers;
mod subscription;

pub use self::{
    clock::{Now, Speed},
    cloud::Cloud,
    error::CloudError,
    service_bus::TOPIC,
    settings::CloudSettings,
    stamp::{
        BLOB_READER_ROLE, DIRECTORY_ID, PROBE_CLIENT_ID, PROBE_PRINCIPAL_ID, REGION, RESOURCE_GROUP,
        SCORER_ROLE, SUBSCRIPTION_ID, local_stamp,
    },
    subscription::Subscriber,
};
