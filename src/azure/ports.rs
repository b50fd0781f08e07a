//! Builds the ports for Azure from the settings.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{Client, Url};
use tenantry_core::{steps::Failure, tenant::CloudEvent};

use super::{
    bridge::LegacyTransport,
    client::client,
    event_grid::EventGrid,
    prober::HttpProber,
    service_bus::{NoScheduler, QueueScheduler, ServiceBus, TopicPublisher},
    tables::{BadTables, TableState, TablesSettings},
    throttle::Throttle,
    token::{BadIdentity, Scopes, Tokens},
    transport::{Hosts, HttpTransport},
};
use crate::{
    config::{AzureConfig, WakeUps},
    ports::{Clock, Ports, Prober, Publisher, Scheduler, Transport},
};

/// The largest answer of Service Bus that is read, in bytes. Such an answer only says that a message was accepted.
const MOST_BYTES: usize = 64 << 10;

/// Why the ports for Azure can't be built.
#[derive(Debug, thiserror::Error)]
pub enum AzureError {
    /// The HTTP client can't be built.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
    /// An identity can't be used.
    #[error(transparent)]
    Identity(#[from] BadIdentity),
    /// The settings of the tables are invalid.
    #[error(transparent)]
    Tables(#[from] BadTables),
    /// The port of the handler can't be used.
    #[error("the handler's port failed")]
    Port(#[from] std::io::Error),
}

/// Builds the ports for Azure; `timeout` bounds each request. No request is sent yet.
///
/// # Errors
/// [`AzureError`] when a port can't be built from its settings.
pub fn open(config: &AzureConfig, clock: Arc<dyn Clock>, timeout: Duration) -> Result<Ports, AzureError> {
    let client = client(timeout)?;
    let tokens = Arc::new(Tokens::of(&config.identity, &scopes(config), &client, Arc::clone(&clock))?);
    let hosts =
        Hosts { arm: config.arm.clone(), graph: config.graph.clone(), event_grid: config.event_grid.clone() };
    let mut transport = HttpTransport::new(client.clone(), hosts, Arc::clone(&tokens), timeout);
    if let Some(remover) = &config.remover {
        let tokens = Tokens::of(remover, &scopes(config), &client, Arc::clone(&clock))?;
        transport = transport.remover(Arc::new(tokens));
    }
    let transport: Arc<dyn Transport> = Arc::new(transport.throttled(Throttle::new(Arc::clone(&clock))));
    let mut prober: Option<Arc<dyn Prober>> = None;
    if let Some(probe) = &config.probe {
        let elsewhere = scopes(config).arm;
        prober = Some(Arc::new(HttpProber::new(probe, client.clone(), &elsewhere, Arc::clone(&clock))?));
    }
    let bus = service_bus(config, &client, &tokens, &clock);
    let tables = TablesSettings { endpoint: config.tables.clone(), prefix: config.table_prefix.clone() };
    let store = TableState::new(&tables, &client, tokens, Arc::clone(&clock))?;
    let scheduler: Arc<dyn Scheduler> = match config.wake_ups {
        WakeUps::Queue => Arc::new(QueueScheduler(bus.clone())),
        WakeUps::Sweep => Arc::new(NoScheduler),
    };
    let mut announcers: Vec<Arc<dyn Publisher>> = Vec::new();
    if config.event_grid.is_some() {
        announcers.push(Arc::new(EventGrid::new(Arc::clone(&transport))));
    }
    if let Some(topic) = &config.events_topic {
        announcers.push(Arc::new(TopicPublisher::new(bus, topic)));
    }
    let publisher = Arc::new(Publishers(announcers));
    Ok(Ports { store: Arc::new(store), transport, prober, publisher, scheduler, clock })
}

/// Builds only the sender to the Service Bus namespace, for commands that need nothing else.
///
/// # Errors
/// As [`open`].
pub fn sender(
    config: &AzureConfig,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
) -> Result<ServiceBus, AzureError> {
    let client = client(timeout)?;
    let tokens = Arc::new(Tokens::of(&config.identity, &scopes(config), &client, Arc::clone(clock))?);
    Ok(service_bus(config, &client, &tokens, clock))
}

fn service_bus(
    config: &AzureConfig,
    client: &Client,
    tokens: &Arc<Tokens>,
    clock: &Arc<dyn Clock>,
) -> ServiceBus {
    let transport = LegacyTransport::new(client.clone(), Arc::clone(clock), MOST_BYTES);
    ServiceBus::new(transport, Arc::clone(tokens), config.service_bus.clone())
}

/// The token scopes for ARM and Graph, which differ between Azure's clouds. For a simulated Azure on this machine they
/// are those of the public cloud.
pub(super) fn scopes(config: &AzureConfig) -> Scopes {
    let scope = |url: &Url, public: String| match url.scheme() {
        "https" => format!("{}/.default", url.origin().ascii_serialization()),
        _ => public,
    };
    let public = Scopes::default();
    Scopes { arm: scope(&config.arm, public.arm), graph: scope(&config.graph, public.graph) }
}

/// Publishes to several publishers. If one fails, the caller publishes the events to all of them again, with the same
/// content.
struct Publishers(Vec<Arc<dyn Publisher>>);

impl Publisher for Publishers {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for publisher in &self.0 {
                publisher.publish(events).await?;
            }
            Ok(())
        })
    }
}
