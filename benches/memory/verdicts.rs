//! Measures how much time and memory it takes to reject bad inputs, compared with good ones.
//!
//! An input is given to the same reader as in a deployment. Its time is that of the fastest of several runs, its memory
//! the peak of allocations, without the input itself. Inputs come from the tables and files of the tests, with the
//! numbers of tests/suite/bad_inputs; the largest of each kind are generated here.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use tenantry::{
    config::Config,
    host::{Function, Trigger},
    intake,
};
use tenantry_core::{blueprint::Blueprint, ids::TenantId};

use crate::{Outcome, bad, line, measure};

/// How often each input is read. The fastest run counts, because other processes delay the others.
const REPEATS: usize = 5;
/// The target for a verdict, in milliseconds.
const TARGET_MS: f64 = 5.0;
/// The target for memory, as a multiple of the input's size.
const MEMORY_LIMIT: f64 = 3.0;
/// The target for memory applies from this size on, in bytes: below it the fixed cost of a verdict outweighs the input.
const LARGE: usize = 16 << 10;

/// A reader of bytes; true if it accepts them.
type Reader = fn(&[u8]) -> bool;

/// An entry point of the program: its name, its reader, and its inputs by name.
type Entry = (&'static str, Reader, Vec<(String, Vec<u8>)>);

/// The results of the good or the bad inputs of one entry point.
#[derive(Default)]
struct Sum {
    times: Vec<f64>,
    slowest: (f64, String),
    /// The large inputs that need more memory than the target, each with the multiple of its size.
    hungry: Vec<String>,
    /// The most memory that any input needs, in KiB.
    most: u64,
}

pub(crate) fn report() -> Outcome<()> {
    line(format_args!(
        "verdicts: targets are a p99 below {TARGET_MS} ms, and below {MEMORY_LIMIT} times the memory of a bad input of {} KiB \
         or more",
        LARGE >> 10
    ));
    for (entry, reader, inputs) in entries()? {
        let (mut good, mut bad) = (Sum::default(), Sum::default());
        for (name, bytes) in inputs {
            let (taken, millis, peak) = judged(reader, &bytes);
            let sum = if taken { &mut good } else { &mut bad };
            sum.times.push(millis);
            if millis > sum.slowest.0 {
                sum.slowest = (millis, name.clone());
            }
            sum.most = sum.most.max(peak >> 10);
            let share = peak as f64 / bytes.len().max(1) as f64;
            if bytes.len() >= LARGE && share > MEMORY_LIMIT {
                sum.hungry.push(format!("{name} {share:.1}"));
            }
        }
        for (what, mut sum) in [("bad", bad), ("good", good)] {
            if sum.times.is_empty() {
                continue;
            }
            let mut text = format!(
                "  {entry}: {} {what}; p50 {:.3} ms, p99 {:.3} ms, at most {:.3} ms ({}); memory at most {} KiB",
                sum.times.len(),
                measure::quantile(&mut sum.times, 0.5),
                measure::quantile(&mut sum.times, 0.99),
                sum.slowest.0,
                sum.slowest.1,
                sum.most,
            );
            if !sum.hungry.is_empty() {
                let _ =
                    write!(text, ", more than {MEMORY_LIMIT} times their size: {}", sum.hungry.join(", "));
            }
            line(text);
        }
    }
    Ok(())
}

/// Runs a reader on an input. Returns whether the input is accepted, the shortest time in milliseconds, and the peak of
/// memory in bytes.
fn judged(reader: Reader, bytes: &[u8]) -> (bool, f64, u64) {
    let (mut best, mut taken) = (f64::INFINITY, false);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..REPEATS {
            let begun = measure::now();
            taken = reader(bytes);
            best = best.min(measure::millis_since(begun));
        }
    });
    (taken, best, allocated.bytes_max)
}

