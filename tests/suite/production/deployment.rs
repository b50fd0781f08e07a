//! A complete deployment on the loopback interface: the simulated Azure with its queues, Azurite, the embedded host,
//! and the program as the host's child process.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use azure_sim::{
    Cloud, CloudSettings, PROBE_CLIENT_ID,
    db::Db,
    local_stamp,
    queue::{BrokerSettings, Queue},
};
use reqwest::{Client, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    azure::{
        client::client,
        tables::{TableState, TablesSettings},
        token::Tokens,
    },
    local::{
        access,
        host::{AppFiles, EmbeddedHost, Handler, HostFaults, HostSettings, InjectedFault, ProcessHandler},
    },
    ports::{Clock as _, Listed, StateStore as _, SystemClock},
};
use tenantry_core::blueprint::{Blueprint, DEFAULT};
use tokio::{net::TcpListener, process::Command, task::JoinHandle};

use super::fault_proxy::FaultProxy;
use crate::testkit::{
    folder,
    judge::{list, text},
    removal, repository, request, signup, until,
};

/// The client id of the remover, the identity that deletes objects.
const REMOVER: &str = "22222222-2222-3333-4444-555555555555";

/// What a test changes in its deployment.
#[derive(Default)]
pub(crate) struct Settings {
    /// Whether one of ten answers of the state store is replaced or dropped.
    pub(crate) fault_proxy: bool,
    /// The handler is killed during the first delivery of the messages with these numbers.
    pub(crate) kills: &'static [u64],
    /// The program's log level; `None` for the default.
    pub(crate) log: Option<&'static str>,
    /// How many seconds an invocation waits for operations; `None` for 1.
    pub(crate) wait_budget: Option<&'static str>,
    /// The folder with an unpacked package to start; `None` to start the program under test.
    pub(crate) package: Option<PathBuf>,
    /// The speed of the simulated Azure; `None` for 200.
    pub(crate) speed: Option<&'static str>,
    /// Whether the program has exactly the settings of `local.settings.sample.json`, except for the ports and the
    /// prefix of the tables.
    pub(crate) sample: bool,
}

pub(crate) struct TestDeployment {
    cloud: String,
    identity_header: String,
    base: String,
    client: Client,
    environment: BTreeMap<String, String>,
    fault_proxy: FaultProxy,
    store: TableState,
    host: EmbeddedHost,
    servers: [JoinHandle<()>; 2],
    folder: TempDir,
}

