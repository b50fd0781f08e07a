//! `tenantry local`: files in, a table or JSON lines out, and an exit code for the result.

use std::collections::BTreeMap;

use serde_json::Value;

use super::program::{run, samples, tenantry};
use crate::testkit::{SAMPLES, example, folder, judge::text};

#[tokio::test]
async fn the_samples_become_ready_and_a_table_shows_them() {
    let folder = folder();
    let mut command = tenantry(folder.path(), &["local", "--data", "data", "--port", "0", "--speed", "2000"]);
    command.args(samples());
    let run = run(command).await;
    assert_eq!(run.code, Some(0), "{run:#?}");
    let table = run.out.rsplit("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["TENANT", "STATUS", "TOOK", "APPLICATION", "WORKSPACE", "ENDPOINT"], "{table}");
    for sample in SAMPLES {
        let row = rows.iter().find(|row| row.first() == Some(&sample)).unwrap();
        assert_eq!((row.len(), row[1]), (6, "ready"), "{table}");
        assert!(row[2].ends_with('s') && row[5].starts_with("https://"), "{table}");
    }
}

#[tokio::test]
async fn with_json_the_last_line_of_a_tenant_has_its_result() {
    let folder = folder();
    let arguments = ["local", "--data", "data", "--port", "0", "--speed", "2000", "--json"];
    let mut command = tenantry(folder.path(), &arguments);
    command.args(samples());
    let run = run(command).await;
    assert_eq!(run.code, Some(0), "{run:#?}");
    let lines = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last: BTreeMap<String, Value> =
        lines.map(|line| (text(&line, "/tenantId").to_owned(), line)).collect();
    assert_eq!(last.keys().collect::<Vec<_>>(), SAMPLES.iter().collect::<Vec<_>>());
    for line in last.values() {
        assert_eq!(text(line, "/status"), "active", "{line:#}");
        assert!(line["durationMs"].is_u64() && text(line, "/outputs/endpointUrl").starts_with("https://"));
    }
}

#[tokio::test]
async fn a_refused_message_prints_its_faults_and_ends_with_exit_code_1() {
    let folder = folder();
    let mut bad = example("signups/tailspin.json");
    bad["spec"]["tier"] = "platinum".into();
    std::fs::write(folder.path().join("bad.json"), bad.to_string()).unwrap();
    let run = run(tenantry(folder.path(), &["local", "--port", "0", "--speed", "max", "bad.json"])).await;
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.err.contains("/spec/tier"), "{run:#?}");
}

/// Arguments, an environment variable (none if the name is empty), and texts that the error must contain.
type Case<'a> = (&'a [&'a str], (&'a str, &'a str), &'a [&'a str]);

#[tokio::test]
async fn a_run_that_can_not_begin_prints_the_reason_and_ends_with_exit_code_2() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: [Case; 6] = [
        (&["local", "--port", "0", "no-such.json"], ("", ""), &["no-such.json"]),
        (&["local", "--port", &port], ("", ""), &[&port, "--port"]),
        (&["local", "--port", "0", "--speed", "warp"], ("", ""), &["warp", "max"]),
        (
            &["local", "--port", "0"],
            ("TENANTRY_DEPLOYMENT", "My Deployment"),
            &["TENANTRY_DEPLOYMENT", "TENANTRY_DEPLOYMENT=prod"],
        ),
        (&["serve"], ("FUNCTIONS_CUSTOMHANDLER_PORT", "seventy"), &["FUNCTIONS_CUSTOMHANDLER_PORT=7072"]),
        (&["serve"], ("WEBSITE_INSTANCE_ID", "5f1c"), &["Azure"]),
    ];
    for (arguments, (name, value), expected) in cases {
        let mut command = tenantry(folder.path(), arguments);
        if !name.is_empty() {
            command.env(name, value);
        }
        let run = run(command).await;
        assert_eq!(run.code, Some(2), "{arguments:?} {name}: {run:#?}");
        for text in expected {
            assert!(run.err.contains(text), "{arguments:?} {name}: {text:?} is missing in {run:#?}");
        }
    }
}
