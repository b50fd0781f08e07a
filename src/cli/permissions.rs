//! `tenantry permissions`: the least permissions that blueprints need.

use std::{io, path::Path, process::ExitCode, sync::Arc};

use clap::ValueEnum;
use serde_json::Value;
use tenantry_core::{
    blueprint::Blueprint,
    permissions::{
        Permissions, Reach, RoleComparison,
        bicep::bicep,
        data_plane::{GRAPH, GRAPH_OPTIONAL, ROLES},
        derive_placed,
        document::{Principals, document},
    },
};

use super::{
    output,
    permissions_of::{OfInstance, Placed},
};
use crate::{
    azure::rights::{Finding, held},
    config::AzureConfig,
    ports::{Clock, SystemClock},
};

/// Print the least permissions that blueprints need: roles, their conditions, and permissions of Microsoft Graph.
#[derive(Debug, clap::Args)]
pub struct PermissionsArgs {
    /// Files, or names of the built-in blueprint or of blueprints in TENANTRY_BLUEPRINTS [default: the built-in one and
    /// all in TENANTRY_BLUEPRINTS]
    pub blueprints: Vec<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Only for tenants of this tier; can be given several times.
    #[arg(long, value_name = "TIER")]
    pub tier: Vec<String>,
    /// A JSON file with one stamp or an array of stamps [default: the stamps in TENANTRY_STAMPS, or that of the local
    /// environment]
    #[arg(long, value_name = "FILE")]
    pub stamp: Option<std::path::PathBuf>,
    /// The address of a running instance: include all blueprints that it offers or its tenants use, with their stamps;
    /// further blueprints can be named.
    #[arg(long, value_name = "URL", conflicts_with = "stamp")]
    pub url: Option<String>,
    /// Compare with the permissions that the configured identities hold; exit code 1 if a permission is missing.
    #[arg(long, conflicts_with_all = ["format", "stamp"])]
    pub held: bool,
}

/// How permissions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text.
    Text,
    /// Role definitions and assignments for Azure's REST API.
    Json,
    /// A Bicep file.
    Bicep,
}

/// Runs the command. `configured` and `stamps` are those of the settings. Exit code 0, 1 if a blueprint is invalid or
/// its permissions can't be derived, 2 if a file can't be read or no stamp is known.
///
/// Errors: only if `out` can't be written.
pub fn run(
    args: &PermissionsArgs,
    configured: &[Blueprint],
    stamps: &[Value],
    out: &mut dyn io::Write,
) -> io::Result<ExitCode> {
    let stamps = match args.stamp.as_deref().map(stamp_file).transpose() {
        Ok(given) => given.unwrap_or_else(|| stamps.to_vec()),
        Err(why) => return usage(&why, out),
    };
    let placed = match chosen(args, configured, out)? {
        Ok(blueprints) => blueprints.into_iter().map(|blueprint| (blueprint, stamps.clone())).collect(),
        Err(code) => return Ok(code),
    };
    print(args, placed, &stamps, out)
}

/// Like [`run`], for a running instance. The exit code is 1 also if a blueprint of its tenants can't be read, and 2 if
/// the instance does not answer.
///
/// Errors: only if `out` can't be written.
pub(super) async fn run_of_instance(
    args: &PermissionsArgs,
    url: &str,
    configured: &[Blueprint],
    out: &mut dyn io::Write,
) -> io::Result<ExitCode> {
    let of = match OfInstance::ask(url).await {
        Ok(of) => of,
        Err(code) => return Ok(code),
    };
    let mut placed = of.blueprints;
    if !args.blueprints.is_empty() {
        match chosen(args, configured, out)? {
            Ok(named) => add(&mut placed, named, &of.stamps),
            Err(code) => return Ok(code),
        }
    }
    let code = print(args, placed, &of.stamps, out)?;
    Ok(if of.incomplete { ExitCode::FAILURE } else { code })
}

/// Adds blueprints to `placed`, each with `stamps`. A blueprint that is already in `placed` keeps its own stamps.
fn add(placed: &mut Vec<Placed>, named: Vec<Blueprint>, stamps: &[Value]) {
    for blueprint in named {
        if !placed.iter().any(|(known, _)| known.digest() == blueprint.digest()) {
            placed.push((blueprint, stamps.to_vec()));
        }
    }
}

