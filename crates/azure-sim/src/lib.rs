//! The simulated Azure: Resource Manager, Microsoft Graph, an Event Grid topic, a Service Bus namespace and the
//! platform's identity behind one loopback port.
//!
//! It answers what Azure answers and refuses what Azure refuses, over HTTP, so that the same code reaches it and the
//! real one. The path tells the service: `/subscriptions/...` is ARM, `/v1.0/...` Graph, `/api/events` Event Grid,
//! `/<queue or topic>/messages` Service Bus, `/msi/token` the identity's endpoint, `/<directory>/oauth2/v2.0/token` Entra's
//! and `/_sim/...` the simulator's own window for tests (journal, objects, events, subscribers, messages, faults, flaws,
//! forms, chaos). A host that is a tenant's service, whatever the address, is that service.
//!
//! [`db`] is that file's single writer, [`queue`] a broker in such a file, `graph` Microsoft Graph, `resources` one file per
//! type of resource, [`access`] who may do what.
//!
//! State lies in one redb file. A change is durable before it is answered, together with its line of the journal, so
//! the process can be killed at any moment. No timer runs: operations end, replicas catch up and soft-deleted things
//! expire by comparing instants with the clock whenever somebody asks. Only deliveries to webhooks come by themselves.

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
