//! Where the time of the load goes, sampled by `perf`: by function, and by phase.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{Outcome, line, stub::Stub};

/// How many stacks are sampled each second, a prime number, so that nothing periodic is always or never hit.
const FREQUENCY: &str = "997";
/// The phases: what they are, and part of the name of the function that all their samples are within. Phases contain
/// others, so their shares do not add up to 100.
const PHASES: [(&str, &str); 12] = [
    ("a request is applied to the document", "<impl tenantry::intake::Intake>::accept"),
    ("  planning", "<impl tenantry::intake::Intake>::plan_with"),
    ("decide", "tenantry_core::engine::decide::decide"),
    ("render and judge a step", "<impl tenantry::reconciler::pass::Pass>::prepare"),
    ("an act in flight", "<impl tenantry::reconciler::pass::Pass>::send::"),
    ("  judge a request", "tenantry_core::blueprint::judge::Guard::objection"),
    ("  request and answer", "tenantry::azure::transport::HttpTransport::exchange::"),
    ("save a document, without the writer", "LocalState as tenantry::ports::StateStore>::save::"),
    ("  the document as JSON", "Tenant>::to_json"),
    ("load a document", "Tenant>::of_row"),
    ("writer thread", "azure_sim::db::write_in_groups"),
    ("  commit", "redb::transactions::WriteTransaction::commit_with"),
];
/// How many functions are listed.
const FUNCTIONS: usize = 30;

/// Samples one run of the load, and prints the shares.
pub(crate) fn report() -> Outcome<()> {
    let stub = Stub::start()?;
    let folder = tempfile::tempdir()?;
    let samples = folder.path().join("samples");
    let recorded = Command::new("perf")
        .args(["record", "--quiet", "-F", FREQUENCY, "--call-graph", "dwarf,16384", "-o"])
        .arg(&samples)
        .arg(std::env::current_exe()?)
        .args(["synthetic", &stub.url])
        .stdout(Stdio::null())
        .status();
    let recorded =
        recorded.map_err(|error| format!("perf can't be run ({error}); Debian has it as linux-perf"))?;
    if !recorded.success() {
        return Err("perf took no samples; the machine may not allow it".into());
    }
    line("profile: shares of the processor time of the load");
    let inclusive = shares(&samples, ["--children", "-F", "overhead_children,sym"])?;
    for (phase, function) in PHASES {
        let share = inclusive.iter().filter(|(_, name)| name.contains(function)).map(|(share, _)| *share);
        line(format_args!("  {:5.1} %  {phase}", share.fold(0.0, f64::max)));
    }
    line("  by function:");
    let own = shares(&samples, ["--no-children", "-F", "overhead,sym"])?;
    for (share, name) in own.into_iter().take(FUNCTIONS) {
        line(format_args!("  {share:5.1} %  {name}"));
    }
    Ok(())
}

/// The functions with their shares in percent, the largest first.
fn shares(samples: &Path, fields: [&str; 3]) -> Outcome<Vec<(f64, String)>> {
    let output = Command::new("perf")
        .args(["report", "--stdio", "-g", "none", "--no-inline", "--percent-limit", "0.1"])
        .args(fields)
        .arg("-i")
        .arg(samples)
        .stderr(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(share).collect())
}

/// Reads a line of perf's report: a share in percent, and the function.
fn share(text: &str) -> Option<(f64, String)> {
    let (share, name) = text.trim().split_once('%')?;
    let name = name.trim();
    // `[.]` marks a function of the program, `[k]` one of the kernel.
    let name = name.strip_prefix("[.] ").or_else(|| name.strip_prefix("[k] "))?;
    Some((share.trim().parse().ok()?, name.to_owned()))
}
