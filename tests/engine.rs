//! Scenarios of the engine: each script in `engine/scenarios` beside the trace that it leaves.
//!
//! A script is a list of commands, played by hand against `decide` and `apply` with a clock that only `wait` moves; the
//! snapshot shows after each command what changed, what was told and what the engine wants next. `engine/script.rs`
//! lists the commands.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "engine/plans.rs"]
mod plans;
#[path = "engine/script.rs"]
mod script;

use std::{fs, path::Path};

#[test]
fn every_scenario_leaves_its_trace() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/scenarios");
    let mut scripts: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    scripts.sort();
    assert!(scripts.len() > 15, "{} scripts", scripts.len());
    for path in scripts {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let trace = script::play(&fs::read_to_string(&path).unwrap());
        insta::with_settings!({ snapshot_path => "engine/scenarios", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, trace);
        });
    }
}
