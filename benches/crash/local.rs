//! `tenantry local`: state, queue, simulated Azure and host, all in the process that is killed.

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
};

use crate::{
    Wanted,
    blows::{Blow, Kind, World},
    dice::Dice,
    lives::{Front, Lives},
    process::{PROGRAM, ended_within, now, pass, signal},
    testkit::folder,
    verdict::{self, Finding, Harm},
};

pub(crate) struct Local {
    folder: TempDir,
    front: Arc<Front>,
    child: Child,
    findings: Vec<Finding>,
}

impl Local {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let front = Arc::new(Front::new(None));
        let child = start(&folder, &front);
        Self { folder, front, child, findings: Vec::new() }
    }

    fn look_whether_it_ended(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let what = format!("it ended by itself ({status}): {log}");
            self.findings.push(Finding::new(Harm::LeftBehind, what));
        }
    }
}

/// Starts the program on a port that it chooses itself, with its log in a file; where it is, it prints first.
fn start(folder: &TempDir, front: &Arc<Front>) -> Child {
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
    front.is_gone();
    let printed = BufReader::new(child.stdout.take().unwrap());
    tokio::spawn(read_on(printed, Arc::clone(front)));
    child
}

/// Learns the address, and goes on reading: a pipe that nobody reads would hold the program up.
async fn read_on(printed: BufReader<ChildStdout>, front: Arc<Front>) {
    let mut lines = printed.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, rest)) = line.split_once("tenantry is at ") {
            let base = rest.split(',').next().unwrap_or_default();
            front.is_at(base, base);
        }
    }
}

impl World for Local {
    fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front)
    }

    /// Nothing but kills: there is nobody who could go on meanwhile.
    fn kinds(wanted: Wanted) -> Vec<Kind> {
        vec![Kind::Kill; wanted.kills]
    }

    async fn strike(&mut self, _: Kind, dice: &mut Dice, lives: &Lives) -> Blow {
        // Half of them come while the last one is still being recovered from.
        let span = if dice.below(2) == 0 { dice.millis(5, 250) } else { dice.millis(250, 1500) };
        pass(span).await;
        while lives.under_way().is_empty() && lives.complaint().is_none() {
            pass(Duration::from_millis(1)).await;
        }
        self.look_whether_it_ended();
        let blow = Blow { at: now(), kind: Kind::Kill, under_way: lives.under_way(), told: None };
        self.child.kill().await.unwrap();
        self.child = start(&self.folder, &self.front);
        blow
    }

    async fn audit(mut self, _: &Lives) -> Vec<Finding> {
        self.look_whether_it_ended();
        let mut findings = std::mem::take(&mut self.findings);
        let process = self.child.id().unwrap_or_default();
        signal("TERM", process);
        // Whoever is not waited for stays as a zombie, which is no running process.
        if ended_within(process, Duration::from_secs(5)).await.is_none() {
            findings.push(Finding::new(Harm::LeftBehind, "told to end, it was still there after 5 s"));
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
