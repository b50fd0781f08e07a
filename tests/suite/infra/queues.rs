//! The queues and the topic in infra/: their names and properties, compared with triggers, program, local broker,
//! emulator and host.json.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use azure_sim::{
    TOPIC,
    queue::{BrokerSettings, DEAD_LETTER_SUFFIX},
};
use jiff::SignedDuration;
use serde_json::Value;
use tenantry::{
    azure::service_bus::{REQUESTS, WAKE_UPS},
    local::host::AppFiles,
};

use super::{
    bicep::Declaration,
    templates::{Infra, file},
};

fn span(queue: &Declaration, property: &str) -> Option<Duration> {
    let text = queue.says(&["properties", property]);
    // `SignedDuration` does not read days, which the templates use.
    let text = match text.strip_prefix('P').and_then(|rest| rest.strip_suffix('D')) {
        Some(days) => format!("PT{}H", days.parse::<u32>().ok()? * 24),
        None => text,
    };
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

pub(crate) fn entities(infra: &Infra) -> Vec<String> {
    let app = AppFiles::embedded().unwrap();
    let triggers: BTreeMap<String, bool> = app
        .functions
        .iter()
        .map(tenantry::local::host::FunctionFile::trigger)
        .filter_map(|trigger| Some((trigger.queue_name.clone()?, trigger.is_sessions_enabled)))
        .filter(|(name, _)| !name.ends_with(DEAD_LETTER_SUFFIX))
        .collect();
    let queues = infra.made("Microsoft.ServiceBus/namespaces/queues");
    let names: BTreeSet<String> = queues.iter().map(|queue| queue.says(&["name"])).collect();
    let mut wrong = Vec::new();
    let mut same = |what: &str, here: &dyn std::fmt::Debug, there: &dyn std::fmt::Debug| {
        if format!("{here:?}") != format!("{there:?}") {
            wrong.push(format!("{what}: infra/ has {here:?}, and not {there:?}"));
        }
    };
    same("queues that trigger functions", &names, &triggers.keys().collect::<BTreeSet<_>>());
    same("queues that the program sends to", &names, &BTreeSet::from([REQUESTS, WAKE_UPS]));
    let topics: Vec<String> = infra
        .made("Microsoft.ServiceBus/namespaces/topics")
        .iter()
        .map(|topic| topic.says(&["name"]))
        .collect();
    same("topics", &topics, &[TOPIC]);

    let emulator: Value = serde_json::from_str(&file("infra/emulators/servicebus.json")).unwrap();
    let emulated = &emulator["UserConfig"]["Namespaces"][0]["Queues"];
    let broker = BrokerSettings::default();
    let renewal = app.host.max_lock_renewal;
    for queue in &queues {
        let name = queue.says(&["name"]);
        let (Some(own), Some(sessions)) = (broker.queues.get(&name), triggers.get(&name)) else { continue };
        let says = |property: &str| queue.says(&["properties", property]);
        same(&format!("{name}, sessions"), &says("requiresSession"), &sessions.to_string());
        same(
            &format!("{name}, duplicates"),
            &says("requiresDuplicateDetection"),
            &own.duplicate_window.is_some().to_string(),
        );
        same(&format!("{name}, deliveries"), &says("maxDeliveryCount"), &own.max_delivery_count.to_string());
        same(&format!("{name}, lock"), &span(queue, "lockDuration"), &Some(own.lock));
        let twin = emulated.as_array().unwrap().iter().find(|one| one["Name"] == name.as_str());
        let twin = twin.map(|one| one["Properties"].clone()).unwrap_or_default();
        for (here, there) in [
            ("requiresSession", "RequiresSession"),
            ("requiresDuplicateDetection", "RequiresDuplicateDetection"),
            ("deadLetteringOnMessageExpiration", "DeadLetteringOnMessageExpiration"),
            ("maxDeliveryCount", "MaxDeliveryCount"),
            ("lockDuration", "LockDuration"),
        ] {
            let twin = twin[there].as_str().map_or_else(|| twin[there].to_string(), str::to_owned);
            same(&format!("{name}, {here}, and the emulator's"), &says(here), &twin);
        }
        // A lock must last until the host first renews it, and the host must renew it for as long as a function may
        // run.
        let lock = span(queue, "lockDuration").unwrap_or_default();
        same(&format!("{name}: a lock of five minutes at most"), &(lock <= Duration::from_secs(300)), &true);
    }
    same(
        "the host renews locks for as long as functions run",
        &(renewal >= app.host.function_timeout.unwrap()),
        &true,
    );
    wrong
}
