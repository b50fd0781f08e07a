//! Tests of the comparisons: each finds an error that is put into a copy of a file.

use super::{Comparison, alerts, bicep, delivery, grants, queues, settings, symbols, templates::Infra};

const APP: &str = "modules/app.bicep";
const GRANTS: &str = "modules/grants.bicep";
const ALERTS: &str = "modules/alerts.bicep";
const MESSAGING: &str = "modules/messaging.bicep";

/// The comparison; the file; the text and its replacement; what the comparison reports.
const SPOILT: [(Comparison, &str, &str, &str, &str); 33] = [
    (symbols::names, "main.bicep", "location: location", "location: loction", "loction is declared nowhere"),
    (symbols::names, APP, "callers: {", "calers: {", "calers is declared nowhere"),
    (symbols::names, APP, "join(eventTopics", "joined(eventTopics", "joined() is declared nowhere"),
    (symbols::names, "stamp.bicep", "var hub = ", "var idle = 'x'\nvar hub = ", "idle is used nowhere"),
    (
        symbols::modules,
        "main.bicep",
        "    fixedEgress: !publicAccess\n",
        "",
        "network does not give fixedEgress",
    ),
    (symbols::modules, "main.bicep", "fixedEgress:", "egress:", "gives egress, which it does not declare"),
    (
        symbols::modules,
        "main.bicep",
        "outputs.functionsSubnetId",
        "outputs.subnetId",
        "network has no output subnetId",
    ),
    (
        symbols::modules,
        "main.bicep",
        "'modules/dns.bicep'",
        "'modules/zones.bicep'",
        "there is no modules/zones.bicep",
    ),
    (symbols::modules, "main.bicepparam", "param location", "param region", "main.bicep has no region"),
    (queues::entities, MESSAGING, "'tenant-wakeups'", "'tenant-wake-ups'", "queues that trigger functions"),
    (
        queues::entities,
        MESSAGING,
        "requiresSession: true",
        "requiresSession: false",
        "tenant-requests, sessions",
    ),
    (
        queues::entities,
        MESSAGING,
        "lockDuration: 'PT1M'",
        "lockDuration: 'PT6M'",
        "a lock of five minutes at most",
    ),
    (
        queues::entities,
        MESSAGING,
        "maxDeliveryCount: 10",
        "maxDeliveryCount: 3",
        "tenant-wakeups, deliveries",
    ),
    (queues::entities, MESSAGING, "'tenant-events'", "'events'", "topics: infra/ has"),
    (
        settings::known,
        APP,
        "TENANTRY_PROBE_LOCATION:",
        "TENANTRY_PROBE_SPOT:",
        "nothing reads the setting TENANTRY_PROBE_SPOT",
    ),
    (
        settings::known,
        APP,
        "TENANTRY_TABLES:",
        "TENANTRY_TABLE_PREFIX:",
        "the setting TENANTRY_TABLES is required",
    ),
    (
        settings::known,
        APP,
        "ServiceBus__credential:",
        "Bus__credential:",
        "the setting ServiceBus__credential is required",
    ),
    (settings::taken, APP, "'managed'", "'user-assigned'", "TENANTRY_IDENTITY: it is"),
    (
        settings::taken,
        APP,
        "https://${stateStorage",
        "http://${stateStorage",
        "TENANTRY_TABLES: it is not https",
    ),
    (
        settings::taken,
        APP,
        "TENANTRY_CLIENT_ID: provisioner",
        "TENANTRY_CLIENT_ID: host",
        "the provisioner: not the intended value",
    ),
    (
        settings::taken,
        APP,
        "'https://${stateStorage",
        "'https://${hostStorage",
        "the tables: not the intended value",
    ),
    (settings::taken, "stamp.bicep", "  directoryId: tenant().tenantId\n", "", "/0/directoryId is missing"),
    (
        settings::stamp,
        "stamp.bicep",
        "    notebooks: links.outputs.notebooks\n",
        "",
        "uses stamp.zones.notebooks",
    ),
    (settings::stamp, "stamp.bicep", "/score/action", "/token/action", "and not just call"),
    (grants::roles, GRANTS, "  scope: requests\n", "  scope: namespace\n", "\"requests\") is not granted"),
    (grants::roles, GRANTS, "roles.tableContributor", "roles.blobOwner", "is granted, and nothing needs it"),
    (grants::roles, GRANTS, "'0a9a7e1f", "'1a9a7e1f", "is not granted"),
    (grants::identities, APP, "      '${probe.id}': {}\n", "", "the app has"),
    (
        grants::identities,
        "main.bicep",
        "removerPrincipalId: identities.outputs.remover",
        "removerPrincipalId: identities.outputs.provisioner",
        "as removerPrincipalId",
    ),
    (
        grants::permissions,
        "modules/permissions.bicep",
        "workspaces/write'",
        "workspaces/*'",
        "write modules/permissions.bicep again",
    ),
    (
        grants::no_keys,
        "modules/storage.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "is not false",
    ),
    (alerts::queries, ALERTS, "== 'swept'", "== 'cleaned'", "nothing logs \"cleaned\""),
    (
        alerts::runbooks,
        ALERTS,
        "${runbook}#sweep-late",
        "${runbook}#sweeps",
        "sweep-late has no valid runbook link",
    ),
];

#[test]
fn every_comparison_finds_its_error() {
    let infra = Infra::read();
    let mut unseen = Vec::new();
    for (comparison, path, from, to, says) in SPOILT {
        let found = comparison(&infra.spoilt(path, from, to));
        if !found.iter().any(|one| one.contains(says)) {
            unseen.push(format!("{path}: {from:?} to {to:?} is reported as {found:?}, and not as {says:?}"));
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn more_errors_in_the_alerts_and_in_azure_yaml_are_found() {
    let infra = Infra::read();
    let cases: [(Comparison, &str, &str, &str, &str); 5] = [
        (alerts::queries, "modules/workbook.json", "line.drifted", "line.moved", "has no moved"),
        (alerts::queries, ALERTS, "== 'violated'", "== 'other'", "does not filter by violated"),
        (
            alerts::runbooks,
            ALERTS,
            "name: 'dead-letters'",
            "name: 'dead'",
            "docs/runbooks.md has no heading dead",
        ),
        (
            delivery::azd,
            APP,
            "'azd-service-name': 'tenantry'",
            "'azd-service-name': 'api'",
            "names the service",
        ),
        (
            delivery::azd,
            "main.bicep",
            "output TENANTRY_PROVISIONER_PRINCIPAL_ID",
            "output PROVISIONER_ID",
            "has no output",
        ),
    ];
    for (comparison, path, from, to, says) in cases {
        let found = comparison(&infra.spoilt(path, from, to));
        assert!(found.iter().any(|one| one.contains(says)), "{says}: {found:?}");
    }
}

#[test]
fn the_parser_rejects_unknown_syntax_with_the_line() {
    for (text, says) in [
        ("param a string\nparm b string\n", "line 2: a declaration instead of `parm`"),
        ("var a = {\n  b: 'c\n}\n", "line 2: ' is expected"),
        ("var a = [\n  1 2\n]\n", "line 2: a comma or the end of the line"),
        ("resource a 'x@1' = {\n", "a name is expected"),
        ("var a = ${b}\n", "a name is expected"),
    ] {
        let fault = bicep::read(text).unwrap_err();
        assert!(fault.contains(says), "{text}: {fault}");
    }
}
