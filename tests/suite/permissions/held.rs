//! The program compares the permissions that are granted to it with those that it needs: with `permissions --held`,
//! and when serving starts.

use std::{collections::BTreeMap, process::Stdio, sync::Arc};

use azure_sim::{Cloud, CloudSettings, PROBE_CLIENT_ID, access::Access, local_stamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    local::access,
    ports::{Clock as _, SystemClock},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    permissions::{Permissions, derive},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::Command,
    task::JoinHandle,
};

use super::life::CLIENT;
use crate::testkit::{TIMEOUT, folder};

fn permissions() -> Permissions {
    derive(&[Blueprint::check(DEFAULT).unwrap().blueprint], &[local_stamp()], &[]).unwrap()
}

/// A simulated Azure that enforces permissions, and the settings with which the program uses it.
struct StrictCloud {
    environment: BTreeMap<String, String>,
    server: JoinHandle<()>,
    folder: TempDir,
}

impl Drop for StrictCloud {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl StrictCloud {
    async fn new(access: Access, remover: bool) -> Self {
        let folder = folder();
        let settings = CloudSettings::new(folder.path().join("azure.redb"), Arc::new(|| SystemClock.now()));
        let cloud = Cloud::open(settings.strict(true).access(access)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stamps = folder.path().join("stamps.json");
        std::fs::write(&stamps, json!([local_stamp()]).to_string()).unwrap();
        let mut environment: BTreeMap<String, String> = [
            ("TENANTRY_ENVIRONMENT", "azure".to_owned()),
            ("TENANTRY_DEPLOYMENT", "local".to_owned()),
            ("TENANTRY_ARM", url.clone()),
            ("TENANTRY_GRAPH", url.clone()),
            ("TENANTRY_EVENT_GRID", url.clone()),
            ("TENANTRY_SERVICE_BUS", url.clone()),
            ("TENANTRY_TABLES", "http://127.0.0.1:9/devstoreaccount1".to_owned()),
            ("TENANTRY_IDENTITY", "managed".to_owned()),
            ("IDENTITY_ENDPOINT", format!("{url}{}", Cloud::IDENTITY_PATH)),
            ("IDENTITY_HEADER", cloud.identity_header().to_owned()),
            ("TENANTRY_PROBE_CLIENT_ID", PROBE_CLIENT_ID.to_owned()),
            ("TENANTRY_STAMPS", stamps.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if remover {
            environment.insert("TENANTRY_REMOVER_CLIENT_ID".to_owned(), CLIENT.to_owned());
        }
        let server = tokio::spawn(async move { cloud.serve(listener).await.unwrap() });
        Self { environment, server, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs `permissions --held`. Returns the exit code and the output.
    async fn held(&self) -> (Option<i32>, String) {
        let ended = self.command(&["permissions", "--held"]).output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8(said).unwrap())
    }
}

#[tokio::test]
async fn the_derived_permissions_are_neither_too_few_nor_too_many() {
    for remover in [None, Some(CLIENT)] {
        let access = access::granted(&permissions(), &[local_stamp()], remover).unwrap();
        let cloud = StrictCloud::new(access, remover.is_some()).await;
        let (code, said) = cloud.held().await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            said.matches("nothing is missing").count(),
            if remover.is_some() { 3 } else { 2 },
            "{said}"
        );
        assert!(!said.contains("not needed"), "{said}");
    }
}

#[tokio::test]
async fn missing_and_unneeded_permissions_are_named() {
    let action = "Microsoft.Network/virtualNetworks/subnets/join/action";
    let mut other = permissions();
    other.provisioner.actions.remove(action);
    for more in
        ["Microsoft.Compute/virtualMachines/write", "Microsoft.Storage/storageAccounts/listKeys/action"]
    {
        other.provisioner.actions.insert(more.to_owned(), [].into());
    }
    let mut access = access::granted(&other, &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[0].graph = ["Directory.Read.All".to_owned()].into();
    let cloud = StrictCloud::new(access, true).await;
    let (code, said) = cloud.held().await;
    assert_eq!(code, Some(1), "{said}");
    for line in [
        format!("  missing     {action}"),
        "  missing     Application.ReadWrite.OwnedBy".to_owned(),
        "  not needed  Directory.Read.All".to_owned(),
        "  not needed  Microsoft.Compute/virtualMachines/write".to_owned(),
        "  not needed  Microsoft.Storage/storageAccounts/listKeys/action is never granted: it reads keys"
            .to_owned(),
    ] {
        assert!(said.lines().any(|other| other == line), "{line} is missing in\n{said}");
    }
    assert!(
        said.contains("remover at /subscriptions/00000000-0000-0000-0000-00000000a001: nothing is missing"),
        "{said}"
    );
}

#[tokio::test]
async fn without_the_permission_to_list_permissions_the_result_is_unknown_and_names_the_action() {
    let mut less = permissions();
    less.provisioner.actions.remove("Microsoft.Authorization/permissions/read");
    less.remover.actions.remove("Microsoft.Authorization/permissions/read");
    let cloud = StrictCloud::new(access::granted(&less, &[local_stamp()], None).unwrap(), false).await;
    let (code, said) = cloud.held().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("'Microsoft.Authorization/permissions/read'"), "{said}");
}

/// The handler logs missing permissions and serves all the same: it answers the host, so that no message is
/// dead-lettered.
#[tokio::test]
async fn serving_starts_and_logs_missing_permissions() {
    let action = "Microsoft.Storage/storageAccounts/write";
    let mut less = permissions();
    less.provisioner.actions.remove(action);
    less.provisioner.actions.insert("Microsoft.Compute/disks/write".to_owned(), [].into());
    let cloud = StrictCloud::new(access::granted(&less, &[local_stamp()], None).unwrap(), false).await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut command = cloud.command(&["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).stdout(Stdio::piped());
    let mut serving = command.spawn().unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let mut expected = vec![("ERROR", action), ("WARN", "Microsoft.Compute/disks/write")];
    let reading = async {
        while !expected.is_empty() {
            let line = lines.next_line().await.unwrap().unwrap();
            let record: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let text = record.to_string();
            expected.retain(|(level, action)| !(text.contains(action) && text.contains(level)));
        }
    };
    tokio::time::timeout(TIMEOUT, reading).await.unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok(), "it serves");
    serving.kill().await.unwrap();
}
