//! How `tenantry local` ends, and that one process at a time uses a folder.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use redb::{Database, TableDefinition};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

use super::program::{pass, run, tenantry};
use crate::testkit::{TIMEOUT, folder, repository, until};

/// Sends a signal to a child.
async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
    assert!(sent.success());
}

/// Starts `tenantry local`; returns the process and its address once it serves.
async fn serving(folder: &Path, arguments: &[&str]) -> (Child, String) {
    let arguments = [&["local", "--data", "data", "--port", "0", "--speed", "max"], arguments].concat();
    let mut child = tenantry(folder, &arguments).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let base = first.split([' ', ',']).find(|part| part.starts_with("http://")).unwrap().to_owned();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, base)
}

/// Makes the simulated Azure hold back all answers, and signs up a tenant whose reconcile pass waits for them.
async fn hold_back(base: &str) {
    let client = crate::testkit::client();
    let chaos = r#"{"percent": 100, "kinds": ["timeout"], "stallMs": 600000}"#;
    assert!(
        client.post(format!("{base}/_sim/chaos")).body(chaos).send().await.unwrap().status().is_success()
    );
    let signup = std::fs::read(repository().join("examples/signups/contoso.json")).unwrap();
    let call = client.post(format!("{base}/api/tenants")).header("content-type", "application/json");
    // After a restart with the same state the request is a repeat, which is answered with 200.
    assert!(matches!(call.body(signup).send().await.unwrap().status().as_u16(), 200 | 202));
    until("it is being made", async || {
        let tenant = client.get(format!("{base}/api/tenants/contoso")).send().await.unwrap();
        let tenant: serde_json::Value = serde_json::from_str(&tenant.text().await.unwrap()).unwrap();
        if tenant["status"] == "provisioning" { Ok(()) } else { Err(tenant) }
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "how long a real process takes to end is what is tried")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn a_first_signal_ends_it_within_five_seconds_and_a_second_one_at_once() {
    let folder = folder();
    let (mut child, base) = serving(folder.path(), &[]).await;
    hold_back(&base).await;
    let begun = now();
    signal(&child, "INT").await;
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(5500), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(0), "serving was all that was asked for");

    let (mut child, base) = serving(folder.path(), &[]).await;
    hold_back(&base).await;
    signal(&child, "TERM").await;
    pass(Duration::from_millis(500)).await;
    assert_eq!(child.try_wait().unwrap(), None, "it waits for what is under way");
    let begun = now();
    signal(&child, "INT").await;
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(0), "serving was all that was asked for");
}

/// The answer to a message that can't be processed is delayed, longer with each delivery. A shutdown does not wait for
/// it.
#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_delayed_answer() {
    let folder = folder();
    let arguments = ["local", "--data", "data", "--port", "0", "--speed", "max"];
    let begun = run(tenantry(folder.path(), &[&arguments[..], &["--exit-when-idle"]].concat())).await;
    assert_eq!(begun.code, Some(0), "{begun:?}");
    {
        let tenants: TableDefinition<'_, &str, (u64, &str)> = TableDefinition::new("tenants");
        let database = Database::create(folder.path().join("data/state.redb")).unwrap();
        let change = database.begin_write().unwrap();
        change.open_table(tenants).unwrap().insert("contoso", (1, "nonsense")).unwrap();
        change.commit().unwrap();
    }
    let mut command = tenantry(folder.path(), &arguments);
    command.arg(repository().join("examples/signups/contoso.json")).env("TENANTRY_LOG", "tenantry=debug");
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The line is logged three times in the five seconds of the first delivery, and again when the ten seconds of the
    // second one begin.
    for _ in 0..4 {
        loop {
            let line = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
            if line.contains("not saved yet") {
                break;
            }
        }
    }
    let rest = tokio::spawn(async move {
        let mut rest = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            rest += &line;
        }
        rest
    });
    let begun = now();
    signal(&child, "INT").await;
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(5500), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(130), "what was asked for is not done");
    let rest = rest.await.unwrap();
    assert!(rest.contains("did not end in time"), "it was not kept back: {rest}");
}

