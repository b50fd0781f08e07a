//! A request of a signup app: by queue, over HTTP, or as a file given to `tenantry submit`.

use std::sync::OnceLock;

use azure_sim::local_stamp;
use serde_json::{Value, json};
use tenantry::intake::{self, Command, Fault, Request, RequestAnswer, Stamp};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    tenant::Spec,
};

use super::Target;
use crate::{canary, corpus, draw::Draw};

pub(super) const TARGET: Target = Target {
    name: "message",
    check,
    seeds,
    tokens: &[
        "schema",
        "tenantry.request/1",
        "tenantry.request/2",
        "requestId",
        "action",
        "signup",
        "update",
        "deprovision",
        "retry",
        "suspend",
        "tenantId",
        "spec",
        "displayName",
        "tier",
        "dedicated",
        "pooled",
        "region",
        "homeTenantId",
        "adminContact",
        "blueprint",
        "version",
        "quantity",
        "parameters",
        "tags",
        "allowReplace",
        "gracePeriod",
        "PT0S",
        "P1Y",
        "-PT1S",
        "P99999999999D",
        "retain",
        "reason",
        "deadline",
        "expectedVersion",
        "dryRun",
        "external",
        "dryrun",
        "requestedBy",
        "datacontenttype",
        "data_base64",
        "\u{feff}",
        "A\u{200d}B",
        "\u{2028}",
        "system",
        "operationId",
        "specversion",
        "1.0",
        "type",
        "io.tenantry.request.signup.v1",
        "io.tenantry.request..v1",
        "data",
        "2026-11-22T17:20:00Z",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "00000000-0000-0000-0000-000000000000",
        "6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11",
        "contoso",
        "tenantry-tenant",
        "customerIssuer",
        "https://127.0.0.1/",
    ],
    most: 300 << 10,
};

/// The longest answer to a refused request in bytes, whatever was refused: the event about it has to fit.
const MAX_ANSWER: usize = 60 << 10;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = corpus::files("examples", "json");
    let bare: Value = serde_json::from_slice(&seeds[0]).unwrap();
    let event = json!({"specversion": "1.0", "id": "e", "source": "/shop", "type": "io.tenantry.request.deprovision.v1", "data": bare});
    seeds.push(event.to_string().into_bytes());
    seeds.push(json!(event.to_string()).to_string().into_bytes());
    seeds
}

fn check(input: &[u8]) -> String {
    let read = intake::read(input, "test");
    assert_eq!(read, intake::read(input, "test"), "read in two ways");
    match &read {
        Ok(request) => {
            stays(request, input);
            if let Command::Signup(spec) = &request.command {
                return format!("signup {}", planned(spec, &request.tenant_id, input));
            }
            format!("{:?} {}", request.command.action(), request.at)
        }
        Err(faults) => {
            bounded(faults);
            quotes_no_value(input);
            let mut kinds: Vec<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let first = faults.first().map(|fault| fault.pointer.chars().take(24).collect::<String>());
            format!("{} {}", kinds.join(","), first.unwrap_or_default())
        }
    }
}

/// A request is read as the same request when it is written again, as a text within JSON or with other formatting.
fn stays(request: &Request, input: &[u8]) {
    let text = intake::text(input).unwrap().into_owned();
    let wrapped = json!(text).to_string();
    if wrapped.len() <= intake::MAX_BODY_BYTES && !text.starts_with('"') {
        assert_eq!(&intake::read(wrapped.as_bytes(), "test").unwrap(), request, "a layer changes it");
    }
    let Ok(whole) = serde_json::from_slice::<Value>(input) else { return };
    let again = whole.to_string();
    if again.len() <= intake::MAX_BODY_BYTES {
        assert_eq!(&intake::read(again.as_bytes(), "test").unwrap(), request, "writing it again changes it");
    }
    assert!((1..=128).contains(&request.request_id.len()) && request.operation_id.len() == 16);
}

fn bounded(faults: &[Fault]) {
    assert!(!faults.is_empty(), "refused without a reason");
    for fault in faults {
        assert!(fault.pointer.chars().count() <= 161 && fault.message.chars().count() <= 401, "{fault:?}");
        assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'), "{fault:?}");
    }
    let answer = RequestAnswer::rejected(None, None, faults.to_vec());
    let size = json!(answer).to_string().len();
    assert!(size <= MAX_ANSWER, "an answer of {size} bytes");
}

/// A refusal names the field and the reason, but not the value.
fn quotes_no_value(input: &[u8]) {
    let Some(injected) = canary::instead_of_a_text(&mut Draw::of(input), input) else { return };
    if let Err(faults) = intake::read(injected.to_string().as_bytes(), "test") {
        canary::is_not_in(&format!("{faults:?}"), "the faults");
    }
}

/// The request is planned or refused with faults. Its texts are values, and are never evaluated as expressions.
fn planned(spec: &Spec, id: &TenantId, input: &[u8]) -> String {
    static BLUEPRINT: OnceLock<Blueprint> = OnceLock::new();
    let blueprint = BLUEPRINT.get_or_init(|| Blueprint::check(DEFAULT).unwrap().blueprint);
    let stamp = Stamp { value: local_stamp() };
    let plan = |spec: &Spec| blueprint.plan(&intake::plan_context("test", id, 1, spec, &stamp));
    match plan(spec) {
        Ok(made) => {
            // A display name of letters only gives the same plan, apart from the name itself.
            let named = Spec { display_name: "QQnameQQ".into(), ..spec.clone() };
            let (made, plain) = (json!(made.steps), json!(plan(&named).unwrap().steps));
            let text = json!(spec.display_name).to_string();
            let expected = plain.to_string().replace("QQnameQQ", &text[1..text.len() - 1]);
            let undigested = |text: &str| {
                let mut steps: Value = serde_json::from_str(text).unwrap();
                steps.as_object_mut().unwrap().values_mut().for_each(|step| step["digest"] = Value::Null);
                steps
            };
            assert_eq!(undigested(&made.to_string()), undigested(&expected), "a name was checked as text");
            assert!(made.to_string().len() <= (64 << 10) + 64 * input.len(), "a plan grows");
            format!("planned {}", made.as_object().map_or(0, serde_json::Map::len))
        }
        Err(faults) => {
            let own = faults
                .iter()
                .map(|fault| Fault::new(fault.pointer.clone(), fault.code, fault.message.clone()));
            bounded(&own.collect::<Vec<_>>());
            format!("unplanned {}", faults[0].code)
        }
    }
}