fn entries() -> Outcome<Vec<Entry>> {
    let messages = messages()?;
    let calls = messages.iter().map(|(name, bytes)| (name.clone(), call(bytes))).collect();
    let envelopes = messages.iter().map(|(name, bytes)| (name.clone(), delivery(bytes))).chain(envelopes());
    let mut blueprints = files("blueprints")?;
    blueprints.extend(files("tests/suite/blueprint_findings")?);
    blueprints.extend(files("tests/fuzz/corpus/blueprint")?);
    blueprints.extend(bombs());
    Ok(vec![
        ("tenant id", |bytes| text(bytes).is_some_and(|text| text.parse::<TenantId>().is_ok()), ids()),
        ("queue trigger", |bytes| Trigger::parse(Function::Requests, bytes).is_ok(), envelopes.collect()),
        ("HTTP trigger", |bytes| Trigger::parse(Function::Tenants, bytes).is_ok(), calls),
        ("message", |bytes| intake::read(bytes, "bench").is_ok(), messages),
        ("blueprint", |bytes| text(bytes).is_some_and(|text| Blueprint::check(text).is_ok()), blueprints),
        ("setting", setting, settings()),
    ])
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The files of a folder of the repository, except for snapshots, by name.
fn files(folder: &str) -> Outcome<Vec<(String, Vec<u8>)>> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut found = Vec::new();
    for entry in entries.map_err(|error| format!("{folder}: {error}"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "snap") {
            found.push((
                format!("{folder}/{}", path.file_name().unwrap_or_default().display()),
                fs::read(path)?,
            ));
        }
    }
    Ok(found)
}

/// Messages: those of tests/suite/bad_inputs, the examples, the fuzzing corpus, and large ones that are costly to
/// parse.
fn messages() -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut all: Vec<_> = bad::messages().collect();
    for folder in
        ["examples/signups", "examples/updates", "examples/deprovisions", "tests/fuzz/corpus/message"]
    {
        all.extend(files(folder)?);
    }
    let signup = |more: &str| {
        format!(
            "{{\"schema\":\"tenantry.request/1\",\"requestId\":\"r\",\"action\":\"signup\",\"spec\":{{\"displayName\":\"A\",\"tier\":\"dedicated\"{more}}}}}"
        )
    };
    let named = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    all.extend([
        named("a text of 60 KiB", signup(&format!(",\"region\":\"{}\"", "x".repeat(60_000)))),
        named("60 KiB of escapes", signup(&format!(",\"region\":\"{}\"", "\\u0001".repeat(10_000)))),
        named("60,000 lists within each other", "[".repeat(60_000)),
        named("60,000 bytes of small lists", format!("[{}0]", "[],".repeat(20_000))),
        named(
            "1,000 members in 64 KiB",
            format!(
                "{{{}\"0\":0}}",
                (0..1000).fold(String::new(), |text, n| text + &format!("\"{n:060}\":0,"))
            ),
        ),
        named(
            "4,000 members",
            format!("{{{}\"0\":0}}", (0..4000).fold(String::new(), |text, n| text + &format!("\"{n}\":0,"))),
        ),
        named("64 KiB that are no JSON", "x".repeat(64 << 10)),
    ]);
    Ok(all)
}

/// The envelope of a queue's message as the host writes it, with the message's bytes in base64.
fn delivery(body: &[u8]) -> Vec<u8> {
    let body = BASE64_STANDARD.encode(body);
    json!({"Data": {"requestMsg": body}, "Metadata": {"MessageId": "m"}}).to_string().into_bytes()
}

fn call(body: &[u8]) -> Vec<u8> {
    let body = String::from_utf8_lossy(body);
    json!({"Data": {"req": {"Method": "POST", "Url": "/api/tenants", "Headers": {}, "Body": body}}, "Metadata": {}})
        .to_string()
        .into_bytes()
}

fn envelopes() -> [(String, Vec<u8>); 3] {
    [
        ("100,000 levels deep".to_owned(), "{\"Data\":".repeat(100_000).into_bytes()),
        ("8 MiB that break off".to_owned(), format!("{{\"Data\":\"{}", "x".repeat(8 << 20)).into_bytes()),
        ("no JSON".to_owned(), vec![b'x'; 8 << 20]),
    ]
}

