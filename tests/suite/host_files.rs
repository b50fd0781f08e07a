//! `host.json`, the `function.json` files and the table of functions agree, and their values are safe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use azure_sim::{
    TOPIC, local_stamp,
    queue::{BrokerSettings, DEAD_LETTER_SUFFIX},
};
use serde_json::Value;
use tenantry::{
    config::{Config, Identity, SETTINGS, WakeUps},
    host::{
        functions::{Function, FunctionTrigger},
        late,
    },
    local::host::{AppFiles, TriggerKind},
};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The queues that functions are triggered by, and whether they have sessions; dead-letter queues are left out.
fn triggering_queues() -> BTreeMap<String, bool> {
    let app = AppFiles::embedded().unwrap();
    let triggers = app.functions.iter().map(tenantry::local::host::FunctionFile::trigger);
    let queues =
        triggers.filter_map(|trigger| Some((trigger.queue_name.clone()?, trigger.is_sessions_enabled)));
    queues.filter(|(name, _)| !name.ends_with(DEAD_LETTER_SUFFIX)).collect()
}

#[test]
fn function_files_host_file_and_table_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let app = AppFiles::embedded().unwrap();
    assert_eq!(app, AppFiles::read(root).unwrap(), "a function folder is not compiled in");
    let mut named: Vec<&str> = Function::ALL.into_iter().map(Function::name).collect();
    named.sort_unstable();
    assert_eq!(named, app.functions.iter().map(|f| f.name.as_str()).collect::<Vec<_>>());
    for function in Function::ALL {
        let file = app.function(function.name()).unwrap();
        let trigger = file.trigger();
        assert_eq!((trigger.name.as_str(), trigger.direction.as_str()), (function.kind().binding(), "in"));
        match function.kind() {
            FunctionTrigger::QueueMessage { .. } => {
                assert_eq!(file.kind(), Some(TriggerKind::ServiceBus));
                assert!(trigger.is_binary(), "{}: text leaks into the metadata", function.name());
                assert_eq!(
                    trigger.is_sessions_enabled,
                    trigger.queue_name.as_deref() == Some("tenant-requests")
                );
            }
            FunctionTrigger::Timer { .. } => assert_eq!(file.kind(), Some(TriggerKind::Timer)),
            FunctionTrigger::Http { output, .. } => {
                assert_eq!(file.kind(), Some(TriggerKind::Http));
                let out = file.bindings.iter().find(|b| b.kind == "http" && b.direction == "out").unwrap();
                assert_eq!(out.name, output);
            }
        }
        let text = fs::read_to_string(root.join(function.name()).join("function.json")).unwrap();
        assert!(!text.contains("\"retry\":"), "{}", function.name());
    }
    assert_eq!(app.host.function_timeout, Some(Duration::from_secs(600)));
    assert!(app.host.max_lock_renewal >= app.host.function_timeout.unwrap());
    let text = fs::read_to_string(root.join("host.json")).unwrap();
    let host: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(host["extensions"]["serviceBus"]["autoCompleteMessages"], true);
    assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], false);
    assert_eq!(
        host["logging"]["logLevel"]["Azure"], "Warning",
        "otherwise Azure.Core logs each storage call"
    );
    // A delayed answer must come before the `functionTimeout`, at which the host kills the handler.
    let queues = Function::ALL
        .into_iter()
        .filter(|function| matches!(function.kind(), FunctionTrigger::QueueMessage { .. }));
    for function in queues {
        let longest = late::longest_delay(function, Some(u32::MAX));
        assert!(longest * 2 < app.host.function_timeout.unwrap(), "{}: {longest:?}", function.name());
    }
    let broker = BrokerSettings::default();
    let least = broker.queues["tenant-requests"].max_delivery_count;
    let outlived: Duration =
        (1..least).map(|count| late::longest_delay(Function::Requests, Some(count))).sum();
    assert!(
        outlived > Duration::from_secs(900),
        "an outage of a quarter of an hour sends messages to the dead letters"
    );
    assert!(
        !text.contains("\"retry\":"),
        "the host's retry policy would repeat calls that the broker does not count"
    );
}

