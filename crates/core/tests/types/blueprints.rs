use serde_json::Value;
use tenantry_core::{
    blueprint::ResourceType,
    types::{BodyFinding, ResourceTypes},
};

use crate::yaml;

pub(crate) const BLUEPRINTS: [&str; 3] = [
    include_str!("../../../../blueprints/hello.yaml"),
    include_str!("../../../../blueprints/language-service.yaml"),
    include_str!("../../../../blueprints/secure-ai-service.yaml"),
];

/// A step that creates a resource.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) version: String,
    pub(crate) body: Value,
}

/// The steps of all shipped blueprints that create resources.
pub(crate) fn steps() -> Vec<Step> {
    let mut found = Vec::new();
    for blueprint in BLUEPRINTS {
        for (name, step) in yaml::value(blueprint)["steps"].as_object().unwrap() {
            if step["kind"] != "arm" {
                continue;
            }
            let type_name = step["type"].as_str().unwrap().to_owned();
            let default = || ResourceType::find(&type_name).unwrap().api_version;
            let version = step["apiVersion"].as_str().unwrap_or_else(default).to_owned();
            let body = step.get("body").cloned().unwrap_or_else(|| serde_json::json!({}));
            found.push(Step { name: name.clone(), type_name, version, body });
        }
    }
    found
}

impl Step {
    /// The findings about a body of the step's type. Expressions are not known yet, and neither is the location, which
    /// is the stamp's.
    pub(crate) fn check(&self, body: &Value) -> Vec<BodyFinding> {
        let is_expression =
            |at: &str| body.pointer(at).and_then(Value::as_str).is_some_and(|text| text.contains("{{"));
        let late = |at: &str| at == "/location" || is_expression(at);
        ResourceTypes::known().check_body(&self.type_name, &self.version, body, &late).unwrap()
    }
}

#[test]
fn the_shipped_blueprints_have_good_bodies() {
    let steps = steps();
    for step in &steps {
        assert_eq!(step.check(&step.body), [], "{}", step.name);
    }
    let mut types: Vec<_> = steps.iter().map(|step| step.type_name.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 12, "{types:?}");
}
