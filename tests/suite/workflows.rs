//! The files for GitHub and CI (`.github`, `.devcontainer`, `.ci/run`, `.funcignore`) can be parsed, refer to nothing
//! that is missing in the repository, pin what they install, and name the same versions everywhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::isolation::yaml;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The YAML files of a folder: path and parsed content.
fn yaml_files(folder: &str) -> Vec<(PathBuf, Value)> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yml")).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), yaml::value(&fs::read_to_string(&path).unwrap()))).collect()
}

fn workflows() -> Vec<(PathBuf, Value)> {
    let found = yaml_files(".github/workflows");
    let names: Vec<&str> =
        found.iter().map(|(path, _)| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["ci", "infra", "nightly", "release"]);
    found
}

/// The jobs of a workflow.
fn jobs(workflow: &Value) -> impl Iterator<Item = &Value> {
    workflow["jobs"].as_object().unwrap().values()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

/// The scripts of all workflows and of CI, each with the path of its file.
fn scripts() -> Vec<(String, String)> {
    let mut scripts = vec![(".ci/run".to_owned(), read(".ci/run"))];
    for (path, workflow) in workflows() {
        for script in jobs(&workflow).flat_map(steps).filter_map(|step| step["run"].as_str()) {
            scripts.push((path.display().to_string(), script.to_owned()));
        }
    }
    scripts
}

/// The arguments of each call of `cargo xtask` in a script.
fn chores(script: &str) -> Vec<Vec<&str>> {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    let calls = lines.filter_map(|line| Some(line.split_once("cargo xtask ")?.1));
    calls.map(|rest| rest.split_whitespace().collect()).collect()
}

#[test]
fn workflows_may_do_no_more_than_they_need() {
    for (path, workflow) in workflows() {
        let path = path.display();
        let triggers = workflow["on"].as_object().unwrap();
        assert!(
            !triggers.contains_key("pull_request_target"),
            "{path}: code of a fork would run with write permission"
        );
        let all = workflow["permissions"].as_object().unwrap_or_else(|| panic!("{path}: no permissions"));
        assert!(all.values().all(|level| level == "read"), "{path}: {all:?}");
        for job in jobs(&workflow) {
            assert!(job["timeout-minutes"].as_i64().is_some_and(|minutes| minutes <= 90), "{path}: no limit");
            let may_write = job["permissions"].to_string().contains("write");
            for step in steps(job) {
                let uses = step["uses"].as_str().unwrap_or_default();
                // A job that may write does not check out the repository, so it runs no code of it.
                assert!(!may_write || !uses.starts_with("actions/checkout"), "{path}: {job:#}");
                let keeps_token = step["with"]["persist-credentials"] != false;
                assert!(!uses.starts_with("actions/checkout") || !keeps_token, "{path}: {step:#}");
            }
        }
    }
}

#[test]
fn actions_are_pinned_to_a_major_version_or_a_commit() {
    let mut seen = BTreeSet::new();
    for (path, workflow) in workflows() {
        for uses in jobs(&workflow).flat_map(steps).filter_map(|step| step["uses"].as_str()) {
            let (name, version) =
                uses.split_once('@').unwrap_or_else(|| panic!("{}: {uses}", path.display()));
            let major = version.strip_prefix('v').is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit()));
            let commit = version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(major || commit, "{}: {uses}", path.display());
            seen.insert((name.to_owned(), version.to_owned()));
        }
    }
    let names: BTreeSet<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), seen.len(), "one action, one version: {seen:?}");
    assert!(names.contains("actions/attest-build-provenance") && names.contains("actions/attest-sbom"));
}

#[test]
fn scripts_call_xtask_commands_and_files_that_exist() {
    let source = read("xtask/src/main.rs");
    let help = source.split_once("const HELP").unwrap().1.split_once("\";").unwrap().0;
    let mut called = BTreeSet::new();
    for (path, script) in scripts() {
        for arguments in chores(&script) {
            let chore = arguments[0];
            assert!(source.contains(&format!("\"{chore}\" =>")), "{path}: there is no chore {chore}");
            for option in arguments.iter().filter(|argument| argument.starts_with("--")) {
                assert!(help.contains(option), "{path}: `cargo xtask help` does not know {option}");
            }
            called.insert(arguments.join(" "));
        }
        for file in script.lines().filter_map(|line| line.strip_prefix("bash ")) {
            assert!(root().join(file).is_file(), "{path}: there is no {file}");
        }
    }
    for call in ["package --check --again", "package --check --twice"] {
        assert!(called.contains(call), "{call} is called nowhere: {called:?}");
    }
    assert!(scripts().iter().any(|(path, script)| path.ends_with("ci.yml") && script == "bash .ci/run"));
    // The files that a release and CI upload are those that `cargo xtask package` writes.
    let assembled = read("xtask/package/src/main.rs");
    for name in ["tenantry.zip", "tenantry.cdx.json", "SHA256SUMS"] {
        assert!(assembled.contains(&format!("\"{name}\"")));
        for workflow in ["ci", "release"] {
            let text = read(&format!(".github/workflows/{workflow}.yml"));
            assert!(text.contains(&format!("target/package/{name}")), "{workflow}: {name}");
        }
    }
}

