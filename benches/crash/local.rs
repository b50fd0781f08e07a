//! The environment `local`: `tenantry local`, which has state, queue, simulated Azure and host in the process that is
//! killed.

use std::{
    fs::{File, OpenOptions},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use azure_sim::{
    db::Db,
    queue::{BrokerSettings, Queue},
};
use jiff::Timestamp;
use tempfile::TempDir;
use tenantry::{local::state::LocalState, ports::StateStore as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use crate::{
    Options,
    disruptions::{Disruption, Environment, Kind},
    process::{PROGRAM, ended_within, now, signal, wait},
    rng::TrialRng,
    testkit::folder,
    verdict::{self, Finding, Harm},
    workload::{Front, Workload},
};

pub(crate) struct Local {
    folder: TempDir,
    front: Arc<Front>,
    child: Child,
    /// Reads what the process prints.
    reader: JoinHandle<()>,
    findings: Vec<Finding>,
}

impl Local {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let front = Arc::new(Front::new(None));
        let (child, reader) = start(&folder, &front);
        Self { folder, front, child, reader, findings: Vec::new() }
    }

    fn check_still_running(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let what = format!("it ended by itself ({status}): {log}");
            self.findings.push(Finding::new(Harm::LeftBehind, what));
        }
    }
}

/// Starts the program on a port that it chooses itself, with its log in a file, and a task that reads the address that
/// it prints.
fn start(folder: &TempDir, front: &Arc<Front>) -> (Child, JoinHandle<()>) {
    let log: File = OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["local", "--data", "data", "--speed", "400", "--port", "0"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    front.clear_address();
    let printed = BufReader::new(child.stdout.take().unwrap());
    let reader = tokio::spawn(read_address(printed, Arc::clone(front)));
    (child, reader)
}

/// Reads the address that the program prints, and continues reading, because a full pipe would block the program.
async fn read_address(printed: BufReader<ChildStdout>, front: Arc<Front>) {
    let mut lines = printed.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, rest)) = line.split_once("tenantry is at ") {
            let base = rest.split(',').next().unwrap_or_default();
            front.set_address(base, base);
        }
    }
}

impl Environment for Local {
    fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front)
    }

    /// Only kills. Without a second process that works meanwhile, a pause would show nothing.
    fn kinds(options: Options) -> Vec<Kind> {
        vec![Kind::Kill; options.kills]
    }

    async fn disrupt(&mut self, _: Kind, rng: &mut TrialRng, workload: &Workload) -> Disruption {
        // Half of the disruptions come while the recovery from the last one is still running.
        let span = if rng.below(2) == 0 { rng.millis(5, 250) } else { rng.millis(250, 1500) };
        wait(span).await;
        while workload.under_way().is_empty() && workload.failure().is_none() {
            wait(Duration::from_millis(1)).await;
        }
        self.check_still_running();
        let disruption =
            Disruption { at: now(), kind: Kind::Kill, under_way: workload.under_way(), remark: None };
        self.child.kill().await.unwrap();
        // The reader ends with the process. It must not set the old address after the new process was started.
        (&mut self.reader).await.unwrap();
        (self.child, self.reader) = start(&self.folder, &self.front);
        disruption
    }

    async fn audit(mut self, _: &Workload) -> Vec<Finding> {
        self.check_still_running();
        let mut findings = std::mem::take(&mut self.findings);
        let process = self.child.id().unwrap_or_default();
        signal("TERM", process);
        // A process that is not waited for stays as a zombie, which is not a running process.
        if ended_within(process, Duration::from_secs(5)).await.is_none() {
            findings.push(Finding::new(Harm::LeftBehind, "still running 5 s after SIGTERM"));
        }
        self.child.kill().await.unwrap();
        let db = Db::open(&self.folder.path().join("data/state.redb")).unwrap();
        let queue = Queue::open(db.clone(), BrokerSettings::default()).unwrap();
        findings.extend(verdict::dead_letters(&queue));
        let due = LocalState::open(db).await.unwrap().due(Timestamp::MAX, 100).await.unwrap();
        if !due.is_empty() {
            findings.push(Finding::new(Harm::LeftBehind, format!("due although all is settled: {due:?}")));
        }
        findings
    }
}
