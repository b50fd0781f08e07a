//! Invalid settings are reported together, each with its name, what is wrong and an example.

use std::collections::BTreeMap;

use tenantry::config::{BadSetting, Config, Identity, WakeUps};

const STAMP: &str = r#"[{"name": "weu-01", "region": "westeurope", "resourceGroup": "rg-stamp",
    "subscriptionId": "00000000-0000-0000-0000-00000000a001", "directoryId": "00000000-0000-0000-0000-0000000d0001"}]"#;

/// The settings of a deployment in Azure.
fn azure() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("TENANTRY_ENVIRONMENT", "azure"),
        ("TENANTRY_DEPLOYMENT", "prod"),
        ("TENANTRY_IDENTITY", "managed"),
        ("TENANTRY_TABLES", "https://sttenantryprod.table.core.windows.net"),
        ("ServiceBus__fullyQualifiedNamespace", "sb-tenantry.servicebus.windows.net"),
        ("TENANTRY_EVENT_GRID", "https://topic.westeurope-1.eventgrid.azure.net"),
        ("TENANTRY_STAMPS", STAMP),
    ])
}

fn read(settings: &BTreeMap<&str, &str>) -> Result<Config, Vec<BadSetting>> {
    Config::read(|name| settings.get(name).map(|value| (*value).to_owned()))
}

/// The faults, as the program prints them.
fn faults(settings: &BTreeMap<&str, &str>) -> String {
    let faults = read(settings).unwrap_err();
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn azure_with(name: &'static str, value: &'static str) -> BTreeMap<&'static str, &'static str> {
    let mut settings = azure();
    settings.insert(name, value);
    settings
}

#[test]
fn without_settings_the_environment_is_local() {
    let config = read(&BTreeMap::new()).unwrap();
    assert_eq!((config.handler_port, config.deployment.as_str(), config.in_azure), (7072, "local", false));
    assert!(config.azure.is_none());
}

#[test]
fn the_azure_environment_needs_few_settings_and_defaults_to_the_public_cloud() {
    let config = read(&azure()).unwrap().azure.unwrap();
    assert_eq!(config.identity, Identity::Managed { client_id: None });
    assert_eq!(config.arm.as_str(), "https://management.azure.com/");
    assert_eq!(config.graph.as_str(), "https://graph.microsoft.com/");
    assert_eq!(config.service_bus.as_str(), "https://sb-tenantry.servicebus.windows.net/");
    assert_eq!((config.wake_ups, config.table_prefix.as_str()), (WakeUps::Queue, "tenantry"));
    assert_eq!(config.stamps[0]["name"], "weu-01");
}

#[test]
fn all_faults_are_reported_together() {
    let settings = BTreeMap::from([
        ("TENANTRY_ENVIRONMENT", "azure"),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "70000"),
        ("TENANTRY_IDENTITY", "workload"),
        ("TENANTRY_TABLES", "http://sttenantryprod.table.core.windows.net"),
        ("TENANTRY_ARM", "management.azure.com"),
        ("TENANTRY_WAKEUPS", "never"),
        ("TENANTRY_SPEED", "-1"),
        ("TENANTRY_BLUEPRINTS", "no/such/folder"),
        ("TENANTRY_TABLE_PREFIX", "1-2"),
        ("TENANTRY_STAMPS", r#"[{"name": "a", "subscriptionId": "x"}, {"name": "a"}]"#),
    ]);
    insta::assert_snapshot!(faults(&settings));
}

#[test]
fn an_unknown_environment_is_refused() {
    insta::assert_snapshot!(faults(&BTreeMap::from([
        ("TENANTRY_ENVIRONMENT", "gcp"),
        ("TENANTRY_DEPLOYMENT", "My App")
    ])));
}

#[test]
fn a_credential_in_an_address_is_refused_and_not_repeated() {
    for url in [
        "https://user:canary@sttenantryprod.table.core.windows.net",
        "https://sttenantryprod.table.core.windows.net/?sig=canary",
        "https://sttenantryprod.table.core.windows.net/#canary",
    ] {
        let faults = faults(&azure_with("TENANTRY_TABLES", url));
        assert!(faults.starts_with("TENANTRY_TABLES: ") && !faults.contains("canary"), "{faults}");
    }
}

#[test]
fn plain_http_is_for_this_machine_and_not_for_the_functions_platform() {
    let azurite = azure_with("TENANTRY_TABLES", "http://127.0.0.1:10002/devstoreaccount1");
    assert!(read(&azurite).is_ok());
    let mut hosted = azurite.clone();
    hosted.insert("WEBSITE_INSTANCE_ID", "0123");
    assert!(faults(&hosted).contains("which in the Functions platform has no services"));
    for elsewhere in ["http://10.0.0.4:10002/x", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/"] {
        assert!(read(&azure_with("TENANTRY_TABLES", elsewhere)).is_err(), "{elsewhere}");
    }
}

#[test]
fn the_speed_applies_only_to_a_simulated_azure() {
    let speed = |settings| read(&settings).unwrap().azure.unwrap().stand_in_speed;
    assert_eq!(speed(azure_with("TENANTRY_SPEED", "200")), None);
    let mut stand_in = azure_with("TENANTRY_GRAPH", "http://127.0.0.1:7073");
    assert_eq!(speed(stand_in.clone()), None);
    stand_in.insert("TENANTRY_SPEED", "200");
    assert_eq!(speed(stand_in).as_deref(), Some("200"));
}

#[test]
fn the_remover_is_a_second_managed_identity() {
    let remover = azure_with("TENANTRY_REMOVER_CLIENT_ID", "22222222-2222-3333-4444-555555555555");
    let client_id = Some("22222222-2222-3333-4444-555555555555".to_owned());
    assert_eq!(read(&remover).unwrap().azure.unwrap().remover, Some(Identity::Managed { client_id }));
    assert_eq!(read(&azure()).unwrap().azure.unwrap().remover, None);
    let mut same = remover.clone();
    same.insert("TENANTRY_CLIENT_ID", "22222222-2222-3333-4444-555555555555");
    assert!(
        faults(&same).contains("TENANTRY_REMOVER_CLIENT_ID: it is the identity of TENANTRY_CLIENT_ID itself")
    );
    let mut person = remover;
    person.insert("TENANTRY_IDENTITY", "developer");
    assert!(faults(&person).contains("TENANTRY_REMOVER_CLIENT_ID: only managed identities can be two"));
}

#[test]
fn a_destination_of_events_is_required() {
    let mut settings = azure();
    settings.remove("TENANTRY_EVENT_GRID");
    assert!(faults(&settings).contains("events would go nowhere"));
    settings.insert("TENANTRY_EVENTS_TOPIC", "tenant-events");
    assert!(read(&settings).is_ok());
}

#[test]
fn stamps_can_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stamps.json");
    std::fs::write(&file, STAMP).unwrap();
    let path = file.display().to_string();
    let config = Config::read(|name| match name {
        "TENANTRY_STAMPS" => Some(path.clone()),
        name => azure().get(name).map(|value| (*value).to_owned()),
    });
    assert_eq!(config.unwrap().azure.unwrap().stamps.len(), 1);
    assert!(faults(&azure_with("TENANTRY_STAMPS", "no-such-file.json")).contains("can't be read"));
}