/// The part of a text between two other texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} after {start:?}")).0
}

#[test]
fn the_same_versions_are_named_everywhere() {
    let container: Value = serde_json::from_str(&read(".devcontainer/devcontainer.json")).unwrap();
    let toolchain = read("rust-toolchain.toml");
    let channel = between(&toolchain, "channel = \"", "\"");
    assert_eq!(container["features"]["ghcr.io/devcontainers/features/rust:1"]["version"], channel);
    let manifest = read("Cargo.toml");
    assert!(channel.starts_with(between(&manifest, "rust-version = \"", "\"")), "{channel}");
    let azurite = read("xtask/src/azurite.rs");
    let azurite = between(&azurite, "VERSION: &str = \"", "\"");
    let created = container["postCreateCommand"].as_str().unwrap();
    assert!(created.contains(&format!("azurite@{azurite}")), "{created}");
    for (path, script) in scripts() {
        assert!(
            !script.contains("rustup toolchain install ") && !script.contains("rustup default"),
            "{path}"
        );
    }
    // The version of glibc that is linked against, the version that the check permits, and the version that the
    // documentation names are the same.
    let target = read("xtask/src/zig.rs");
    let glibc = between(&target, "\"x86_64-unknown-linux-gnu.", "\"");
    let check = read("xtask/package/src/check.rs");
    assert_eq!(between(&check, "FLOOR: floor::Version = (", ")").replace(", ", "."), glibc);
    assert!(read("docs/packaging.md").contains(&format!("glibc {glibc}")));
}

#[test]
fn python_tools_are_pinned_with_hashes() {
    let list = read("xtask/package/tools.txt");
    let list = list.replace("\\\n", "");
    let tools: Vec<&str> =
        list.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()).collect();
    for tool in &tools {
        assert!(tool.contains("==") && tool.contains("--hash=sha256:"), "{tool}");
    }
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool.split("==").next().unwrap()).collect();
    assert_eq!(names, ["cargo-zigbuild", "cyclonedx-python-lib", "ziglang"].into());
    for (path, script) in scripts() {
        let specs = script.split("--spec ").skip(1).map(|rest| rest.split_whitespace().next().unwrap());
        for spec in specs {
            assert!(spec.contains("=="), "{path}: {spec} is not pinned");
        }
    }
}

#[test]
fn issue_forms_and_dependabot_can_be_parsed() {
    let forms = yaml_files(".github/ISSUE_TEMPLATE");
    let questions: Vec<usize> =
        forms.iter().filter_map(|(_, form)| Some(form["body"].as_array()?.len())).collect();
    assert!(questions.len() == 2 && questions.iter().all(|count| *count > 0), "{questions:?}");
    let updates = yaml::value(&read(".github/dependabot.yml"));
    let kept: BTreeSet<&str> = updates["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|update| update["package-ecosystem"].as_str().unwrap())
        .collect();
    assert_eq!(kept, ["cargo", "devcontainers", "github-actions", "pip"].into());
}

/// Whether a line of `.funcignore` matches an entry of the root folder. The file uses only the two simplest patterns
/// of gitignore: a name, and a star before an ending.
fn is_left(ignored: &str, name: &str) -> bool {
    match ignored.strip_prefix('*') {
        Some(ending) => name.ends_with(ending),
        None => name == ignored,
    }
}

#[test]
fn publishing_from_the_root_sends_the_files_of_the_package() {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let entries: BTreeSet<&str> = listed.lines().map(|path| path.split('/').next().unwrap()).collect();
    let ignore = read(".funcignore");
    let ignored: Vec<&str> =
        ignore.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let sent: BTreeSet<&str> =
        entries.into_iter().filter(|name| !ignored.iter().any(|line| is_left(line, name))).collect();
    let functions = tenantry::host::Function::ALL.into_iter().map(tenantry::host::Function::name);
    let package: BTreeSet<&str> =
        functions.chain(["blueprints", "host.json", "LICENSE-APACHE", "LICENSE-MIT"]).collect();
    assert_eq!(sent, package, "left: what .funcignore leaves over; right: what a package has");
}
