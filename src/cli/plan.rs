//! `tenantry plan`: prints the requests that would be sent for a tenant, without calling Azure.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{
        Blueprint, DEFAULT, IsolationProof, Outputs, Plan, PlanContext, PlannedStep, Rendered, preview,
        role_assignment_name,
    },
    ids::StepName,
    steps::{self, Request},
};

use crate::intake::{self, Command, Fault, Stamp, plan_context};

/// The deployment's name, from which names of resources are derived: the default of the local environment.
const DEPLOYMENT: &str = "local";

/// Show every request that would be sent for a tenant, without calling Azure.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// The sign-up message: a JSON file, bare or as a CloudEvent.
    #[arg(long, value_name = "FILE")]
    pub tenant: PathBuf,
    /// The blueprint, a YAML file [default: the built-in one for secure AI services]
    #[arg(long, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    /// The stamp that the tenant would be placed on, a JSON file [default: the stamp of the local environment]
    #[arg(long, value_name = "FILE")]
    pub stamp: Option<PathBuf>,
    /// Print the whole plan as JSON.
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
    /// Print the graph of steps for Graphviz.
    #[arg(long)]
    pub dot: bool,
}

/// Runs the command: exit code 0 with a plan, 1 if the request or the blueprint is invalid, 2 if a file can't be read
/// or no stamp is known.
///
/// Errors: only if `out` can't be written.
pub fn run(args: &PlanArgs, default_stamp: Option<&Value>, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    let text = match args.blueprint.as_deref().map(read).unwrap_or_else(|| Ok(DEFAULT.to_owned())) {
        Ok(text) => text,
        Err(why) => return usage(&why, out),
    };
    let (message, stamp) = match (read(&args.tenant), args.stamp.as_deref().map(json_file).transpose()) {
        (Ok(message), Ok(stamp)) => match stamp.or_else(|| default_stamp.cloned()) {
            Some(stamp) => (message, stamp),
            None => return usage("no stamp is known. Name a file with a stamp: --stamp FILE", out),
        },
        (Err(why), _) | (_, Err(why)) => return usage(&why, out),
    };
    let blueprint = match Blueprint::check(&text) {
        Ok(checked) => checked.blueprint,
        Err(findings) => {
            let file =
                args.blueprint.as_deref().unwrap_or(Path::new("default blueprint")).display().to_string();
            findings.iter().try_for_each(|finding| super::check::print(&file, finding, out))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let own = |fault: tenantry_core::blueprint::Fault| Fault::new(fault.pointer, fault.code, fault.message);
    let planned = plan_context_of(message.as_bytes(), stamp).and_then(|plan_context| {
        match blueprint.plan(&plan_context) {
            Ok(plan) => Ok((plan, plan_context)),
            Err(faults) => Err(faults.into_iter().map(own).collect()),
        }
    });
    match planned {
        Err(faults) => {
            let file = args.tenant.display();
            for Fault { pointer, code, message } in faults {
                writeln!(out, "{file}: {pointer}: error[{code}]: {message}")?;
            }
            Ok(ExitCode::FAILURE)
        }
        Ok((plan, plan_context)) => {
            match (args.json, args.dot) {
                (true, _) => writeln!(out, "{:#}", json!(plan))?,
                (_, true) => dot(&plan, out)?,
                _ => requests(&plan, &plan_context, out)?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn usage(why: &str, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    writeln!(out, "{why}")?;
    Ok(ExitCode::from(2))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: can't be read: {error}", path.display()))
}

fn json_file(path: &Path) -> Result<Value, String> {
    serde_json::from_str(&read(path)?)
        .map_err(|error| format!("{}: this is not JSON: {error}", path.display()))
}

/// Checks a sign-up message as intake does, and makes the context of its plan. Any other action is an error.
fn plan_context_of(message: &[u8], stamp: Value) -> Result<PlanContext, Vec<Fault>> {
    let request = intake::read(message, DEPLOYMENT)?;
    match &request.command {
        Command::Signup(spec) => {
            Ok(plan_context(DEPLOYMENT, &request.tenant_id, 1, spec, &Stamp { value: stamp }))
        }
        Command::Update(_)
        | Command::Suspend(..)
        | Command::Resume
        | Command::Deprovision
        | Command::Retry { .. }
        | Command::Reconcile => {
            let message =
                "only a sign-up can be planned without the tenant's state; submit others with dryRun";
            Err(vec![Fault::new("/action", "not_a_signup", message)])
        }
    }
}

/// Prints the requests of each step, in the order in which they would be sent, and the exports.
fn requests(plan: &Plan, plan_context: &PlanContext, out: &mut dyn io::Write) -> io::Result<()> {
    let order = plan.order();
    let (name, version) = (&plan.blueprint.name, &plan.blueprint.version);
    let (count, depth) = (order.len(), plan.depth());
    writeln!(
        out,
        "{name} {version} for tenant {} ({}): {count} steps, {depth} levels",
        plan_context.tenant_id, plan_context.tier
    )?;
    for (at, step) in order.iter().enumerate() {
        let Some(planned) = plan.steps.get(step) else { continue };
        let needs: Vec<String> = planned.needs.iter().map(ToString::to_string).collect();
        let after = if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
        writeln!(out, "\n{:>3}. {step} ({}){after}", at + 1, planned.kind().as_str())?;
        match preview::shown(plan, planned) {
            Ok(Rendered::Isolation(what)) => proof(&what, out)?,
            Ok(rendered) => one_step(&rendered, planned, out)?,
            Err(error) => writeln!(out, "     {error}")?,
        }
    }
    writeln!(out, "\nexports")?;
    for (name, text) in preview::exports(plan) {
        writeln!(out, "     {name}: {text}")?;
    }
    Ok(())
}

fn one_step(rendered: &Rendered, planned: &PlannedStep, out: &mut dyn io::Write) -> io::Result<()> {
    match steps::step(rendered, &planned.outputs, &Outputs::new()) {
        Ok(made) => [Some(made.read()), made.write(None)]
            .iter()
            .flatten()
            .try_for_each(|request| show(request, rendered, out))?,
        Err(failure) => writeln!(out, "     {failure}")?,
    }
    if let Rendered::Check(check) = rendered {
        writeln!(out, "     expects")?;
        indented(&check.expect, out)?;
    }
    Ok(())
}

/// Prints what the isolation check reads and calls. It sends too many requests to list them.
fn proof(what: &IsolationProof<Value>, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "     reads all of the above, the role assignments that affect it, and who can act as the tenant"
    )?;
    if let Some(url) = what.probe.as_ref().and_then(|probe| probe.url.as_str()) {
        writeln!(out, "     calls {url} as the tenant, as another one, and without credentials")?;
    }
    if what.accepts_inconclusive { writeln!(out, "     accepts `inconclusive`") } else { Ok(()) }
}

/// Prints a request as text. Values that are not known yet are in angle brackets, which are not encoded in the path.
fn show(request: &Request, rendered: &Rendered, out: &mut dyn io::Write) -> io::Result<()> {
    let mut path = percent_decode_str(&request.path).decode_utf8_lossy().into_owned();
    if let Rendered::RoleAssignment(grant) = rendered {
        // The name is derived from the principal's id, which is not known yet.
        let (scope, principal, role) =
            (grant.scope.as_str(), grant.principal_id.as_str(), grant.role_definition_id.as_str());
        if [scope, principal, role].iter().any(|part| part.contains('<')) {
            let name = role_assignment_name(scope, principal, role).to_string();
            path = path.replace(&name, "<GUID of scope, principal and role>");
        }
    }
    writeln!(out, "     {} {path}", request.method)?;
    request.headers.iter().try_for_each(|(name, value)| writeln!(out, "       {name}: {value}"))?;
    request.body.iter().try_for_each(|body| indented(body, out))
}

fn indented(value: &Value, out: &mut dyn io::Write) -> io::Result<()> {
    format!("{value:#}").lines().try_for_each(|line| writeln!(out, "       {line}"))
}

/// Prints the graph of steps in DOT, the language of Graphviz.
fn dot(plan: &Plan, out: &mut dyn io::Write) -> io::Result<()> {
    let label = |step: &StepName, planned: &PlannedStep| format!("{step}\\n{}", planned.kind().as_str());
    writeln!(out, "digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];", plan.blueprint.name)?;
    for (step, planned) in &plan.steps {
        writeln!(out, "  \"{step}\" [label=\"{}\"];", label(step, planned))?;
    }
    for (step, planned) in &plan.steps {
        for need in &planned.needs {
            writeln!(out, "  \"{need}\" -> \"{step}\";")?;
        }
    }
    writeln!(out, "}}")
}