const PROBED: &str = r#"[{"name": "weu-01", "region": "westeurope", "resourceGroup": "rg-stamp",
    "subscriptionId": "00000000-0000-0000-0000-00000000a001", "directoryId": "00000000-0000-0000-0000-0000000d0001",
    "probePrincipalId": "00000000-0000-0000-0000-0000000e0005"}]"#;
const PROBE: &str = "00000000-0000-0000-0000-0000000e0004";

#[test]
fn a_probe_is_an_identity_of_its_own_that_every_stamp_knows() {
    let mut settings = azure_with("TENANTRY_STAMPS", PROBED);
    settings.insert("TENANTRY_PROBE_CLIENT_ID", PROBE);
    settings.insert("TENANTRY_PROBE_LOCATION", "subnet snet-functions");
    let probe = read(&settings).unwrap().azure.unwrap().probe.unwrap();
    assert_eq!((probe.client_id.as_str(), probe.location.as_str()), (PROBE, "subnet snet-functions"));
    assert_eq!((probe.login.as_str(), probe.inference), ("https://login.microsoftonline.com/", None));
    assert_eq!(read(&azure()).unwrap().azure.unwrap().probe, None);
    settings.insert("TENANTRY_INFERENCE", "http://127.0.0.1:7073");
    assert!(read(&settings).unwrap().azure.unwrap().probe.unwrap().inference.is_some());
    let wrong = [
        ("TENANTRY_STAMPS", STAMP, "/0/probePrincipalId is missing"),
        ("TENANTRY_PROBE_CLIENT_ID", "", "it is missing, but TENANTRY_STAMPS has /0/probePrincipalId"),
        ("TENANTRY_PROBE_CLIENT_ID", "probe", "it is no GUID"),
        ("TENANTRY_CLIENT_ID", PROBE, "does something else too"),
        ("TENANTRY_REMOVER_CLIENT_ID", PROBE, "does something else too"),
        ("TENANTRY_IDENTITY", "developer", "only managed identities"),
        ("TENANTRY_PROBE_LOCATION", "a\u{7}b", "it is a line"),
        ("TENANTRY_INFERENCE", "https://inference.example", "no http address of this machine"),
        ("TENANTRY_INFERENCE", "http://inference.example", "it is not https"),
        ("TENANTRY_LOGIN", "http://login.example", "it is not https"),
        ("TENANTRY_LOGIN", "login", "it is not a URL"),
    ];
    for (name, value, why) in wrong {
        let mut settings = settings.clone();
        settings.insert(name, value);
        let printed = faults(&settings);
        assert!(printed.contains(why), "{name}={value}: {printed}");
    }
    let strange = PROBED.replace("00000000-0000-0000-0000-0000000e0005", "me");
    settings.insert("TENANTRY_STAMPS", &strange);
    assert!(faults(&settings).contains("/0/probePrincipalId is no GUID"));
}
