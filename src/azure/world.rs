//! Puts the Azure world together from its settings.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{Client, Url};
use tenantry_core::{steps::Failure, tenant::CloudEvent};

use super::{
    bridge::Transport,
    client::client,
    event_grid::EventGrid,
    prober::HttpProber,
    service_bus::{NoAlarm, QueueAlarm, ServiceBus, TopicAnnouncer},
    tables::{BadTables, TableState, TablesSettings},
    throttle::Throttle,
    token::{BadIdentity, Scopes, Tokens},
    wire::{Hosts, HttpWire},
};
use crate::{
    config::{AzureConfig, WakeUps},
    ports::{Alarm, Announcer, Clock, Prober, Wire, World},
};

/// The largest answer of Service Bus that is read, in bytes; it says no more than that it took a message.
const MOST_BYTES: usize = 64 << 10;

/// Why the Azure world can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum AzureError {
    /// The HTTP client.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] BadIdentity),
    /// The state.
    #[error(transparent)]
    Tables(#[from] BadTables),
    /// The handler's port.
    #[error("the handler's port failed")]
    Port(#[from] std::io::Error),
}

/// Opens the Azure world; `timeout` bounds each request. Nothing is asked of a service yet.
///
/// # Errors
/// [`AzureError`] when a part can't be made from its settings.
pub fn open(config: &AzureConfig, clock: Arc<dyn Clock>, timeout: Duration) -> Result<World, AzureError> {
    let client = client(timeout)?;
    let tokens = Arc::new(Tokens::of(&config.identity, &scopes(config), &client, Arc::clone(&clock))?);
    let hosts =
        Hosts { arm: config.arm.clone(), graph: config.graph.clone(), event_grid: config.event_grid.clone() };
    let mut wire = HttpWire::new(client.clone(), hosts, Arc::clone(&tokens), timeout);
    if let Some(remover) = &config.remover {
        let tokens = Tokens::of(remover, &scopes(config), &client, Arc::clone(&clock))?;
        wire = wire.remover(Arc::new(tokens));
    }
    let wire: Arc<dyn Wire> = Arc::new(wire.throttled(Throttle::new(Arc::clone(&clock))));
    let mut prober: Option<Arc<dyn Prober>> = None;
    if let Some(probe) = &config.probe {
        let elsewhere = scopes(config).arm;
        prober = Some(Arc::new(HttpProber::new(probe, client.clone(), &elsewhere, Arc::clone(&clock))?));
    }
    let bus = service_bus(config, &client, &tokens, &clock);
    let tables = TablesSettings { endpoint: config.tables.clone(), prefix: config.table_prefix.clone() };
    let store = TableState::new(&tables, &client, tokens, Arc::clone(&clock))?;
    let alarm: Arc<dyn Alarm> = match config.wake_ups {
        WakeUps::Queue => Arc::new(QueueAlarm(bus.clone())),
        WakeUps::Sweep => Arc::new(NoAlarm),
    };
    let mut announcers: Vec<Arc<dyn Announcer>> = Vec::new();
    if config.event_grid.is_some() {
        announcers.push(Arc::new(EventGrid::new(Arc::clone(&wire))));
    }
    if let Some(topic) = &config.events_topic {
        announcers.push(Arc::new(TopicAnnouncer::new(bus, topic)));
    }
    let announcer = Arc::new(Announcers(announcers));
    Ok(World { store: Arc::new(store), wire, prober, announcer, alarm, clock })
}

/// The namespace, for those who only send to it.
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
    let transport = Transport::new(client.clone(), Arc::clone(clock), MOST_BYTES);
    ServiceBus::new(transport, Arc::clone(tokens), config.service_bus.clone())
}

/// The scopes of the cloud that is configured: each cloud's ARM and Graph are their own audiences. This machine's
/// simulated Azure stands for the public one.
pub(super) fn scopes(config: &AzureConfig) -> Scopes {
    let scope = |url: &Url, public: String| match url.scheme() {
        "https" => format!("{}/.default", url.origin().ascii_serialization()),
        _ => public,
    };
    let public = Scopes::default();
    Scopes { arm: scope(&config.arm, public.arm), graph: scope(&config.graph, public.graph) }
}

/// Tells all of them. If one fails all are told again, the same to the byte.
struct Announcers(Vec<Arc<dyn Announcer>>);

impl Announcer for Announcers {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for announcer in &self.0 {
                announcer.publish(events).await?;
            }
            Ok(())
        })
    }
}
