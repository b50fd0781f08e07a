//! Finds the names that a blueprint's expressions use, also through named values, and the dependencies between steps
//! that follow from them.

use std::collections::BTreeSet;

use super::{
    Kind, expression,
    file::{File, Step},
    graph,
    tree::{Node, Shape},
};

/// The steps that each step needs: those it lists, its parents, and those its expressions use.
pub(super) fn needs(file: &File) -> graph::Needs<String> {
    let names = |step: &Step| {
        let listed = step.needs.iter().map(|(name, _)| name.clone());
        let targets = ["in", "of"].into_iter().filter_map(|field| step.target(field).map(str::to_owned));
        let spoken = step.keys.iter().flat_map(|(field, node)| reach(file, &references(field, node)));
        let spoken = spoken.filter_map(|path| path.strip_prefix("steps.").map(first));
        listed.chain(targets).chain(spoken).filter(|name| file.step_names.contains(name)).collect()
    };
    let mut needs: graph::Needs<String> =
        file.steps.iter().map(|step| (step.name.to_string(), names(step))).collect();
    // An `arm-update` writes the other step's body merged with its own, so it needs what that step needs.
    for step in file.steps.iter().filter(|step| step.kind == Kind::ArmUpdate) {
        let inherited = step.target("of").and_then(|of| needs.get(of)).cloned().unwrap_or_default();
        needs.entry(step.name.to_string()).or_default().extend(inherited);
    }
    // The isolation check judges the objects of all other steps, so it needs all of them.
    for step in file.steps.iter().filter(|step| step.kind == Kind::Isolation) {
        let others = file.step_names.iter().filter(|name| *name != step.name.as_str());
        needs.entry(step.name.to_string()).or_default().extend(others.cloned());
    }
    needs
}

/// The first part of a dotted name, e.g. `app` of `app.appId`.
pub(super) fn first(path: &str) -> String {
    path.split('.').next().unwrap_or_default().to_owned()
}

/// The dotted names that the expressions in a field use, in keys too. The text of the field `when` is an expression
/// without braces.
pub(super) fn references(field: &str, node: &Node) -> BTreeSet<String> {
    match &node.shape {
        Shape::Text(text, _) if field == "when" => expression::references(text).unwrap_or_default(),
        Shape::Text(text, _) => expression::references_in_text(text),
        Shape::List(items) => items.iter().flat_map(|item| references("", item)).collect(),
        Shape::Map(entries) => entries
            .iter()
            .flat_map(|(key, node)| {
                expression::references_in_text(&key.text).into_iter().chain(references("", node))
            })
            .collect(),
        Shape::Plain(_) => BTreeSet::new(),
    }
}

/// The dotted names in `paths`, and those that the named values among them use, directly or through other values.
pub(super) fn reach(file: &File, paths: &BTreeSet<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<String> = paths.iter().cloned().collect();
    while let Some(path) = left.pop() {
        if let Some(node) = path.strip_prefix("values.").and_then(|rest| file.values.get(&first(rest))) {
            left.extend(references("", node).into_iter().filter(|path| !reached.contains(path)));
        }
        reached.insert(path);
    }
    reached
}
