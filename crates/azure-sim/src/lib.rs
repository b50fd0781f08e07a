//! The simulated Azure: Resource Manager, Microsoft Graph, an Event Grid topic, a Service Bus namespace, the endpoints
//! for tokens, and tenants' services, behind one loopback port.
//!
//! The simulated Azure accepts what Azure accepts and refuses what Azure refuses, over HTTP, so that a client needs no
//! other code for it than for Azure. The path selects the service: `/subscriptions/...` is Resource Manager (ARM),
//! `/v1.0/...` Graph, `/api/events` Event Grid, `/<queue or topic>/messages` Service Bus, `/msi/token` the managed
//! identity endpoint, `/<directory>/oauth2/v2.0/token` Entra, and `/_sim/...` are test endpoints of the simulator
//! itself (journal, objects, events, subscribers, messages, faults, flaws, forms, chaos). A `Host` header with the name
//! of a tenant's service selects that service, whatever the path.
//!
//! The state is in one redb file. A change and its journal entry are durable before the request is answered, so the
//! process can be killed at any moment. There are no timers: each request compares the clock with the times at which
//! operations end, replicas catch up and soft-deleted objects are purged. Only deliveries to webhooks run in the
//! background.
//!
//! # Example
//!
//! Start the simulated Azure on a free port and create a resource group:
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
//! # let _ = rustls::crypto::ring::default_provider().install_default();
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
//! The layers, from top to bottom. A module uses only the layers below its own, and there are no cycles between files;
//! `tests/suite/architecture.rs` in the repository checks this.
//!
//! | layer | modules |
//! | --- | --- |
//! | the running simulator | `cloud` opens, serves and delivers; [`pairing`] relates it to the tenants' state file |
//! | HTTP | `http` reads a request, `router` selects the service, `answer` calls the service and writes the journal, `journal_stream` shows it |
//! | services | `arm`, `graph`, `events`, `service_bus`, `subscription`, `login`, `inference`; `sim`: test endpoints |
//! | permissions | [`access`] decides about requests; `roles` has Resource Manager's role assignments and definitions |
//! | operations | `operations`: long-running operations, polls, soft deletion |
//! | resource types | `resources`: one file for each type, and a registry |
//! | state | `store`, in a [`db`]; [`queue`] is a message broker, also in a [`db`] |
//!
//! The settings of tests are kept in memory: `faults`, `flaws`, `forms`, `chaos`. `inner` holds what all services
//! share.
//!
//! # Adding a resource type
//!
//! Write a file in `src/resources` with a type that implements `ResourceType`, and add a line to `TYPES` in
//! `src/resources/registry.rs`. `storage_account.rs` is a small example. The profile holds the constant properties:
//! name, api-version, name rule, durations, form of the answer to a PUT, states, scope of unique names. The methods
//! have defaults; override those in which the type differs: which requests are refused (`check`, `check_delete`,
//! `name_taken`, `busy`), what the service adds to a resource (`complete`, `written`), what a deletion does to other
//! resources (`removed`), how soft-deleted resources are shown and purged (`deleted_items`), and which permissions a
//! body needs at other resources (`linked_actions`). PUT, GET, lists, DELETE, polls, providers and the expiry of
//! soft-deleted resources need no code of their own.

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
mod journal_stream;
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
