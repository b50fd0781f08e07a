//! A Functions host for the laptop: it calls the handler over HTTP, as the real host does.
//!
//! It does everything of the real host that a handler can observe: how values are encoded, when a message is abandoned,
//! the effect of an empty answer, the kill after a timeout. So the handler that runs here is the one that runs in
//! Azure, and fails here first.
//!
//! # What is missing
//! No authentication (as in `func start`) unless keys are set, no Event Grid or Storage triggers, no batches, no host
//! `retry` policy, and one instance only.

mod admin;
mod app;
mod encode;
mod faults;
mod front;
mod handler;
mod invoke;
mod listener;
mod outputs;
mod process;
mod supervisor;
mod timer;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use azure_sim::queue::Queue;
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};

use handler::AbortOnDrop;
use invoke::Invoker;
use supervisor::{State, Supervised};

pub use admin::Keys;
pub use app::{AppError, AppFiles, Binding, FunctionFile, HostFile, TriggerKind};
pub use faults::{Attempt, HostFaults, InjectedFault};
pub use handler::{Handler, ProcessHandler, Starter};

/// The host's clock. It must run at the speed of the real clock; waits are measured by the runtime.
pub type HostClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The settings of the host.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// The app's files: its settings and functions.
    pub app: AppFiles,
    /// The interval that replaces a minute in the timers' schedules; timers with a schedule in seconds run at this
    /// interval too. `None`: the schedules apply.
    pub timer_interval: Option<Duration>,
    /// How long after a function's timeout the handler is killed.
    pub timeout_grace: Duration,
    /// Faults that a test injects.
    pub faults: HostFaults,
    /// The keys that callers need, as in Azure; `None`: no key is required.
    pub keys: Option<Keys>,
}

impl HostSettings {
    /// The settings of the real host for an app.
    pub fn new(app: AppFiles) -> Self {
        let timeout_grace = Duration::from_secs(2);
        Self { app, timer_interval: None, timeout_grace, faults: HostFaults::default(), keys: None }
    }
}

/// Why the host did not start.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HostError {
    /// A file of the app is invalid.
    #[error("the app can't be hosted")]
    App(#[from] AppError),
    /// The handler did not start.
    #[error("the handler did not start: {0}")]
    Handler(String),
}

/// A running host. Dropping it kills the handler and leaves every message in flight locked; [`EmbeddedHost::stop`] lets
/// running invocations finish.
pub struct EmbeddedHost {
    shared: Arc<Shared>,
    triggers: JoinSet<()>,
    /// Dropped last, so that no task calls a handler that has ended.
    _supervisor: AbortOnDrop,
}

impl fmt::Debug for EmbeddedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedHost").field("handler_url", &self.handler_url()).finish_non_exhaustive()
    }
}

impl EmbeddedHost {
    /// Starts the handler, waits until it answers, then starts the listeners and timers.
    ///
    /// # Errors
    /// [`HostError`] when the app is invalid or the handler fails three times.
    pub async fn start(
        settings: HostSettings,
        handler: Handler,
        queue: Queue,
        clock: HostClock,
    ) -> Result<Self, HostError> {
        let HostSettings { app, timer_interval, timeout_grace, faults, keys } = settings;
        let (handler, work) = supervisor::supervisor(handler, app.host.clone(), Arc::clone(&clock));
        let invoker = Invoker {
            handler: handler.clone(),
            function_timeout: app.host.function_timeout,
            start_limit: app.host.initialization_timeout,
            grace: timeout_grace,
            requests: std::sync::atomic::AtomicU64::new(0),
        };
        let schedules = schedules(&app, timer_interval)?;
        let phase = watch::Sender::new(Phase::Running);
        let mut blocked = phase.subscribe();
        let supervisor = AbortOnDrop(tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                _ = blocked.wait_for(|phase| *phase == Phase::Stopped) => {}
            }
        }));
        up(&handler).await?;
        let functions = app.functions.iter().cloned().map(Arc::new).collect();
        let shared = Arc::new(Shared {
            app,
            functions,
            invoker,
            queue,
            clock,
            faults,
            keys,
            in_flight: Arc::new(AtomicUsize::new(0)),
            phase,
        });
        let triggers = start_triggers(&shared, &schedules);
        Ok(Self { shared, triggers, _supervisor: supervisor })
    }

    /// The generation of the handler's process, from 1; `None` while it is starting. Every generation listens at the
    /// same address.
    pub fn handler_life(&self) -> Option<u64> {
        match &*self.shared.invoker.handler.state.borrow() {
            State::Ready(endpoint) => Some(endpoint.generation),
            State::Starting | State::Stopped(_) => None,
        }
    }

    /// The handler's address; `None` while it is starting.
    pub fn handler_url(&self) -> Option<String> {
        match &*self.shared.invoker.handler.state.borrow() {
            State::Ready(endpoint) => Some(endpoint.url.clone()),
            State::Starting | State::Stopped(_) => None,
        }
    }

    /// Why the host gave up on the handler, if it did.
    pub fn gave_up(&self) -> Option<String> {
        match &*self.shared.invoker.handler.state.borrow() {
            State::Stopped(why) => Some(why.clone()),
            State::Starting | State::Ready(_) => None,
        }
    }

    /// The routes of the HTTP functions and of the host itself, to be merged with others and served by the caller.
    pub fn router(&self) -> Router {
        front::router(&self.shared)
    }

    /// Whether no invocation runs and no queue with a trigger has a message that is due. Messages that are scheduled
    /// for later don't count.
    pub fn is_idle(&self) -> bool {
        // In this order: an invocation that ends in between has enqueued its outputs before it ended, and a message
        // that is being received is in flight in its queue until it is settled.
        if self.shared.in_flight.load(Ordering::SeqCst) > 0 {
            return false;
        }
        let queues = self.shared.functions.iter().filter_map(|f| f.trigger().queue_name.as_deref());
        !self.shared.queue.has_due(queues, self.shared.now())
    }

    /// Accepts no more messages and ticks, lets running ones finish, then kills the handler. HTTP calls belong to the
    /// server of [`EmbeddedHost::router`]: end that server first.
    pub async fn stop(mut self) {
        self.shared.phase.send_replace(Phase::Stopping);
        while self.triggers.join_next().await.is_some() {}
    }
}

