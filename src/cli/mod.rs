//! The command line, with a file for each command. Exit codes: 0 success, 1 the result is not the desired one, 2 the
//! command could not be carried out.
//!
//! A request that repeats an earlier one changes nothing: the exit code is 0 while the result of the earlier one still
//! holds or is in progress, otherwise 1.

mod blueprints;
mod call;
pub mod check;
mod drift;
mod history;
mod list;
#[cfg(feature = "local")]
mod local;
#[cfg(not(feature = "local"))]
mod no_local;
mod output;
pub mod permissions;
mod permissions_of;
pub mod plan;
mod reconcile;
mod repeat;
mod retry;
mod sarif;
mod serve;
mod shutdown;
mod status;
mod submit;
mod telemetry;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(not(feature = "local"))]
use self::no_local as local;
use crate::{
    config::Config,
    telemetry::{Style, begin},
};

/// The arguments of the program. `about` prints the description in Cargo.toml.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Local(local::Command),
    Serve(serve::Args),
    Check(check::CheckArgs),
    Plan(plan::PlanArgs),
    Permissions(permissions::PermissionsArgs),
    Submit(submit::Args),
    Status(status::Args),
    List(list::Args),
    Retry(retry::Args),
    Reconcile(reconcile::Args),
    History(history::Args),
    Verify(verify::Args),
    Drift(drift::Args),
}

/// Runs the command that the program's arguments name. Returns the exit code.
pub async fn run() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let serves = matches!(command, Command::Serve(_));
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(faults) => {
            let problems: Vec<String> = faults.iter().map(ToString::to_string).collect();
            if serves {
                return shutdown::refused(&problems).await;
            }
            problems.iter().for_each(|problem| output::problem(problem));
            return ExitCode::from(2);
        }
    };
    // At `info`, azure_identity logs at every start which of its own settings are absent.
    let (style, level) =
        if serves { (Style::Json, "info,azure_identity=warn") } else { (Style::Plain, "warn") };
    begin(style, config.log.as_deref(), level);
    match command {
        Command::Local(command) => Box::pin(exporting(config, |config| local::run(command, config))).await,
        Command::Serve(args) => exporting(config, |config| serve::run(args, config)).await,
        Command::Check(args) => printed(check::run(&args, &mut std::io::stdout())),
        Command::Permissions(args) => match blueprints::known(&config) {
            Ok(known) if args.held => permissions::compare(&args, &known, config.azure.as_ref()).await,
            Ok(known) => match args.url.clone() {
                Some(url) => {
                    printed(permissions::run_of_instance(&args, &url, &known, &mut std::io::stdout()).await)
                }
                None => {
                    let stamps = config.azure.map_or_else(local::stamps, |azure| azure.stamps);
                    printed(permissions::run(&args, &known, &stamps, &mut std::io::stdout()))
                }
            },
            Err(problems) => {
                problems.iter().for_each(|problem| output::problem(problem));
                ExitCode::from(2)
            }
        },
        Command::Plan(args) => printed(plan::run(&args, local::stamps().first(), &mut std::io::stdout())),
        Command::Submit(args) => submit::run(args, config).await,
        Command::Status(args) => status::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Reconcile(args) => reconcile::run(args).await,
        Command::History(args) => history::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Drift(args) => drift::run(args).await,
    }
}

/// Runs a command, and exports telemetry until the command ends.
async fn exporting<F: Future<Output = ExitCode>>(
    config: Config,
    command: impl FnOnce(Config) -> F,
) -> ExitCode {
    let exporter = telemetry::begin(&config);
    let code = command(config).await;
    telemetry::end(exporter).await;
    code
}

/// The exit code of a command; 2 if its output could not be written.
fn printed(result: std::io::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        output::problem(&format!("the output can't be written: {error}"));
        ExitCode::from(2)
    })
}