impl Drop for TestDeployment {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// The URL of Azurite, which `cargo xtask test` passes.
#[expect(clippy::disallowed_methods, reason = "it holds the address of Azurite")]
pub(crate) fn azurite() -> Url {
    let address = std::env::var("TENANTRY_TEST_AZURITE");
    let address = address.expect("TENANTRY_TEST_AZURITE is not set: run these tests with `cargo xtask test`");
    address.parse().unwrap()
}

/// A prefix for table names that no other deployment has.
pub(crate) fn table_prefix(folder: &TempDir) -> String {
    let name: String = folder.path().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("p{}x{}", std::process::id(), &name[name.len() - 6..])
}

impl TestDeployment {
    pub(crate) async fn new(settings: Settings) -> Self {
        let folder = folder();
        let queue =
            Queue::open(Db::open(&folder.path().join("queue.redb")).unwrap(), BrokerSettings::default());
        let queue = queue.unwrap();
        let now = Arc::new(|| SystemClock.now());
        let cloud = CloudSettings::new(folder.path().join("azure.redb"), now.clone());
        // The simulated Azure enforces least privilege; a second identity deletes, except with the sample's settings.
        let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
        let remover = (!settings.sample).then_some(REMOVER);
        let access = access::least(&[blueprint], &[local_stamp()], remover).unwrap();
        let cloud = cloud.speed(settings.speed.unwrap_or("200").parse().unwrap()).strict(true);
        let cloud = cloud.queue(queue.clone()).access(access);
        let cloud = Cloud::open(cloud).await.unwrap();
        let identity_header = cloud.identity_header().to_owned();
        let (url, cloud_server) = serve(cloud.router()).await;
        let fault_proxy = FaultProxy::before(&azurite(), if settings.fault_proxy { 10 } else { 0 }).await;
        let prefix = table_prefix(&folder);
        let mut environment = match settings.sample {
            true => sample(&url, &identity_header, folder.path()),
            false => environment(&url, &identity_header, &fault_proxy.url, &prefix, settings.log),
        };
        // Not in the sample, but needed here because all deployments share one Azurite.
        environment.insert("TENANTRY_TABLE_PREFIX".to_owned(), prefix.clone());
        if let Some(wait_budget) = settings.wait_budget {
            environment.insert("TENANTRY_INLINE_WAIT".to_owned(), wait_budget.to_owned());
        }
        let tables = TablesSettings { endpoint: azurite(), prefix };
        let http = client(Duration::from_secs(30)).unwrap();
        let store = TableState::new(&tables, &http, Arc::new(Tokens::fixed("none")), Arc::new(SystemClock));
        let (root, executable, app) = match settings.package {
            Some(unpacked) => (unpacked.clone(), None, AppFiles::read(&unpacked).unwrap()),
            None => {
                let processes = folder.path().join("processes");
                let executable = logged(folder.path(), Some(&processes));
                (folder.path().to_owned(), Some(executable), AppFiles::embedded().unwrap())
            }
        };
        let handler = Handler::Process(ProcessHandler { root, executable, environment: environment.clone() });
        let faults = HostFaults::new(move |attempt| {
            let hit = attempt.function == "requests"
                && attempt.delivery_count == 1
                && settings.kills.contains(&attempt.sequence);
            hit.then_some(InjectedFault::KillHandler { after: Duration::from_millis(400) })
        });
        let interval = Some(Duration::from_secs(1));
        let host = HostSettings { timer_interval: interval, faults, ..HostSettings::new(app) };
        let host = EmbeddedHost::start(host, handler, queue, now).await;
        let host = host.unwrap_or_else(|error| panic!("{error}\n{}", log(folder.path())));
        let (base, front) = serve(host.router()).await;
        Self {
            cloud: url,
            identity_header,
            base,
            client: crate::testkit::client(),
            environment,
            fault_proxy,
            store: store.unwrap(),
            host,
            servers: [cloud_server, front],
            folder,
        }
    }

    /// Sends requests to the queue with `tenantry submit`, as an operator does.
    async fn submit(&self, requests: &[Value]) {
        let folder = self.folder.path();
        let mut files = Vec::new();
        for (number, request) in requests.iter().enumerate() {
            let file = folder.join(format!("request-{number}.json"));
            std::fs::write(&file, request.to_string()).unwrap();
            files.push(file);
        }
        until("all requests to be sent", async || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
            command.arg("submit").arg("--queue").args(&files).envs(&self.environment).stdin(Stdio::null());
            command.current_dir(folder);
            let sent = command.output().await.unwrap();
            // If sending fails, the operator repeats it; a request that arrives twice has an effect only once.
            match sent.status.success() {
                true => Ok(()),
                false => Err(json!(String::from_utf8_lossy(&sent.stderr))),
            }
        })
        .await;
    }

    pub(crate) async fn sign_up(&self, names: &[String]) {
        let requests = names.iter().enumerate().map(|(number, name)| {
            let sample = signup(if number % 4 == 0 { "contoso" } else { "tailspin" });
            request(&format!("signup-{name}"), "signup", name, sample["spec"].clone())
        });
        self.submit(&requests.collect::<Vec<_>>()).await;
    }

    pub(crate) async fn remove(&self, names: &[String]) {
        let requests: Vec<Value> =
            names.iter().map(|name| removal(&format!("remove-{name}"), name)).collect();
        self.submit(&requests).await;
    }

