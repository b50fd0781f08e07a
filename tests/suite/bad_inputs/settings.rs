//! Bad inputs 128 to 130, settings: each fault names its setting, and none repeats its value. `config.rs` has more
//! tests of settings.

use std::{collections::BTreeMap, time::Duration};

use tenantry::{config::Config, reconciler::Settings};

const STAMP: &str = r#"[{"name": "a", "region": "westeurope", "resourceGroup": "rg",
    "subscriptionId": "00000000-0000-0000-0000-00000000a001", "directoryId": "00000000-0000-0000-0000-0000000d0001"}]"#;

/// The settings of the Azure environment with some replaced; an empty value counts as missing.
fn read(changed: &[(&'static str, &'static str)]) -> Result<Config, Vec<String>> {
    let mut settings = BTreeMap::from([
        ("TENANTRY_ENVIRONMENT", "azure"),
        ("TENANTRY_DEPLOYMENT", "prod"),
        ("TENANTRY_IDENTITY", "managed"),
        ("TENANTRY_TABLES", "https://st.table.core.windows.net"),
        ("ServiceBus__fullyQualifiedNamespace", "sb.servicebus.windows.net"),
        ("TENANTRY_EVENT_GRID", "https://topic.westeurope-1.eventgrid.azure.net"),
        ("TENANTRY_STAMPS", STAMP),
    ]);
    settings.extend(changed.iter().copied());
    Config::read(|name| settings.get(name).map(|value| (*value).to_owned()))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn every_bad_setting_is_refused_by_its_name() {
    let rows: [(u32, &str, &str); 27] = [
        (128, "TENANTRY_IDENTITY", ""),
        (128, "TENANTRY_DEPLOYMENT", " "),
        (128, "TENANTRY_STAMPS", ""),
        (128, "TENANTRY_ENVIRONMENT", "\"azure\""),
        (128, "TENANTRY_ENVIRONMENT", "azure,azure"),
        (128, "TENANTRY_DEPLOYMENT", "'prod'"),
        (128, "FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
        (128, "FUNCTIONS_CUSTOMHANDLER_PORT", "70000"),
        (128, "FUNCTIONS_CUSTOMHANDLER_PORT", "0.0.0.0:7072"),
        (
            129,
            "TENANTRY_TABLES",
            "DefaultEndpointsProtocol=https;AccountName=st;AccountKey=canary;EndpointSuffix=x",
        ),
        (129, "TENANTRY_TABLES", "https://st.table.core.windows.net/?sv=2024&sig=canary"),
        (
            129,
            "ServiceBus__fullyQualifiedNamespace",
            "Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey=canary",
        ),
        (129, "TENANTRY_EVENT_GRID", "https://user:canary@topic.eventgrid.azure.net"),
        (129, "TENANTRY_IDENTITY", "client-secret"),
        (129, "TENANTRY_ARM", "management.azure.mars"),
        (129, "TENANTRY_ARM", "http://management.azure.com"),
        (129, "TENANTRY_GRAPH", "ftp://graph.microsoft.com"),
        (130, "TENANTRY_REQUEST_TIMEOUT", "0"),
        (130, "TENANTRY_REQUEST_TIMEOUT", "-30"),
        (128, "TENANTRY_EVENT_TOPICS", "*"),
        (128, "TENANTRY_EVENT_TOPICS", "/shop,,/other"),
        (129, "TENANTRY_EVENT_TOPICS", "https://evgt.example/?code=key"),
        (130, "TENANTRY_REQUEST_TIMEOUT", "121"),
        (130, "TENANTRY_REQUEST_TIMEOUT", "30s"),
        (130, "TENANTRY_INLINE_WAIT", "-1"),
        (130, "TENANTRY_INLINE_WAIT", "201"),
        (130, "TENANTRY_SPEED", "-1"),
    ];
    assert!(read(&[]).is_ok());
    for (number, name, value) in rows {
        let faults = read(&[(name, value)]).expect_err(&format!("{number} {name}={value} was taken"));
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("{name}: "))), "{number}: {faults:?}");
        assert!(!faults.concat().contains("canary"), "{number}: {faults:?}");
    }
}

/// 130: the duration of the lease is not a setting; it is calculated from the request timeout.
#[test]
fn no_setting_makes_a_lease_too_short() {
    let mut allowed = 0;
    for seconds in 0..=200_u64 {
        let text: &'static str = seconds.to_string().leak();
        let Ok(config) = read(&[("TENANTRY_REQUEST_TIMEOUT", text)]) else { continue };
        let azure = config.azure.unwrap();
        let settings = Settings::azure("prod").with_request_timeout(azure.request_timeout);
        let (life, skew) = (settings.request_timeout + settings.request_life, settings.skew);
        assert_eq!(settings.request_timeout, Duration::from_secs(seconds));
        assert!(settings.lease >= (life + 2 * skew) * 2, "{seconds} s: a lease of {:?}", settings.lease);
        assert!(settings.policy.max_failures > 0);
        allowed += 1;
    }
    assert_eq!(allowed, 120);
}
