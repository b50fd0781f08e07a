//! `tenantry plan`: what would be done for a tenant, without asking Azure anything.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Map, Value, json};

use crate::{
    blueprint::{Blueprint, DEFAULT, Fault, Plan, PlannedStep, Subject, preview},
    ids::{StepName, TenantId, sha256_hex},
};

/// Shows every request that would be made for a tenant. Azure is not called.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sign-up message: JSON, as it is or within a CloudEvent.
    #[arg(long, value_name = "FILE")]
    pub tenant: PathBuf,
    /// The blueprint; without it the one for secure AI services.
    #[arg(long, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    /// Where the tenant would be placed (JSON); without it the stamp of the local world.
    #[arg(long, value_name = "FILE")]
    pub stamp: Option<PathBuf>,
    /// Print the whole plan as JSON.
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
    /// Print the graph of steps for Graphviz.
    #[arg(long)]
    pub dot: bool,
}

/// Runs the command: exit code 0 with a plan, 1 if there is none because of the request or the blueprint, 2 if a file
/// can't be read.
///
/// Errors: only those of `out` itself.
pub fn run(args: &Args, local_stamp: &Value, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    let text = match args.blueprint.as_deref().map(read).unwrap_or_else(|| Ok(DEFAULT.to_owned())) {
        Ok(text) => text,
        Err(why) => return usage(&why, out),
    };
    let (message, stamp) = match (json_file(&args.tenant), args.stamp.as_deref().map(json_file).transpose()) {
        (Ok(message), Ok(stamp)) => (message, stamp.unwrap_or_else(|| local_stamp.clone())),
        (Err(why), _) | (_, Err(why)) => return usage(&why, out),
    };
    let blueprint = match Blueprint::check(&text) {
        Ok(checked) => checked.blueprint,
        Err(findings) => {
            let file =
                args.blueprint.as_deref().unwrap_or(Path::new("default blueprint")).display().to_string();
            findings.iter().try_for_each(|finding| super::check::tell(&file, finding, out))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let planned = subject(&message, stamp).and_then(|subject| Ok((blueprint.plan(&subject)?, subject)));
    match planned {
        Err(faults) => {
            let file = args.tenant.display();
            for Fault { pointer, code, message } in faults {
                writeln!(out, "{file}: {pointer}: error[{code}]: {message}")?;
            }
            Ok(ExitCode::FAILURE)
        }
        Ok((plan, subject)) => {
            match (args.json, args.dot) {
                (true, _) => writeln!(out, "{:#}", json!(plan))?,
                (_, true) => dot(&plan, out)?,
                _ => requests(&plan, &subject, out)?,
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

/// Whom a sign-up message speaks of. A minimal view: a message is judged in full when it is submitted.
fn subject(message: &Value, stamp: Value) -> Result<Subject, Vec<Fault>> {
    let request = message.get("data").filter(|_| message.get("specversion").is_some()).unwrap_or(message);
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let fault = |pointer: &str, code, message: String| vec![Fault { pointer: pointer.into(), code, message }];
    let tenant_id = match text("/tenantId") {
        Some(id) => id.parse().map_err(|why| fault("/tenantId", "bad-id", format!("{why}")))?,
        None => derived_id(&text("/requestId").unwrap_or_default()).ok_or_else(|| {
            fault("/tenantId", "missing", "neither `tenantId` nor `requestId` is there".into())
        })?,
    };
    let tier =
        text("/spec/tier").ok_or_else(|| fault("/spec/tier", "missing", "`tier` is not there".into()))?;
    let spec = request.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    let members = ["displayName", "region", "homeTenantId", "adminContact", "tags"];
    let tenant: Map<String, Value> =
        members.iter().filter_map(|name| Some(((*name).to_owned(), spec.get(*name)?.clone()))).collect();
    let parameters = spec.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    let tenant = Value::Object(tenant);
    Ok(Subject { deployment: "local".into(), tenant_id, incarnation: 1, tier, tenant, parameters, stamp })
}

/// A stand-in for the id that a submitted message without one is given.
fn derived_id(request: &str) -> Option<TenantId> {
    let hash = sha256_hex(request.as_bytes());
    (!request.is_empty()).then(|| format!("t-{}", &hash[..16]).parse().ok()).flatten()
}

/// The requests of each step in the order in which they would be made.
fn requests(plan: &Plan, subject: &Subject, out: &mut dyn io::Write) -> io::Result<()> {
    let order = plan.order();
    let (name, version) = (&plan.blueprint.name, &plan.blueprint.version);
    let (count, depth) = (order.len(), plan.depth());
    writeln!(
        out,
        "{name} {version} for tenant {} ({}): {count} steps, {depth} levels",
        subject.tenant_id, subject.tier
    )?;
    for (at, step) in order.iter().enumerate() {
        let Some(planned) = plan.steps.get(step) else { continue };
        let needs: Vec<String> = planned.needs.iter().map(ToString::to_string).collect();
        let after = if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
        writeln!(out, "\n{:>3}. {step} ({}){after}", at + 1, preview::kind_name(planned.kind))?;
        let fields = preview::shown(plan, planned);
        for request in preview::requests(planned.kind, &fields) {
            writeln!(out, "     {} {}", request.method, request.url)?;
            request.body.iter().try_for_each(|body| indented(body, out))?;
        }
        if let Some(expect) = fields.get("expect") {
            writeln!(out, "     expects")?;
            indented(expect, out)?;
        }
    }
    writeln!(out, "\nexports")?;
    for (name, text) in preview::exports(plan) {
        writeln!(out, "     {name}: {text}")?;
    }
    Ok(())
}

fn indented(value: &Value, out: &mut dyn io::Write) -> io::Result<()> {
    format!("{value:#}").lines().try_for_each(|line| writeln!(out, "       {line}"))
}

/// The graph in Graphviz's language.
fn dot(plan: &Plan, out: &mut dyn io::Write) -> io::Result<()> {
    let label =
        |step: &StepName, planned: &PlannedStep| format!("{step}\\n{}", preview::kind_name(planned.kind));
    let steps: BTreeMap<_, _> = plan.steps.iter().collect();
    writeln!(out, "digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];", plan.blueprint.name)?;
    for (step, planned) in &steps {
        writeln!(out, "  \"{step}\" [label=\"{}\"];", label(step, planned))?;
    }
    for (step, planned) in &steps {
        for need in &planned.needs {
            writeln!(out, "  \"{need}\" -> \"{step}\";")?;
        }
    }
    writeln!(out, "}}")
}