#[test]
fn the_queues_of_the_emulator_are_those_that_trigger_functions() {
    let file = json("infra/emulators/servicebus.json");
    let namespace = &file["UserConfig"]["Namespaces"][0];
    assert_eq!(namespace["Name"], "sbemulatorns", "the emulator takes no other name");
    let queues = namespace["Queues"].as_array().unwrap();
    let sessions: BTreeMap<String, bool> = queues
        .iter()
        .map(|queue| {
            let name = queue["Name"].as_str().unwrap().to_owned();
            (name, queue["Properties"]["RequiresSession"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(sessions, triggering_queues());
    let broker = BrokerSettings::default();
    for queue in queues {
        let own = &broker.queues[queue["Name"].as_str().unwrap()];
        let properties = &queue["Properties"];
        assert_eq!(properties["RequiresSession"], own.sessions);
        assert_eq!(properties["RequiresDuplicateDetection"], own.duplicate_window.is_some());
        assert_eq!(properties["MaxDeliveryCount"], own.max_delivery_count);
        assert_eq!((&properties["LockDuration"], own.lock), (&Value::from("PT1M"), Duration::from_secs(60)));
    }
    assert_eq!(broker.queues.len(), queues.len());
    assert_eq!(namespace["Topics"][0]["Name"], TOPIC);
    assert!(!namespace["Topics"][0]["Subscriptions"].as_array().unwrap().is_empty(), "its schema wants one");
    assert!(read("docker-compose.yaml").contains("./infra/emulators/servicebus.json:"));
}

/// `docker-compose.yaml` has the same version of Azurite as the tests.
#[test]
fn docker_compose_has_the_tested_version_of_azurite() {
    let source = read("xtask/src/azurite.rs");
    let version = source.lines().find_map(|line| line.strip_prefix("const VERSION: &str = \"")).unwrap();
    let version = version.trim_end_matches("\";");
    assert!(read("docker-compose.yaml").contains(&format!("azurite:{version}\n")), "{version}");
}

/// The values of `local.settings.sample.json`, with this file as `TENANTRY_STAMPS`.
fn sample(stamps: &Path) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> =
        serde_json::from_value(json("local.settings.sample.json")["Values"].clone()).unwrap();
    let of_cloud = values.insert("TENANTRY_STAMPS".to_owned(), stamps.display().to_string());
    assert_eq!(of_cloud.as_deref(), Some(".tenantry/stamps.json"), "`tenantry cloud` writes it there");
    values
}

#[test]
fn the_sample_of_local_settings_is_enough_for_host_and_program() {
    let folder = tempfile::tempdir().unwrap();
    let stamps = folder.path().join("stamps.json");
    fs::write(&stamps, Value::from(vec![local_stamp()]).to_string()).unwrap();
    let values = sample(&stamps);
    let config = Config::read(|name| values.get(name).cloned()).unwrap();
    let azure = config.azure.unwrap();
    assert_eq!(azure.identity, Identity::Managed { client_id: None });
    assert_eq!(azure.wake_ups, WakeUps::Sweep, "the emulator does not accept messages over HTTP");
    assert_eq!(azure.events_topic.as_deref(), Some(TOPIC));
    // What the host reads: its storage, the kind of worker, and a connection for each trigger that names one.
    assert_eq!((values["FUNCTIONS_WORKER_RUNTIME"].as_str()), "custom");
    let mut of_host: BTreeSet<String> =
        ["FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"].map(str::to_owned).into();
    for function in Function::ALL {
        let file = json(&format!("{}/function.json", function.name()));
        let bindings = file["bindings"].as_array().unwrap().iter();
        of_host.extend(bindings.filter_map(|binding| Some(binding["connection"].as_str()?.to_owned())));
    }
    for name in &of_host {
        assert!(values.contains_key(name), "the host needs {name}");
    }
    assert!(values["ServiceBus"].contains("UseDevelopmentEmulator=true"));
    let known: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    for name in values.keys().filter(|name| !of_host.contains(*name)) {
        assert!(known.contains(name.as_str()), "nothing reads {name}");
    }
}
