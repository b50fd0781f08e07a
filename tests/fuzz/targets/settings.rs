//! Settings as an operator might misconfigure them. An input has one setting per line, as `NAME=value`.

use std::collections::BTreeMap;

use tenantry::config::{Config, SETTINGS};

use super::Target;
use crate::{canary, draw::Draw};

pub(super) const TARGET: Target = Target {
    name: "settings",
    check,
    seeds,
    tokens: &[
        "TENANTRY_ENVIRONMENT=azure\n",
        "TENANTRY_SPEED=nan",
        "TENANTRY_SPEED=1e999",
        "FUNCTIONS_CUSTOMHANDLER_PORT=0",
        "WEBSITE_INSTANCE_ID=1\n",
        "\"azure\"",
        "https://",
        "http://127.0.0.1:1",
        "http://[::1]",
        "user:pass@",
        "?sig=x",
        "#x",
        "AccountKey=abc;",
        "TENANTRY_REQUEST_TIMEOUT=-1",
        "TENANTRY_INLINE_WAIT=201",
        "[{\"name\":\"a\"}]",
        "managed",
        "workload",
        "developer",
        "AZURE_TENANT_ID=",
        "xn--",
        "%00",
        "18446744073709551616",
        "０",
    ],
    most: 64 << 10,
};

const STAMPS: &str = r#"[{"name": "weu-01", "region": "westeurope", "resourceGroup": "rg", "subscriptionId": "00000000-0000-0000-0000-00000000a001", "directoryId": "00000000-0000-0000-0000-0000000d0001"}]"#;

fn seeds() -> Vec<Vec<u8>> {
    let azure = format!(
        "TENANTRY_ENVIRONMENT=azure\nTENANTRY_DEPLOYMENT=prod\nTENANTRY_IDENTITY=managed\nTENANTRY_TABLES=https://st.table.core.windows.net\nServiceBus__fullyQualifiedNamespace=sb.servicebus.windows.net\nTENANTRY_EVENT_GRID=https://t.westeurope-1.eventgrid.azure.net\nTENANTRY_STAMPS={STAMPS}\n"
    );
    let all: String =
        SETTINGS.iter().map(|setting| format!("{}={}\n", setting.name, setting.example)).collect();
    [String::new(), azure, all].map(String::into_bytes).into()
}

fn check(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut settings: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Stamps that are not a JSON array are the name of a file. No file of this machine may be read.
    settings.retain(|name, value| name != "TENANTRY_STAMPS" || value.trim().starts_with('['));
    let read = |settings: &BTreeMap<String, String>| Config::read(|name| settings.get(name).cloned());
    let verdict = match read(&settings) {
        Ok(config) => {
            assert!(config.handler_port > 0 && config.deployment.len() <= 20);
            if let Some(azure) = &config.azure {
                assert!(
                    (1..=120).contains(&azure.request_timeout.as_secs())
                        && azure.inline_wait.as_secs() <= 200
                );
                let urls = [&azure.arm, &azure.graph, &azure.tables, &azure.service_bus];
                assert!(
                    urls.iter()
                        .all(|url| url.has_host() && url.query().is_none() && url.password().is_none())
                );
            }
            format!("good {}", config.azure.is_some())
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= 64 + text.len());
            for fault in &faults {
                assert!(SETTINGS.iter().any(|setting| setting.name == fault.name), "{fault}");
                assert!(fault.to_string().len() <= 600, "{fault}");
            }
            faults.iter().map(|fault| fault.name).collect::<Vec<_>>().join(",")
        }
    };
    // A refusal does not repeat the value of a setting: an operator may have put a key into the wrong setting.
    let mut draw = Draw::of(input);
    let names: Vec<String> = settings.keys().cloned().collect();
    if !names.is_empty() {
        let value = settings.get_mut(draw.of_these(&names)).unwrap();
        *value = match draw.below(3) {
            0 => canary::CANARY.to_owned(),
            1 => format!("{value}{}", canary::CANARY),
            _ => format!("https://a:{}@b.example", canary::CANARY),
        };
        settings.retain(|name, value| name != "TENANTRY_STAMPS" || value.trim().starts_with('['));
        if let Err(faults) = read(&settings) {
            canary::is_not_in(&format!("{faults:?}"), "the faults");
        }
    }
    verdict
}