/// Starts a task per queue trigger and per timer. All end at once when the phase is [`Phase::Stopped`].
fn start_triggers(shared: &Arc<Shared>, schedules: &[(String, timer::Schedule)]) -> JoinSet<()> {
    let mut triggers = JoinSet::new();
    for function in &shared.functions {
        let (shared, function) = (Arc::clone(shared), Arc::clone(function));
        match function.kind() {
            Some(TriggerKind::ServiceBus) => {
                triggers.spawn(async move {
                    tokio::select! {
                        () = listener::listen(Arc::clone(&shared), function) => {}
                        () = shared.blocked() => {}
                    }
                });
            }
            Some(TriggerKind::Timer) => {
                let schedule = schedules.iter().find(|(name, _)| *name == function.name).map(|(_, at)| *at);
                let Some(schedule) = schedule else { continue };
                triggers.spawn(async move {
                    tokio::select! {
                        () = timer::tick(Arc::clone(&shared), function, schedule) => {}
                        () = shared.blocked() => {}
                    }
                });
            }
            Some(TriggerKind::Http) | None => {}
        }
    }
    triggers
}

fn schedules(app: &AppFiles, interval: Option<Duration>) -> Result<Vec<(String, timer::Schedule)>, AppError> {
    let timers = app.functions.iter().filter(|function| function.kind() == Some(TriggerKind::Timer));
    timers
        .map(|function| {
            let schedule = timer::Schedule::parse(function)?;
            let schedule = interval.map_or(schedule, |minute| schedule.with_minutes_of(minute));
            Ok((function.name.clone(), schedule))
        })
        .collect()
}

/// Waits for the handler's first answer. Fails if the host gives up on the handler.
async fn up(handler: &Supervised) -> Result<(), HostError> {
    let mut state = handler.state.clone();
    let stopping = || HostError::Handler("the host is stopping".to_owned());
    let state = state.wait_for(|state| !matches!(state, State::Starting)).await.map_err(|_| stopping())?;
    match &*state {
        State::Stopped(why) => Err(HostError::Handler(why.clone())),
        State::Ready(_) | State::Starting => Ok(()),
    }
}

/// The phase of the host's shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// No new work is started.
    Stopping,
    /// All tasks are dropped at once, and messages in flight stay locked.
    Stopped,
}

/// The state that the host's tasks share.
struct Shared {
    app: AppFiles,
    functions: Vec<Arc<FunctionFile>>,
    invoker: Invoker,
    queue: Queue,
    clock: HostClock,
    faults: HostFaults,
    keys: Option<Keys>,
    in_flight: Arc<AtomicUsize>,
    phase: watch::Sender<Phase>,
}

/// Counts an invocation as running until this value is dropped.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    async fn wait_until(&self, at: Timestamp) {
        while let Ok(left) = Duration::try_from(at.duration_since(self.now()))
            && !left.is_zero()
        {
            pause(left).await;
        }
    }

    fn busy(&self) -> Busy {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(&self.in_flight))
    }

    fn block(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    async fn stopping(&self) {
        self.reaches(Phase::Stopping).await;
    }

    async fn blocked(&self) {
        self.reaches(Phase::Stopped).await;
    }

    async fn reaches(&self, phase: Phase) {
        // The sender is a member of `self`, so the channel is open.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}

/// Waits for this long. The host waits for time only here.
#[expect(
    clippy::disallowed_methods,
    reason = "a host waits for real: for ticks, locks, timeouts and a starting handler"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
