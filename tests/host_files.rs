//! `host.json`, the `function.json` files and the table of functions say the same, and say it safely.

use std::{path::Path, time::Duration};

use serde_json::Value;
use tenantry::{
    host::functions::{FUNCTIONS, Kind},
    local::host::{App, TriggerKind},
};

#[test]
fn function_files_host_file_and_table_say_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let app = App::embedded().unwrap();
    assert_eq!(app, App::read(root).unwrap(), "a function folder is not compiled in");
    let mut named: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    named.sort_unstable();
    assert_eq!(named, app.functions.iter().map(|f| f.name.as_str()).collect::<Vec<_>>());
    for function in &FUNCTIONS {
        let file = app.function(function.name).unwrap();
        let trigger = file.trigger();
        assert_eq!((trigger.name.as_str(), trigger.direction.as_str()), (function.kind.binding(), "in"));
        match function.kind {
            Kind::QueueMessage { .. } => {
                assert_eq!(file.kind(), Some(TriggerKind::ServiceBus));
                assert!(trigger.is_binary(), "{}: text leaks into the metadata", function.name);
                assert_eq!(
                    trigger.is_sessions_enabled,
                    trigger.queue_name.as_deref() == Some("tenant-requests")
                );
            }
            Kind::Timer { .. } => assert_eq!(file.kind(), Some(TriggerKind::Timer)),
            Kind::Http { output, .. } => {
                assert_eq!(file.kind(), Some(TriggerKind::Http));
                let out = file.bindings.iter().find(|b| b.kind == "http" && b.direction == "out").unwrap();
                assert_eq!(out.name, output);
            }
        }
        let text = std::fs::read_to_string(root.join(function.name).join("function.json")).unwrap();
        assert!(!text.contains("\"retry\":"), "{}", function.name);
    }
    assert_eq!(app.host.function_timeout, Some(Duration::from_secs(600)));
    assert!(app.host.max_lock_renewal >= app.host.function_timeout.unwrap());
    let text = std::fs::read_to_string(root.join("host.json")).unwrap();
    let host: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(host["extensions"]["serviceBus"]["autoCompleteMessages"], true);
    assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], false);
    assert!(!text.contains("\"retry\":"), "the host's retry policy repeats behind the broker's back");
}