fn print(
    args: &PermissionsArgs,
    placed: Vec<Placed>,
    stamps: &[Value],
    out: &mut dyn io::Write,
) -> io::Result<ExitCode> {
    if stamps.is_empty() {
        return usage("no stamps are known. Name a file with stamps: --stamp FILE or TENANTRY_STAMPS", out);
    }
    match derive_placed(&placed, &args.tier) {
        Err(faults) => {
            for fault in faults {
                writeln!(out, "error[{}]: {}", fault.code, fault.message)?;
            }
            Ok(ExitCode::FAILURE)
        }
        Ok(permissions) => {
            let blueprints: Vec<Blueprint> = placed.into_iter().map(|(blueprint, _)| blueprint).collect();
            match args.format {
                Format::Text => print_text(&permissions, &blueprints, stamps, out)?,
                Format::Json => {
                    writeln!(out, "{:#}", document(&permissions, stamps, &Principals::unknown()))?;
                }
                Format::Bicep => write!(out, "{}", bicep(&permissions, &command(args)))?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The blueprints that the arguments name, or all configured ones if they name none. Prints problems; the inner error
/// is the exit code.
fn chosen(
    args: &PermissionsArgs,
    configured: &[Blueprint],
    out: &mut dyn io::Write,
) -> io::Result<Result<Vec<Blueprint>, ExitCode>> {
    if args.blueprints.is_empty() {
        return Ok(Ok(configured.to_vec()));
    }
    let mut blueprints = Vec::new();
    for name in &args.blueprints {
        // A name stands for all versions of the blueprint.
        let known = configured.iter().filter(|blueprint| blueprint.name() == name);
        let known: Vec<Blueprint> = known.cloned().collect();
        if !known.is_empty() {
            blueprints.extend(known);
            continue;
        }
        let text = match std::fs::read_to_string(name) {
            Ok(text) => text,
            Err(error) => {
                let mut names: Vec<&str> = configured.iter().map(Blueprint::name).collect();
                names.dedup();
                let names = names.join(", ");
                let why = format!(
                    "{name}: no such blueprint (there is {names}), and no file that can be read: {error}"
                );
                return usage(&why, out).map(Err);
            }
        };
        match Blueprint::check(&text) {
            Ok(checked) => blueprints.push(checked.blueprint),
            Err(findings) => {
                findings.iter().try_for_each(|finding| super::check::print(name, finding, out))?;
                return Ok(Err(ExitCode::FAILURE));
            }
        }
    }
    Ok(Ok(blueprints))
}

/// Compares the required permissions with those that the configured identities hold in Azure. Exit code 0, 1 if a
/// permission is missing or a blueprint of the instance can't be read, 2 if the comparison is not possible.
pub(super) async fn compare(
    args: &PermissionsArgs,
    configured: &[Blueprint],
    azure: Option<&AzureConfig>,
) -> ExitCode {
    let Some(azure) = azure else {
        output::problem("permissions are held in Azure: set TENANTRY_ENVIRONMENT=azure and its settings");
        return ExitCode::from(2);
    };
    let mut out = io::stdout();
    let blueprints = match chosen(args, configured, &mut out) {
        Ok(Ok(blueprints)) => blueprints,
        Ok(Err(code)) => return code,
        Err(_) => return ExitCode::from(2),
    };
    let (mut placed, mut azure) = (Vec::new(), azure.clone());
    let mut incomplete = false;
    if let Some(url) = &args.url {
        match OfInstance::ask(url).await {
            Ok(of) => (placed, incomplete) = (of.blueprints, of.incomplete),
            Err(code) => return code,
        }
        for stamp in placed.iter().flat_map(|(_, stamps)| stamps.clone()).collect::<Vec<_>>() {
            if !azure.stamps.contains(&stamp) {
                azure.stamps.push(stamp);
            }
        }
    }
    if args.url.is_none() || !args.blueprints.is_empty() {
        add(&mut placed, blueprints, &azure.stamps);
    }
    let permissions = match derive_placed(&placed, &args.tier) {
        Ok(permissions) => permissions,
        Err(faults) => {
            faults.iter().for_each(|fault| output::problem(&fault.message));
            return ExitCode::FAILURE;
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match held(&azure, &clock, azure.request_timeout, &permissions).await {
        Ok(findings) => {
            let worst = findings.iter().map(found).max().unwrap_or_default();
            ExitCode::from(worst.max(u8::from(incomplete)))
        }
        Err(error) => {
            output::problem(&output::chain(&error));
            ExitCode::from(2)
        }
    }
}

/// Prints the comparison for one identity at one scope. Returns exit code 0, 1 if a permission is missing, 2 if it
/// failed.
fn found(finding: &Finding) -> u8 {
    let Finding { identity, location, comparison } = finding;
    match comparison {
        Err(failure) => {
            output::line(&format!("{identity} at {location}: can't be compared: {failure}"));
            2
        }
        Ok(RoleComparison { missing, excess }) => {
            let verdict = if missing.is_empty() { "nothing is missing" } else { "something is missing" };
            output::line(&format!("{identity} at {location}: {verdict}"));
            missing.iter().for_each(|action| output::line(&format!("  missing     {action}")));
            excess.iter().for_each(|action| output::line(&format!("  not needed  {action}")));
            u8::from(!missing.is_empty())
        }
    }
}

fn usage(why: &str, out: &mut dyn io::Write) -> io::Result<ExitCode> {
    writeln!(out, "{why}")?;
    Ok(ExitCode::from(2))
}

/// Reads a JSON file with one stamp or an array of stamps.
fn stamp_file(path: &Path) -> Result<Vec<Value>, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{}: can't be read: {error}", path.display()))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{}: this is not JSON: {error}", path.display()))?;
    Ok(if let Value::Array(stamps) = value { stamps } else { vec![value] })
}

/// The command that is named at the head of the Bicep file, without the folders of the user's files.
fn command(args: &PermissionsArgs) -> String {
    let name = |given: &String| {
        Path::new(given).file_name().map_or(given.clone(), |n| n.to_string_lossy().into_owned())
    };
    let instance = args.url.iter().map(|_| "--url URL".to_owned());
    let blueprints = args.blueprints.iter().map(name).chain(instance);
    let tiers = args.tier.iter().map(|tier| format!("--tier {tier}"));
    let arguments: Vec<String> = blueprints.chain(tiers).collect();
    format!("tenantry permissions {} --format bicep", arguments.join(" ")).replace("  ", " ")
}

/// Prints the permissions as text, each with its reason.
fn print_text(
    permissions: &Permissions,
    blueprints: &[Blueprint],
    stamps: &[Value],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let names: Vec<String> =
        blueprints.iter().map(|blueprint| format!("{} {}", blueprint.name(), blueprint.version())).collect();
    writeln!(out, "The least permissions for {}", names.join(", "))?;
    let principals = Principals::unknown();
    for custom in permissions.roles(&principals) {
        let count = custom.role.actions.len();
        writeln!(out, "\n{}: the custom role of the {}, {count} actions", custom.name, custom.identity)?;
        for scope in permissions.scopes(stamps) {
            writeln!(out, "  assigned at {scope}")?;
        }
        let width = custom.role.names().map(str::len).max().unwrap_or_default();
        for (action, why) in &custom.role.actions {
            let why: Vec<&str> = why.iter().map(String::as_str).collect();
            writeln!(out, "    {action:width$}  {}", why.join("; "))?;
        }
        if let Some(condition) = custom.condition {
            writeln!(out, "  only under the condition\n    {condition}")?;
        }
    }
    match &permissions.reach {
        Reach::StampGroup => writeln!(out, "\nNothing is needed outside of the stamp's resource group.")?,
        Reach::Subscription(reasons) => {
            writeln!(out, "\nThe roles have to be assigned at the subscription:")?;
            reasons.iter().try_for_each(|reason| writeln!(out, "  {reason}"))?;
        }
    }
    if permissions.entra {
        writeln!(
            out,
            "\nMicrosoft Graph, for the provisioner only: Entra lets an application be changed and deleted by"
        )?;
        writeln!(out, "the application that has created it\n  {GRAPH}")?;
        writeln!(
            out,
            "  {GRAPH_OPTIONAL} (optional, reads only: without it deleted applications are neither restored nor purged)"
        )?;
    }
    writeln!(out, "\nBuilt-in roles for data")?;
    for role in &ROLES {
        writeln!(
            out,
            "  {:11}  {:30}  {}  at {}: {}",
            role.identity, role.role, role.id, role.scope, role.why
        )?;
    }
    let providers: Vec<&str> = permissions.providers.iter().map(String::as_str).collect();
    writeln!(out, "\nRegistered once in the subscription, when it is set up\n  {}", providers.join(", "))
}
