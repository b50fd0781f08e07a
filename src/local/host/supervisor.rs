//! Keeps a handler running: start, readiness, restart after an exit or a kill, and giving up.
//!
//! Source: azure-functions-host, `HttpFunctionInvocationDispatcher` and `DefaultHttpWorkerService`. After the exit code
//! 0 the handler is not restarted, after 200 it is, without counting; any other code counts. The third counted end
//! stops the host; the count is reset when two are more than 30 minutes apart.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use super::{
    HostClock,
    app::HostFile,
    handler::{Handler, Running},
    pause,
};
use crate::azure::client;

/// The interval at which a starting handler is probed.
const PROBE_EVERY: Duration = Duration::from_millis(25);
/// How many counted ends of the handler stop the host.
const STRIKES: usize = 3;
/// If a counted end comes later than this after the one before, the count starts again.
const STRIKE_MEMORY: SignedDuration = SignedDuration::from_mins(30);

/// The address of a running handler. Each restart is a new generation, at the same address.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) generation: u64,
    /// An HTTP client of this generation only, because connections to an earlier one must not be used.
    pub(super) client: reqwest::Client,
}

/// The state of the handler.
#[derive(Debug, Clone)]
pub(super) enum State {
    Starting,
    Ready(Endpoint),
    /// The host gave up on the handler, for this reason.
    Stopped(String),
}

/// The handle of a running supervisor.
#[derive(Clone)]
pub(super) struct Supervised {
    pub(super) state: watch::Receiver<State>,
    kills: mpsc::UnboundedSender<u64>,
}

impl Supervised {
    /// Kills the handler if it is still that of this generation. It is restarted, and the end is not counted.
    pub(super) fn kill(&self, generation: u64) {
        // A supervisor that has ended has killed its handler already.
        let _ = self.kills.send(generation);
    }

    /// Waits until this generation's handler is killed, restarted or given up. An end with exit code 0 is none of
    /// these.
    pub(super) async fn replaced(&self, generation: u64) {
        let mut state = self.state.clone();
        let other =
            |state: &State| !matches!(state, State::Ready(endpoint) if endpoint.generation == generation);
        // An error means that the supervisor has ended, and its handler with it.
        let _ = state.wait_for(other).await;
    }
}

/// Makes the handle of a supervisor and the future that runs it. Dropping the future kills the handler.
pub(super) fn supervisor(
    handler: Handler,
    host: HostFile,
    clock: HostClock,
) -> (Supervised, impl Future<Output = ()> + Send) {
    let (publish, state) = watch::channel(State::Starting);
    let (kills, killed) = mpsc::unbounded_channel();
    let work = Supervisor { handler, host, clock, publish, killed, strikes: Vec::new(), port: None };
    (Supervised { state, kills }, work.run())
}

struct Supervisor {
    handler: Handler,
    host: HostFile,
    clock: HostClock,
    publish: watch::Sender<State>,
    killed: mpsc::UnboundedReceiver<u64>,
    strikes: Vec<Timestamp>,
    /// The port of the handler's first generation, which every later one gets too.
    port: Option<u16>,
}

/// Why a generation of the handler ended.
enum End {
    Killed,
    Recycled,
    Failed(String),
    HostStopped,
}

impl Supervisor {
    async fn run(mut self) {
        for generation in 1.. {
            self.publish.send_replace(State::Starting);
            match self.generation(generation).await {
                End::Killed | End::Recycled => {}
                End::HostStopped => return,
                End::Failed(why) => {
                    tracing::error!(handler.generation = generation, why, "the handler failed");
                    if self.strike() {
                        self.publish.send_replace(State::Stopped(why));
                        return;
                    }
                }
            }
        }
    }

    async fn generation(&mut self, generation: u64) -> End {
        let (mut running, port) = match self.handler.launch(&self.host, self.port).await {
            Ok(started) => started,
            Err(why) => return End::Failed(why),
        };
        self.port = Some(port);
        let url = format!("http://127.0.0.1:{port}");
        let client = match client::builder().no_proxy().build() {
            Ok(client) => client,
            Err(error) => return End::Failed(error.to_string()),
        };
        let limit = self.host.initialization_timeout;
        let ready = tokio::select! {
            ready = tokio::time::timeout(limit, probe(&client, &url)) => ready.is_ok(),
            exit = running.exited() => return ended(&exit),
        };
        if !ready {
            running.kill().await;
            return End::Failed(format!("the handler did not answer GET / within {} s", limit.as_secs_f32()));
        }
        self.publish.send_replace(State::Ready(Endpoint { url, generation, client }));
        self.watch(running, generation).await
    }

    /// Waits until a handler that is ready ends or has to be killed.
    async fn watch(&mut self, mut running: Running, generation: u64) -> End {
        let mut over = false;
        loop {
            tokio::select! {
                exit = running.exited(), if !over => {
                    if exit.code != Some(0) {
                        return ended(&exit);
                    }
                    // Not restarted: calls are refused from now on, until a timeout replaces the handler.
                    tracing::warn!("the handler ended with code 0, so it is not started again");
                    over = true;
                }
                kill = self.killed.recv() => match kill {
                    None => return End::HostStopped,
                    Some(old) if old != generation => {}
                    Some(_) => {
                        self.publish.send_replace(State::Starting);
                        if !over {
                            running.kill().await;
                        }
                        return End::Killed;
                    }
                },
            }
        }
    }

    /// Counts an end of the handler. Returns whether the host gives up.
    fn strike(&mut self) -> bool {
        let now = (self.clock)();
        if self.strikes.last().is_some_and(|last| now.duration_since(*last) > STRIKE_MEMORY) {
            self.strikes.clear();
        }
        self.strikes.push(now);
        self.strikes.len() >= STRIKES
    }
}

fn ended(exit: &super::handler::Exit) -> End {
    match exit.code {
        Some(200) => End::Recycled,
        code => {
            let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
            End::Failed(format!("the handler ended with {code}: {}", exit.last_output))
        }
    }
}

/// Sends requests until the handler answers one, with whatever status. Only a refused connection means "not yet".
async fn probe(client: &reqwest::Client, url: &str) {
    loop {
        match client.get(format!("{url}/")).send().await {
            Err(error) if error.is_connect() => pause(PROBE_EVERY).await,
            Ok(_) | Err(_) => return,
        }
    }
}