    async fn get(&self, url: String) -> Value {
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// A tenant as the HTTP API shows it; `Null` while the host has no handler, for example after a kill.
    pub(crate) async fn tenant(&self, name: &str) -> Value {
        let answer = self.client.get(format!("{}/api/tenants/{name}", self.base)).send().await.unwrap();
        answer.json().await.unwrap_or_default()
    }

    pub(crate) async fn history(&self, name: &str) -> Value {
        self.get(format!("{}/api/tenants/{name}?view=history", self.base)).await
    }

    pub(crate) async fn sim(&self, what: &str) -> Value {
        self.get(format!("{}/_sim/{what}", self.cloud)).await
    }

    pub(crate) async fn until_status(&self, name: &str, status: &str) {
        until(&format!("{name} to be {status}"), async || {
            if let Some(why) = self.host.gave_up() {
                panic!("the handler was given up: {why}\n{}", log(self.folder.path()));
            }
            let tenant = self.tenant(name).await;
            if text(&tenant, "/status") == status { Ok(()) } else { Err(tenant) }
        })
        .await;
    }

    /// Waits until an event of this type is published for the tenant. Returns all events of the tenant.
    pub(crate) async fn until_published(&self, name: &str, kind: &str) -> Vec<Value> {
        until(&format!("{kind} of {name} to be published"), async || {
            let events = self.sim(&format!("events?tenant={name}")).await;
            let is_published = list(&events).iter().any(|event| text(event, "/type").contains(kind));
            if is_published { Ok(list(&events).to_vec()) } else { Err(events) }
        })
        .await
    }

    pub(crate) async fn chaos(&self, rate: Value) {
        let posted = self.client.post(format!("{}/_sim/chaos", self.cloud)).json(&rate).send().await.unwrap();
        assert!(posted.status().is_success());
    }

    pub(crate) async fn fault(&self, fault: Value) {
        let posted =
            self.client.post(format!("{}/_sim/faults", self.cloud)).json(&fault).send().await.unwrap();
        assert!(posted.status().is_success());
    }

    pub(crate) fn table_error(&self) -> u64 {
        self.fault_proxy.spoilt()
    }

    /// The lines of the journal with this status whose path contains `path`.
    pub(crate) async fn journalled(&self, status: u64, path: &str) -> Vec<Value> {
        let journal = self.sim("journal").await;
        let lines = list(&journal).iter();
        lines.filter(|line| line["status"] == status && text(line, "/path").contains(path)).cloned().collect()
    }

    /// The secret that the simulated identity endpoint requires; the program gets it as a setting.
    pub(crate) fn identity_header(&self) -> &str {
        &self.identity_header
    }

    /// The URL to which the host posts invocations.
    pub(crate) fn handler_url(&self) -> Url {
        self.host.handler_url().unwrap().parse().unwrap()
    }

    /// Sends SIGTERM to the handler, as the platform does before it removes an instance, and waits until the process
    /// has ended. Returns how long that took. The host then starts another handler.
    pub(crate) async fn terminate(&self) -> Duration {
        let process = std::fs::read_to_string(self.folder.path().join("processes")).unwrap();
        let process = process.lines().last().unwrap().to_owned();
        let handler = self.handler_url();
        let sweep = || {
            self.client.post(handler.join("sweep").unwrap()).body(r#"{"Data":{"timer":{}},"Metadata":{}}"#)
        };
        assert!(sweep().send().await.unwrap().status().is_success(), "it accepts calls before the signal");
        let at = SystemClock.now();
        assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
        let exe = format!("/proc/{process}/exe");
        until("the handler to end", async || std::fs::read_link(&exe).map_or(Ok(()), |exe| Err(json!(exe))))
            .await;
        Duration::try_from(SystemClock.now().duration_since(at)).unwrap()
    }

    /// Waits until the handler is ready, and returns how many handlers the host has started.
    pub(crate) async fn handler_life(&self) -> u64 {
        until("the handler to be ready", async || self.host.handler_life().ok_or(Value::Null)).await
    }

    /// The number of tenants, and for each leased tenant the process that holds the lease.
    pub(crate) async fn held(&self) -> (usize, Vec<String>) {
        let (tenants, _) = Listed::sorted_out(self.store.list(None, 1000).await.unwrap());
        let holders = tenants.iter().filter_map(|tenant| Some(tenant.lease()?.holder.clone()));
        let process = |holder: String| holder.split('/').next().unwrap_or_default().to_owned();
        (tenants.len(), holders.map(process).collect())
    }

    /// Sends a request over HTTP, which must be accepted.
    pub(crate) async fn post(&self, request: &Value) {
        let posted =
            self.client.post(format!("{}/api/tenants", self.base)).json(request).send().await.unwrap();
        assert_eq!(posted.status().as_u16(), 202, "{}", posted.text().await.unwrap());
    }

    /// Everything that is logged, stored or published about a tenant, with the name of each output.
    pub(crate) async fn sinks(&self, name: &str) -> Vec<(&'static str, String)> {
        let document = self.store.load(&name.parse().unwrap()).await.unwrap().unwrap().value;
        vec![
            ("the log", log(self.folder.path())),
            ("the document", serde_json::to_string(&document).unwrap()),
            ("the history", self.history(name).await.to_string()),
            ("the view", self.tenant(name).await.to_string()),
            ("the events", self.sim("events").await.to_string()),
            ("the topic", self.sim("topics/tenant-events").await.to_string()),
        ]
    }
}

/// Serves a router on a free port. Returns its URL.
pub(crate) async fn serve(router: axum::Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

pub(crate) fn environment(
    cloud: &str,
    identity_header: &str,
    tables: &Url,
    prefix: &str,
    log: Option<&str>,
) -> BTreeMap<String, String> {
    let settings = [
        ("TENANTRY_ENVIRONMENT", "azure"),
        ("TENANTRY_DEPLOYMENT", "local"),
        ("TENANTRY_LOG", log.unwrap_or("info,azure_identity=warn")),
        ("TENANTRY_IDENTITY", "managed"),
        ("TENANTRY_REMOVER_CLIENT_ID", REMOVER),
        ("TENANTRY_ARM", cloud),
        ("TENANTRY_GRAPH", cloud),
        ("TENANTRY_EVENT_GRID", cloud),
        ("TENANTRY_SERVICE_BUS", cloud),
        ("TENANTRY_EVENTS_TOPIC", "tenant-events"),
        ("TENANTRY_TABLES", tables.as_str()),
        ("TENANTRY_TABLE_PREFIX", prefix),
        ("TENANTRY_REQUEST_TIMEOUT", "2"),
        ("TENANTRY_INLINE_WAIT", "1"),
        ("IDENTITY_ENDPOINT", &format!("{cloud}{}", Cloud::IDENTITY_PATH)),
        ("IDENTITY_HEADER", identity_header),
        ("TENANTRY_PROBE_CLIENT_ID", PROBE_CLIENT_ID),
        ("TENANTRY_LOGIN", cloud),
        ("TENANTRY_INFERENCE", cloud),
        ("TENANTRY_STAMPS", &json!([local_stamp()]).to_string()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The values of `local.settings.sample.json` with the ports of this deployment and the secret of the identity
/// endpoint, which `tenantry cloud` prints. The file with the stamps is where that command writes it.
fn sample(cloud: &str, identity_header: &str, folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(repository().join("local.settings.sample.json")).unwrap();
    let tables = azurite();
    let text = text.replace("http://127.0.0.1:7073", cloud);
    let text = text.replace("http://127.0.0.1:10002", tables.as_str().trim_end_matches('/'));
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut values: BTreeMap<String, String> = serde_json::from_value(file["Values"].clone()).unwrap();
    values.insert("IDENTITY_HEADER".to_owned(), identity_header.to_owned());
    std::fs::create_dir(folder.join(".tenantry")).unwrap();
    std::fs::write(folder.join(&values["TENANTRY_STAMPS"]), json!([local_stamp()]).to_string()).unwrap();
    values
}

/// Writes a script that starts the program with both outputs appended to a log file. If `processes` is given, the
/// script appends its process id to that file.
pub(crate) fn logged(folder: &Path, processes: Option<&Path>) -> PathBuf {
    let name = processes.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let script = folder.join(format!("tenantry{name}.sh"));
    let mut text = "#!/bin/sh\n".to_owned();
    if let Some(processes) = processes {
        writeln!(text, "echo $$ >> '{}'", processes.display()).unwrap();
    }
    let (program, log) = (env!("CARGO_BIN_EXE_tenantry"), folder.join("log"));
    writeln!(text, "exec '{program}' \"$@\" >> '{}' 2>&1", log.display()).unwrap();
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

pub(crate) fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
