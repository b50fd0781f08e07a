//! What is sent to Azure, and what the simulated Azure answers, held against Microsoft's own API descriptions.
//!
//! The descriptions are not part of the repository: they are looked for in `../shared/azure-specs`. Without them
//! nothing can be held, and libtest would call that `ok`; so this target has a `main` of its own, which says of each
//! check whether it passed, failed or was not run. `TENANTRY_SPECS=required` makes their absence a failure; `.ci/run`
//! sets it wherever there is a `../shared`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check fails by panicking, and its numbers are for people"
)]

#[path = "../suite/testkit/mod.rs"]
mod testkit;

#[path = "../suite/infra/bicep/mod.rs"]
#[allow(dead_code, reason = "tests/suite/infra takes more of it")]
mod bicep;
mod coverage;
mod description;
mod examples;
mod infra;
mod record;
mod schema;
mod spoilt;
#[path = "../suite/infra/templates.rs"]
#[allow(dead_code, reason = "tests/suite/infra takes more of it")]
mod templates;
mod understudy;
mod validate;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use description::{Descriptions, Operation};
use record::{Exchange, Lived, lives};

/// What the checks look at.
struct Held {
    descriptions: Descriptions,
    lives: Vec<Lived>,
}

/// A check panics if something is wrong, and otherwise says what it looked at.
type Check = fn(&Held) -> String;

const CHECKS: [(&str, Check); 10] = [
    ("every_request_is_one_that_azure_describes", every_request),
    ("every_answer_of_the_simulated_azure_is_one_that_azure_describes", every_answer),
    ("every_poll_goes_where_azure_said_and_is_answered_in_its_form", coverage::every_poll),
    ("every_act_of_every_step_of_every_blueprint_is_among_the_requests", coverage::every_act),
    ("no_operation_is_missing", coverage::every_operation),
    ("every_example_of_an_answer_is_understood", every_example),
    ("a_spoilt_request_is_found_out", spoilt::request),
    ("a_spoilt_answer_is_found_out", spoilt::answer),
    ("every_resource_of_the_templates_is_one_that_azure_describes", infra::resources),
    ("a_spoilt_template_is_found_out", infra::spoilt),
];

const WHERE: &str = "the API descriptions are not beside the checkout (../shared/azure-specs)";

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(listed) => return listed,
    };
    let total = wanted.len();
    let Some(descriptions) = Descriptions::load() else {
        println!("\nazure_specs: 0 passed, {total} not run: {WHERE}\n");
        #[expect(
            clippy::disallowed_methods,
            reason = "config reads the program's settings; this one is the tests'"
        )]
        let required = env::var("TENANTRY_SPECS").is_ok_and(|value| value == "required");
        return if required && total > 0 {
            println!("azure_specs: FAILED, for TENANTRY_SPECS=required\n");
            ExitCode::from(101)
        } else {
            ExitCode::SUCCESS
        };
    };
    if total == 0 {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let held = Held { descriptions, lives: runtime.block_on(lives()) };
    println!("\nholding {total} checks against Microsoft's API descriptions");
    let mut failed = 0;
    for (name, check) in wanted {
        match panic::catch_unwind(AssertUnwindSafe(|| check(&held))) {
            Ok(looked_at) => println!("{name} ... passed: {looked_at}"),
            Err(_) => {
                failed += 1;
                println!("{name} ... FAILED");
            }
        }
    }
    println!("\nazure_specs: {} passed, {failed} failed\n", total - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// The checks that the arguments of `cargo test` ask for; an exit code if there is nothing more to do.
fn wanted() -> Result<Vec<(&'static str, Check)>, ExitCode> {
    /// Options of libtest that are followed by a value.
    const VALUED: [&str; 7] =
        ["--test-threads", "--skip", "--format", "--color", "--logfile", "--shuffle-seed", "-Z"];
    let (mut filters, mut exact) = (Vec::new(), false);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                CHECKS.iter().for_each(|(name, _)| println!("{name}: test"));
                return Err(ExitCode::SUCCESS);
            }
            // None is marked so.
            "--ignored" => return Ok(Vec::new()),
            "--exact" => exact = true,
            valued if VALUED.contains(&valued) => drop(arguments.next()),
            flag if flag.starts_with('-') => {}
            _ => filters.push(argument),
        }
    }
    let asked = |name: &str| {
        let fits = |filter: &String| if exact { name == filter } else { name.contains(filter.as_str()) };
        filters.is_empty() || filters.iter().any(fits)
    };
    Ok(CHECKS.into_iter().filter(|(name, _)| asked(name)).collect())
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

impl Held {
    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.lives.iter().flat_map(|life| &life.exchanges)
    }

    /// The operation of each exchange; one without an operation is a fault.
    fn operations(&self, faults: &mut Faults) -> Vec<(Operation<'_>, &Exchange)> {
        let mut found = Vec::new();
        for exchange in self.exchanges() {
            let request = &exchange.request;
            let (path, _) = validate::address(request);
            match self.descriptions.find(request.api, request.method, path) {
                Ok(operation) => found.push((operation, exchange)),
                Err(fault) => faults.add(fault, &request.path),
            }
        }
        found
    }
}

/// Every request of every life is one that Azure describes: path, query, headers, version and body.
fn every_request(held: &Held) -> String {
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let all = held.operations(&mut faults);
    for (operation, exchange) in &all {
        let place = format!("{} {}", exchange.request.method, exchange.request.path);
        for fault in validate::request(operation, &exchange.request) {
            faults.add(format!("{:?}: {fault}", operation.id()), &place);
        }
        distinct.insert(operation.id());
    }
    faults.none();
    format!("{} requests of {} operations", all.len(), distinct.len())
}

/// Every answer of the simulated Azure is one that Azure describes for that operation and status.
fn every_answer(held: &Held) -> String {
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let mut all = held.operations(&mut faults);
    all.retain(|(_, exchange)| exchange.reply.header(understudy::HEADER).is_none());
    for (operation, Exchange { request, reply }) in &all {
        let place = format!("{} {}", request.method, request.path);
        for fault in validate::answer(operation, request.method, reply) {
            faults.add(format!("{:?} {}: {fault}", operation.id(), reply.status), &place);
        }
        distinct.insert((operation.id(), reply.status));
    }
    faults.none();
    format!("{} answers of {} operations and statuses", all.len(), distinct.len())
}

/// Every example that Microsoft gives of an operation that is called is understood by the step that would receive it;
/// only those are left out that break Microsoft's own description.
fn every_example(held: &Held) -> String {
    let mut faults = Faults::default();
    let called: BTreeMap<_, _> = held
        .operations(&mut faults)
        .into_iter()
        .map(|(operation, exchange)| (operation.id(), (operation, exchange)))
        .collect();
    let deviating = held.descriptions.deviating();
    let (mut judged, mut left_out, mut without) = (0, 0, Vec::new());
    for ((service, name), (operation, exchange)) in &called {
        let examples = held.descriptions.examples(service, name);
        if examples.is_empty() && !operation.of.is_graph() {
            without.push(name.as_str());
        }
        for (path, example) in examples {
            if deviating.get(&path).is_some() {
                left_out += 1;
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
    assert!(judged > 40, "only {judged} examples");
    // Besides Graph, whose description has no examples at all.
    assert_eq!(without, ["Providers_Register", "ResourceGroups_Get"], "operations without an example");
    format!("{judged} answers to {} operations; {left_out} examples left out as deviating", called.len())
}
