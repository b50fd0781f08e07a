//! What is sent to Azure, and what the simulated Azure answers, held against Microsoft's own API descriptions.
//!
//! The descriptions are not part of the repository. Where they are absent, each test says so and holds nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says its numbers"
)]

mod common;

#[path = "azure_specs/description.rs"]
mod description;
#[path = "azure_specs/examples.rs"]
mod examples;
#[path = "azure_specs/record.rs"]
mod record;
#[path = "azure_specs/schema.rs"]
mod schema;
#[path = "azure_specs/spoilt.rs"]
mod spoilt;
#[path = "azure_specs/understudy.rs"]
mod understudy;
#[path = "azure_specs/validate.rs"]
mod validate;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
};

use description::{Descriptions, Operation};
use record::{Exchange, lives};
use tokio::sync::OnceCell;

/// Operations that only a whole life calls: registrations, purges, the last traces of what was soft-deleted.
const RARE: [&str; 6] = [
    "Providers_Register",
    "Vaults_GetDeleted",
    "Vaults_PurgeDeleted",
    "directory_GetDeletedItem",
    "directory_DeleteDeletedItem",
    "Deployments_Delete",
];

static LIVES: OnceCell<Vec<Exchange>> = OnceCell::const_new();

/// The lives, which all tests look at, lived once.
async fn exchanges() -> &'static [Exchange] {
    LIVES.get_or_init(lives).await
}

const ABSENT: &str = "
SKIPPED: Microsoft's API descriptions are not there (../shared/azure-specs); nothing was held against them.
";

/// The descriptions, or a word, past the capture of a test's output, that there are none.
fn descriptions() -> Option<Descriptions> {
    let found = Descriptions::load();
    if found.is_none() {
        std::io::stderr().write_all(ABSENT.as_bytes()).unwrap();
    }
    found
}

/// Says where a fault occurs; the same one at many places is told once, with its first place.
#[derive(Default)]
struct Faults(BTreeMap<String, String>);

impl Faults {
    fn add(&mut self, fault: String, place: &str) {
        self.0.entry(fault).or_insert_with(|| place.to_owned());
    }

    #[track_caller]
    fn none(self) {
        let told: Vec<String> = self.0.iter().map(|(fault, place)| format!("{fault}\n    {place}")).collect();
        assert!(told.is_empty(), "{} faults:\n{}", told.len(), told.join("\n"));
    }
}

/// The operation of each exchange; one without an operation is a fault.
fn operations<'a>(
    descriptions: &'a Descriptions,
    exchanges: &'a [Exchange],
    faults: &mut Faults,
) -> Vec<(Operation<'a>, &'a Exchange)> {
    let mut found = Vec::new();
    for exchange in exchanges {
        let request = &exchange.request;
        let (path, _) = validate::address(request);
        match descriptions.find(request.api, request.method, path) {
            Ok(operation) => found.push((operation, exchange)),
            Err(fault) => faults.add(fault, &request.path),
        }
    }
    found
}

/// Every request of every life is one that Azure describes: path, query, headers, version and body.
#[tokio::test]
async fn every_request_is_one_that_azure_describes() {
    let Some(descriptions) = descriptions() else { return };
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let all = operations(&descriptions, exchanges().await, &mut faults);
    for (operation, exchange) in &all {
        let place = format!("{} {}", exchange.request.method, exchange.request.path);
        for fault in validate::request(operation, &exchange.request) {
            faults.add(format!("{:?}: {fault}", operation.id()), &place);
        }
        distinct.insert(operation.id());
    }
    faults.none();
    eprintln!("{} requests of {} operations are as Azure describes them", all.len(), distinct.len());
    for rare in RARE {
        assert!(distinct.iter().any(|(_, name)| name == rare), "{rare} is not among the requests");
    }
}

/// Every answer of the simulated Azure is one that Azure describes for that operation and status.
#[tokio::test]
async fn every_answer_of_the_simulated_azure_is_one_that_azure_describes() {
    let Some(descriptions) = descriptions() else { return };
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let mut all = operations(&descriptions, exchanges().await, &mut faults);
    all.retain(|(_, exchange)| exchange.reply.header(understudy::HEADER).is_none());
    for (operation, Exchange { request, reply }) in &all {
        let place = format!("{} {}", request.method, request.path);
        for fault in validate::answer(operation, request.method, reply) {
            faults.add(format!("{:?} {}: {fault}", operation.id(), reply.status), &place);
        }
        distinct.insert((operation.id(), reply.status));
    }
    faults.none();
    eprintln!("{} answers of {} operations and statuses are as described", all.len(), distinct.len());
}

/// Every example that Microsoft gives of an operation that is called is understood by the step that would receive it.
#[tokio::test]
async fn every_example_of_an_answer_is_understood() {
    let Some(descriptions) = descriptions() else { return };
    let mut faults = Faults::default();
    let called: BTreeMap<_, _> = operations(&descriptions, exchanges().await, &mut faults)
        .into_iter()
        .map(|(operation, exchange)| (operation.id(), (operation, exchange)))
        .collect();
    let deviating = descriptions.deviating();
    let mut judged = 0;
    for ((service, name), (operation, exchange)) in &called {
        for (path, example) in descriptions.examples(service, name) {
            if deviating.get(&path).is_some() {
                continue;
            }
            for (status, fault) in examples::judge(operation, &exchange.request, &example) {
                judged += 1;
                if let Some(fault) = fault {
                    faults.add(format!("{status}: {fault}"), &path);
                }
            }
        }
    }
    faults.none();
    eprintln!("{judged} of Microsoft's example answers are understood");
    assert!(judged > 40, "only {judged} examples");
}