#[tokio::test]
async fn of_two_first_starts_in_a_new_folder_one_serves_and_the_other_names_the_holder() {
    for round in 0..8 {
        let folder = folder();
        let arguments = ["local", "--data", "data", "--port", "0", "--speed", "max"];
        let mut children: Vec<Child> =
            (0..2).map(|_| tenantry(folder.path(), &arguments).spawn().unwrap()).collect();
        let (first, second) = children.split_at_mut(1);
        let loser = tokio::select! {
            ended = tokio::time::timeout(TIMEOUT, first[0].wait()) => (0, ended.unwrap().unwrap()),
            ended = tokio::time::timeout(TIMEOUT, second[0].wait()) => (1, ended.unwrap().unwrap()),
        };
        assert_eq!(loser.1.code(), Some(2), "round {round}");
        let mut printed = String::new();
        children[loser.0].stderr.take().unwrap().read_to_string(&mut printed).await.unwrap();
        let winner = &mut children[1 - loser.0];
        let held = printed.contains("held by process") || printed.contains("held by another process");
        assert!(held && printed.contains("data"), "round {round}: {printed}");
        let mut lines = BufReader::new(winner.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
        assert!(line.is_some_and(|line| line.contains("tenantry is at")), "round {round}: neither serves");
    }
}

/// A limit on file sizes has the effect of a full disk.
#[tokio::test]
async fn on_a_full_disk_requests_are_refused_without_a_busy_loop_and_a_signal_ends_it() {
    let folder = folder();
    let program = env!("CARGO_BIN_EXE_tenantry");
    let script =
        format!("trap '' XFSZ; ulimit -f 12000; exec {program} local --data data --port 0 --speed max");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let base = first.split([' ', ',']).find(|part| part.starts_with("http://")).unwrap().to_owned();
    let client = crate::testkit::client();
    // Rejected bodies are kept, so large ones fill the state file.
    let mut statuses = Vec::new();
    for number in 0..400 {
        let body = format!("{{\"number\": {number}, \"filler\": \"{}\"}}", "x".repeat(60_000));
        let answer = client.post(format!("{base}/api/tenants")).body(body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        if statuses.ends_with(&[503, 503, 503]) {
            break;
        }
    }
    assert!(statuses.ends_with(&[503, 503, 503]), "{statuses:?}");
    let used = cpu(&child);
    pass(Duration::from_secs(4)).await;
    assert!(cpu(&child) - used < 200, "a loop: {} ticks in four seconds", cpu(&child) - used);
    let begun = now();
    signal(&child, "INT").await;
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(5500), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(0), "serving was all that was asked for");
    let mut printed = String::new();
    child.stderr.take().unwrap().read_to_string(&mut printed).await.unwrap();
    assert!(printed.contains("make room"), "{printed}");
    assert!(printed.len() < 64 << 10, "{} bytes of log", printed.len());
}

/// The processor time of a process, in hundredths of a second.
fn cpu(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id().unwrap())).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test]
async fn a_state_that_does_not_fit_is_refused_with_the_option_to_adopt_it() {
    let folder = folder();
    let signup = repository().join("examples/signups/tailspin.json");
    let arguments = ["local", "--data", "data", "--port", "0", "--speed", "max"];
    let mut first = tenantry(folder.path(), &arguments);
    assert_eq!(
        run({
            first.arg(&signup);
            first
        })
        .await
        .code,
        Some(0)
    );
    let data = folder.path().join("data");
    std::fs::copy(data.join("state.redb"), folder.path().join("old.redb")).unwrap();
    let removal = folder.path().join("removal.json");
    std::fs::write(&removal, crate::testkit::removal("removal", "tailspin").to_string()).unwrap();
    let mut second = tenantry(folder.path(), &arguments);
    assert_eq!(
        run({
            second.arg(&removal);
            second
        })
        .await
        .code,
        Some(0)
    );

    // The old copy is restored: the tenant that it shows as active has been removed since.
    std::fs::copy(folder.path().join("old.redb"), data.join("state.redb")).unwrap();
    let idle = [&arguments[..], &["--exit-when-idle"]].concat();
    let refused = run(tenantry(folder.path(), &idle)).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("older copy") && refused.err.contains("--adopt-state"), "{refused:?}");
    let adopted = run(tenantry(folder.path(), &[&idle[..], &["--adopt-state"]].concat())).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let (mut child, base) = serving(folder.path(), &[]).await;
    let tenant =
        crate::testkit::get(format!("{base}/api/tenants/tailspin")).await.unwrap().text().await.unwrap();
    assert!(tenant.contains("\"status\":\"deleted\""), "{tenant}");
    child.kill().await.unwrap();
    child.wait().await.unwrap();

    // The state is lost, but the simulated Azure has a tenant's objects.
    let mut again = tenantry(folder.path(), &arguments);
    let body = std::fs::read_to_string(&signup).unwrap().replace("signup-tailspin", "signup-again");
    std::fs::write(folder.path().join("again.json"), body).unwrap();
    assert_eq!(
        run({
            again.arg("again.json");
            again
        })
        .await
        .code,
        Some(0)
    );
    std::fs::remove_file(data.join("state.redb")).unwrap();
    let refused = run(tenantry(folder.path(), &idle)).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("the state file is new or missing") && refused.err.contains("--adopt-state"),
        "{refused:?}"
    );
    let adopted = run(tenantry(folder.path(), &[&idle[..], &["--adopt-state"]].concat())).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(adopted.err.contains("tailspin"), "it names the tenant whose objects are unknown: {adopted:?}");
}
