//! Writes the bill of materials, in CycloneDX's JSON.
//!
//! `cargo-cyclonedx` is not used: it writes a random number, the time and paths of this machine, so that each build
//! would give another file.

use serde_json::{Value, json};

use crate::{
    parts::{Key, OURS, Part, Parts},
    sum,
};

/// The version of the CycloneDX specification.
const SPEC: &str = "1.6";

/// The bill of materials of a program that consists of these crates. The same program gives the same bytes.
pub(crate) fn write(parts: &Parts, program: &[u8]) -> Vec<u8> {
    let digest = sum(program);
    let ours = parts.crates.iter().find(|((name, _), _)| name == OURS);
    let mut main = ours.map(|(key, part)| component(key, part)).unwrap_or_default();
    main["type"] = json!("application");
    main["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]);
    let others = parts.crates.iter().filter(|((name, _), _)| name != OURS);
    let mut components: Vec<Value> = others.map(|(key, part)| component(key, part)).collect();
    components.push(json!({
        "type": "library", "bom-ref": "rust-std", "name": "std", "version": parts.compiler,
        "description": "The standard library of the Rust compiler, which is linked in",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        "externalReferences": [{ "type": "vcs", "url": "https://github.com/rust-lang/rust" }],
    }));
    let dependencies: Vec<Value> = parts
        .crates
        .iter()
        .map(|(key, part)| {
            let mut on: Vec<String> = part.needs.iter().map(purl).collect();
            if key.0 == OURS {
                on.push("rust-std".to_owned());
            }
            json!({ "ref": purl(key), "dependsOn": on })
        })
        .collect();
    let bill = json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{SPEC}.schema.json"),
        "bomFormat": "CycloneDX", "specVersion": SPEC, "version": 1, "serialNumber": serial(&digest),
        "metadata": {
            "component": main,
            "tools": { "components": [{ "type": "application", "name": "tenantry-package" }] },
        },
        "components": components,
        "dependencies": dependencies,
    });
    format!("{bill:#}\n").into_bytes()
}

fn component((name, version): &Key, part: &Part) -> Value {
    let key = (name.clone(), version.clone());
    let mut component = json!({
        "type": "library", "bom-ref": purl(&key), "name": name, "version": version, "purl": purl(&key),
    });
    if let Some(licence) = &part.licence {
        component["licenses"] = json!([{ "expression": licence }]);
    }
    if let Some(checksum) = &part.checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &part.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// The package URL of a crate. A version may have a plus sign before its build metadata, which is percent-encoded.
fn purl((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// A UUID of version 8 (RFC 9562), made of the program's digest.
fn serial(digest: &str) -> String {
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_part_and_what_it_needs_is_listed() {
        let key = |name: &str| (name.to_owned(), "1.0.0+x".to_owned());
        let axum =
            Part { checksum: Some("ab".repeat(32)), licence: Some("MIT".to_owned()), ..Part::default() };
        let ours = Part { needs: [key("axum")].into(), ..Part::default() };
        let crates = BTreeMap::from([(key("axum"), axum), (key(OURS), ours)]);
        let parts = Parts { crates, compiler: "1.2.3".to_owned() };
        let bill = write(&parts, b"program");
        assert_eq!(bill, write(&parts, b"program"));
        let bill: Value = serde_json::from_slice(&bill).unwrap();
        assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], sum(b"program"));
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/axum@1.0.0%2Bx");
        assert_eq!(bill["components"][1]["version"], "1.2.3");
        let needed = &bill["dependencies"][1]["dependsOn"];
        assert_eq!(*needed, json!(["pkg:cargo/axum@1.0.0%2Bx", "rust-std"]));
    }
}
