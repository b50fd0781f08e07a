//! Findings in SARIF 2.1.0, the format that editors and code scanning read.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tenantry_core::blueprint::{Diagnostic, Severity};

/// The log of one run over these files.
pub(super) fn log<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [Diagnostic])>) -> Value {
    let (mut rules, mut results) = (BTreeSet::new(), Vec::new());
    for (file, findings) in files {
        for finding in findings {
            rules.insert(finding.code);
            results.push(result(file, finding));
        }
    }
    let rules: Vec<Value> = rules.into_iter().map(|code| json!({ "id": code })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "tenantry", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(file: &Path, finding: &Diagnostic) -> Value {
    let Diagnostic { line, column, severity, code, message, hint } = finding;
    let level = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = hint.as_ref().map_or_else(|| message.clone(), |hint| format!("{message}; {hint}"));
    // A URI has slashes on every system.
    let uri: Vec<_> = file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    json!({
        "ruleId": code,
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri.join("/").replace("//", "/") },
            "region": { "startLine": line, "startColumn": column },
        }}],
    })
}