/// Tenant ids, as in a path or a function's parameter.
fn ids() -> Vec<(String, Vec<u8>)> {
    let of = |id: &str| (id.chars().take(12).collect(), id.as_bytes().to_vec());
    let short = [
        "",
        ".",
        "..",
        "a/../b",
        "%2e%2e%2f",
        "CONTOSO",
        "straße",
        "ｃontoso",
        "con",
        "' or '",
        "{{7*7}}",
        "${jndi:x}",
        "a\0",
    ];
    let long = ["a".repeat(1025), "a".repeat(1 << 20), "é".repeat(1 << 20), "-".repeat(1 << 20)];
    short.iter().map(|id| of(id)).chain(long.iter().map(|id| of(id))).collect()
}

/// Blueprints that are costly to parse: many steps, aliases, deep nesting.
fn bombs() -> Vec<(String, Vec<u8>)> {
    const HEAD: &str = "blueprint: x\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [a]\nsteps:\n";
    let steps = |count: usize| {
        (0..count).fold(HEAD.to_owned(), |mut text, n| {
            let _ = writeln!(text, "  s{n}: {{ kind: arm, type: Microsoft.Resources/resourceGroups }}");
            text
        })
    };
    let keys = (0..20_000).fold(HEAD.to_owned(), |text, n| text + &format!("  s{n}:\n"));
    let aliases = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |mut text, n| {
        let _ = writeln!(text, "a{n}: &a{n} [*a{}, *a{}]", n - 1, n - 1);
        text
    });
    let named = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    vec![
        named("500 steps", steps(500)),
        named("501 steps", steps(501)),
        named("100,000 steps", steps(100_000)),
        named("20,000 steps of nothing", keys),
        named("aliases", aliases),
        named("lists within each other", format!("{HEAD}  a: {}", "[".repeat(100_000))),
        named("maps within each other", format!("{HEAD}  a: {}", "{a: ".repeat(60_000))),
        named("a list of 100,000 items", format!("{HEAD}  a: [{}]", "0,".repeat(100_000))),
        named(
            "100 lists of 900 items",
            format!("{HEAD}  a: [{}]", format!("[{}],", "0,".repeat(900)).repeat(100)),
        ),
        named("30,000 expressions", format!("{HEAD}  a: \"{}\"", "{{ a }}".repeat(30_000))),
        named("parentheses", format!("{HEAD}values:\n  a: \"{{{{ {} }}}}\"", "(".repeat(1900))),
    ]
}

/// Reads one setting, given as `NAME=value`, without any other. Returns whether the value is accepted.
fn setting(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (name, value) = text.split_once('=').unwrap_or_default();
    let given = BTreeMap::from([("TENANTRY_ENVIRONMENT", "azure"), (name, value)]);
    // The missing settings are faults in any case. The value is accepted if no fault names its setting.
    Config::read(|name| given.get(name).map(|value| (*value).to_owned()))
        .is_err_and(|faults| !faults.iter().any(|fault| fault.to_string().starts_with(&format!("{name}: "))))
}

/// Settings with invalid values.
fn settings() -> Vec<(String, Vec<u8>)> {
    const NAMES: [&str; 10] = [
        "TENANTRY_ENVIRONMENT",
        "TENANTRY_DEPLOYMENT",
        "TENANTRY_IDENTITY",
        "TENANTRY_TABLES",
        "ServiceBus__fullyQualifiedNamespace",
        "TENANTRY_EVENT_GRID",
        "TENANTRY_STAMPS",
        "TENANTRY_ARM",
        "TENANTRY_REQUEST_TIMEOUT",
        "FUNCTIONS_CUSTOMHANDLER_PORT",
    ];
    let values = [
        String::new(),
        "\"quoted\"".to_owned(),
        "-1".to_owned(),
        "AccountName=st;AccountKey=x".to_owned(),
        "x".repeat(64 << 10),
        "[".repeat(64 << 10),
        "https://".repeat(8 << 10),
    ];
    let both = |name: &'static str| {
        values.iter().map(move |value| (name.to_owned(), format!("{name}={value}").into_bytes()))
    };
    NAMES.iter().flat_map(|name| both(name)).collect()
}
