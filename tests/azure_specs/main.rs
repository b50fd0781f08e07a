//! Compares the requests to Azure, and the answers of the simulated Azure, with Microsoft's own API descriptions.
//!
//! The descriptions are not part of the repository: they are expected in `../shared/azure-specs`. Without them nothing
//! can be compared, and libtest would report `ok`; so this target has a `main` of its own, which prints for each check
//! whether it passed, failed or was not run. `TENANTRY_SPECS=required` makes their absence a failure; `.ci/run` sets it
//! if there is a `../shared`.

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
mod unregistered;
mod validate;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use description::{Descriptions, Operation};
use record::{Exchange, RecordedLifecycle, lifecycles};

/// What all checks compare: Microsoft's descriptions and the recorded lifecycles.
struct Recorded {
    descriptions: Descriptions,
    lifecycles: Vec<RecordedLifecycle>,
}

/// A check: panics if something is wrong, and otherwise returns a summary of what it compared, for people.
type Check = fn(&Recorded) -> String;

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
    let checks = match checks() {
        Ok(checks) => checks,
        Err(listed) => return listed,
    };
    let total = checks.len();
    let Some(descriptions) = Descriptions::load() else {
        println!("\nazure_specs: 0 passed, {total} not run: {WHERE}\n");
        #[expect(
            clippy::disallowed_methods,
            reason = "config reads the program's settings; this one is the tests'"
        )]
        let required = env::var("TENANTRY_SPECS").is_ok_and(|value| value == "required");
        return if required && total > 0 {
            println!("azure_specs: FAILED: TENANTRY_SPECS=required\n");
            ExitCode::from(101)
        } else {
            ExitCode::SUCCESS
        };
    };
    if total == 0 {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recorded = Recorded { descriptions, lifecycles: runtime.block_on(lifecycles()) };
    println!("\nrunning {total} checks against Microsoft's API descriptions");
    let mut failed = 0;
    for (name, check) in checks {
        match panic::catch_unwind(AssertUnwindSafe(|| check(&recorded))) {
            Ok(checked) => println!("{name} ... passed: {checked}"),
            Err(_) => {
                failed += 1;
                println!("{name} ... FAILED");
            }
        }
    }
    println!("\nazure_specs: {} passed, {failed} failed\n", total - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// The checks that the arguments of `cargo test` select, or the exit code if no check is to run.
fn checks() -> Result<Vec<(&'static str, Check)>, ExitCode> {
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
            // No check is ignored.
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

/// Faults, each with the first request that has it: a fault that occurs at several requests is reported once.
#[derive(Default)]
struct Faults(BTreeMap<String, String>);

impl Faults {
    fn add(&mut self, fault: String, at: &str) {
        self.0.entry(fault).or_insert_with(|| at.to_owned());
    }

    #[track_caller]
    fn none(self) {
        let reported: Vec<String> = self.0.iter().map(|(fault, at)| format!("{fault}\n    {at}")).collect();
        assert!(reported.is_empty(), "{} faults:\n{}", reported.len(), reported.join("\n"));
    }
}

impl Recorded {
    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.lifecycles.iter().flat_map(|lifecycle| &lifecycle.exchanges)
    }

    /// Each exchange with its operation. A request that no description contains is added to `faults`.
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

/// Each request of each lifecycle conforms to Microsoft's description: path, query, headers, version and body.
fn every_request(recorded: &Recorded) -> String {
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let all = recorded.operations(&mut faults);
    for (operation, exchange) in &all {
        let at = format!("{} {}", exchange.request.method, exchange.request.path);
        for fault in validate::request(operation, &exchange.request) {
            faults.add(format!("{:?}: {fault}", operation.id()), &at);
        }
        distinct.insert(operation.id());
    }
    faults.none();
    format!("{} requests of {} operations", all.len(), distinct.len())
}

/// Each answer of the simulated Azure conforms to Microsoft's description of the operation and status.
fn every_answer(recorded: &Recorded) -> String {
    let (mut faults, mut distinct) = (Faults::default(), BTreeSet::new());
    let mut all = recorded.operations(&mut faults);
    all.retain(|(_, exchange)| exchange.reply.header(unregistered::HEADER).is_none());
    for (operation, Exchange { request, reply }) in &all {
        let at = format!("{} {}", request.method, request.path);
        for fault in validate::answer(operation, request.method, reply) {
            faults.add(format!("{:?} {}: {fault}", operation.id(), reply.status), &at);
        }
        distinct.insert((operation.id(), reply.status));
    }
    faults.none();
    format!("{} answers of {} operations and statuses", all.len(), distinct.len())
}

/// The step that would receive them understands Microsoft's examples of all operations in use. Examples that violate
/// Microsoft's own description are left out.
fn every_example(recorded: &Recorded) -> String {
    let mut faults = Faults::default();
    let called: BTreeMap<_, _> = recorded
        .operations(&mut faults)
        .into_iter()
        .map(|(operation, exchange)| (operation.id(), (operation, exchange)))
        .collect();
    let deviating = recorded.descriptions.deviating();
    let (mut judged, mut left_out, mut without) = (0, 0, Vec::new());
    for ((service, name), (operation, exchange)) in &called {
        let examples = recorded.descriptions.examples(service, name);
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
    // Operations of Graph are not in this list: Graph's description has no examples.
    assert_eq!(without, ["Providers_Register", "ResourceGroups_Get"], "operations without an example");
    format!("{judged} answers to {} operations; {left_out} examples left out as deviating", called.len())
}
