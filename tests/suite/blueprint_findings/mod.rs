//! Faulty blueprints: each YAML file in this folder has a snapshot with its findings, as `tenantry check` prints them.

use std::{fmt::Write as _, fs, path::Path};

use tenantry::cli::check;
use tenantry_core::blueprint::{Blueprint, Diagnostic, Severity};

fn findings(text: &str) -> Vec<Diagnostic> {
    Blueprint::lint(text).map_or_else(|findings| findings, |checked| checked.warnings)
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text).iter().map(|finding| finding.code).collect()
}

#[test]
fn every_bad_blueprint_has_its_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/blueprint_findings");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(files.len() > 30, "{} files", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let mut printed = Vec::new();
        for finding in findings(&text) {
            check::print(&format!("{name}.yaml"), &finding, &mut printed).unwrap();
        }
        let printed = String::from_utf8(printed).unwrap();
        assert!(!printed.is_empty(), "{name}: nothing was found");
        insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, printed);
        });
    }
}

#[test]
fn ten_faults_are_reported_at_once_with_line_and_column() {
    let text = include_str!("ten-faults.yaml");
    let errors: Vec<Diagnostic> =
        findings(text).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.len() >= 10, "{errors:#?}");
    assert!(errors.iter().all(|finding| finding.line > 1 && finding.column > 0));
}

const HEAD: &str = "blueprint: big\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [a]\nsteps:\n";

fn with_steps(count: usize) -> String {
    (0..count).fold(HEAD.to_owned(), |mut text, n| {
        let _ = writeln!(text, "  s{n}: {{ kind: arm, type: Microsoft.Resources/resourceGroups }}");
        text
    })
}

#[test]
fn size_depth_and_number_of_steps_are_limited() {
    assert_eq!(codes(&with_steps(500)), [] as [&str; 0]);
    assert_eq!(codes(&with_steps(501)), ["too-many"]);
    assert_eq!(codes(&with_steps(100_000)), ["too-large"]);
    let deep = format!("{HEAD}  a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(codes(&deep), ["yaml"], "the parser has a limit of its own for lists on one line");
    let many =
        (0..300).fold(format!("{}  it: {{}}\nvalues:\n", HEAD), |text, n| text + &format!("  v{n}: x\n"));
    assert!(codes(&many).contains(&"too-many"));
    let wide = (0..30_000).fold(HEAD.to_owned(), |text, n| text + &format!("  {n}:\n"));
    assert_eq!(codes(&wide), ["too-many"]);
    let deep = format!("{HEAD}  a: {}1{}\n", "{a: ".repeat(90), "}".repeat(90));
    assert!(codes(&deep).contains(&"too-deep"));
}

#[test]
fn positions_are_exact_in_quoted_and_block_texts() {
    let text = format!(
        "{HEAD}  a:\n    kind: arm\n    type: Microsoft.Resources/resourceGroups\n    body:\n      tags:\n        x: \"ö {{{{ tenant.id }}}} {{{{ nope }}}}\"\n        y: >\n          folded\n            {{{{ missing }}}}\n"
    );
    let positions: Vec<_> =
        findings(&text).into_iter().map(|finding| (finding.line, finding.column)).collect();
    assert_eq!(positions, [(11, 31), (14, 13)]);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let whole = include_str!("../../../blueprints/secure-ai-service.yaml");
    for end in (0..whole.len()).step_by(97).filter(|end| whole.is_char_boundary(*end)) {
        let _ = Blueprint::check(&whole[..end]);
        let swapped = format!("{}{}", &whole[end..], &whole[..end]);
        let _ = Blueprint::check(&swapped);
    }
    for odd in [
        "\u{feff}",
        "\0",
        "? a\n: b",
        "a: b: c",
        "{",
        "]",
        "&",
        "*",
        "!",
        "|",
        "%YAML 9.9\n---\na: 1",
        "\t\n",
        "? [a]\n: x",
        "a: \"\\ud800\"",
    ] {
        let _ = Blueprint::check(odd);
    }
}

#[test]
fn the_shipped_blueprints_have_no_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("blueprints");
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(findings(&fs::read_to_string(&path).unwrap()), [], "{}", path.display());
        let mut out = Vec::new();
        let args = check::CheckArgs { files: vec![path.clone()], json: false, sarif: false };
        check::run(&args, &mut out).unwrap();
        let printed = String::from_utf8(out).unwrap();
        assert!(printed.contains(" is valid: "), "{printed}");
    }
}

#[test]
fn the_exit_code_is_zero_one_or_two() {
    let run = |file: &str, json| {
        let mut out = Vec::new();
        let args = check::CheckArgs {
            files: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(file)],
            json,
            sarif: false,
        };
        let code = check::run(&args, &mut out).unwrap();
        (format!("{code:?}"), String::from_utf8(out).unwrap())
    };
    assert!(run("blueprints/hello.yaml", false).0.contains('0'));
    assert!(
        run("tests/suite/blueprint_findings/088-ambiguous-scalars.yaml", false).0.contains('0'),
        "warnings are no errors"
    );
    assert!(run("tests/suite/blueprint_findings/ten-faults.yaml", false).0.contains('1'));
    let (code, printed) = run("no/such/file.yaml", false);
    assert!(code.contains('2') && printed.contains("can't be read"), "{code} {printed}");
    let (_, json) = run("tests/suite/blueprint_findings/081-cycle.yaml", true);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["code"], "cycle");
    assert_eq!(json["findings"][0]["severity"], "error");
    assert_eq!(json["digest"], serde_json::Value::Null);
}

/// Editors and code scanning read SARIF: one log for all files, a result for each finding, at its line and column.
#[test]
fn several_files_make_one_sarif_log() {
    let file = |name: &str| Path::new("tests/suite/blueprint_findings").join(name);
    let files = vec![file("081-cycle.yaml"), file("088-ambiguous-scalars.yaml")];
    let mut out = Vec::new();
    let args = check::CheckArgs { files: files.clone(), json: false, sarif: true };
    check::run(&args, &mut out).unwrap();
    let log: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let found: Vec<Diagnostic> =
        files.iter().flat_map(|file| findings(&fs::read_to_string(file).unwrap())).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), found.len());
    for (result, finding) in results.iter().zip(&found) {
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(result["ruleId"], finding.code);
        assert_eq!(result["level"], finding.severity.to_string());
        assert_eq!(location["region"]["startLine"], finding.line);
        assert_eq!(location["region"]["startColumn"], finding.column);
        assert!(location["artifactLocation"]["uri"].as_str().unwrap().starts_with("tests/suite/"));
    }
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert!(found.iter().all(|finding| rules.contains(&finding.code)), "{rules:?}");
}
