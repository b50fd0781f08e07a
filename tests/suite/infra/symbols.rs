//! Checks that a Bicep compiler does first: undeclared and unused names, and the parameters of modules.

#![expect(clippy::wildcard_enum_match_arm, reason = "other expressions are taken as a whole")]

use std::collections::BTreeSet;

use super::{
    bicep::{Declaration, Expr, Kind, Part},
    templates::{Infra, Template},
};

/// The functions and decorators that the files use; Microsoft, "Bicep functions".
const FUNCTIONS: [&str; 22] = [
    "bool",
    "concat",
    "empty",
    "environment",
    "guid",
    "join",
    "loadTextContent",
    "readEnvironmentVariable",
    "replace",
    "resourceGroup",
    "resourceId",
    "split",
    "string",
    "subscription",
    "subscriptionResourceId",
    "tenant",
    "union",
    "uniqueString",
    "description",
    "allowed",
    "batchSize",
    "toLower",
];
/// The decorators that take a number.
const DECORATORS: [&str; 4] = ["minLength", "maxLength", "minValue", "maxValue"];

/// Adds the names that an expression uses, without its own loop variables.
fn used(expr: &Expr, known: &[String], found: &mut BTreeSet<String>) {
    match expr {
        Expr::Name(name) => {
            if !known.contains(name) {
                found.insert(name.clone());
            }
        }
        Expr::Text(parts) => parts.iter().for_each(|part| match part {
            Part::Hole(hole) => used(hole, known, found),
            Part::Plain(_) => {}
        }),
        Expr::Literal(_) | Expr::Null => {}
        Expr::Member(of, _) => used(of, known, found),
        Expr::Index(one, other) | Expr::Sides(one, other) => {
            [one, other].iter().for_each(|side| used(side, known, found));
        }
        Expr::Call(of, with) => {
            // A suffix marks a function's name, because a parameter may have the same name.
            match of.as_ref() {
                Expr::Name(name) => _ = found.insert(format!("{name}()")),
                other => used(other, known, found),
            }
            with.iter().for_each(|one| used(one, known, found));
        }
        Expr::Array(items) => items.iter().for_each(|one| used(one, known, found)),
        Expr::Object(object) => {
            for (key, value) in &object.members {
                used(key, known, found);
                used(value, known, found);
            }
            object.nested.iter().for_each(|inner| used_by(inner, known, found));
        }
        Expr::For(names, over, element) => {
            used(over, known, found);
            let known = [known, names.as_slice()].concat();
            used(element, &known, found);
        }
        Expr::Choice(when, one, other) => [when, one, other].iter().for_each(|each| used(each, known, found)),
    }
}

fn used_by(declaration: &Declaration, known: &[String], found: &mut BTreeSet<String>) {
    let parts = declaration.body.iter().chain(&declaration.condition).chain(&declaration.decorators);
    parts.for_each(|part| used(part, known, found));
}

/// Each name is declared in its file, each function is Bicep's, and each declaration is used.
pub(crate) fn names(infra: &Infra) -> Vec<String> {
    let mut wrong = Vec::new();
    for Template { path, declarations } in &infra.templates {
        let mut found = BTreeSet::new();
        declarations.iter().for_each(|one| used_by(one, &[], &mut found));
        let parameters = path.ends_with(".bicepparam");
        let declared: BTreeSet<&str> = declarations
            .iter()
            .filter(|one| !matches!(one.kind, Kind::Output | Kind::Scope | Kind::Using) && !parameters)
            .map(|one| one.name.as_str())
            .collect();
        for name in &found {
            let good = match name.strip_suffix("()") {
                Some(function) => FUNCTIONS.contains(&function) || DECORATORS.contains(&function),
                None => declared.contains(name.as_str()),
            };
            if !good {
                wrong.push(format!("{path}: {name} is declared nowhere"));
            }
        }
        let may_idle = |name: &str| {
            let of = declarations.iter().find(|one| one.name == name).map(|one| one.kind);
            matches!(of, Some(Kind::Resource | Kind::Module))
        };
        let idle = declared.iter().filter(|name| !found.contains(**name) && !may_idle(name));
        wrong.extend(idle.map(|name| format!("{path}: {name} is used nowhere")));
    }
    wrong
}

/// Adds `(x, y)` for each part of an expression of the form `x.outputs.y`.
fn outputs(expr: &Expr, found: &mut Vec<(String, String)>) {
    if let Expr::Member(of, output) = expr
        && let Expr::Member(module, member) = of.as_ref()
        && let (Expr::Name(module), "outputs") = (module.as_ref(), member.as_str())
    {
        found.push((module.clone(), output.clone()));
    }
    match expr {
        Expr::Text(parts) => parts.iter().for_each(|part| {
            if let Part::Hole(hole) = part {
                outputs(hole, found);
            }
        }),
        Expr::Name(_) | Expr::Literal(_) | Expr::Null => {}
        Expr::Member(of, _) => outputs(of, found),
        Expr::Index(one, other) | Expr::Sides(one, other) => {
            [one, other].iter().for_each(|each| outputs(each, found));
        }
        Expr::Call(of, with) => [of.as_ref()].into_iter().chain(with).for_each(|each| outputs(each, found)),
        Expr::Array(items) => items.iter().for_each(|each| outputs(each, found)),
        Expr::Object(object) => object.members.iter().for_each(|(_, value)| outputs(value, found)),
        Expr::For(_, over, element) => [over, element].iter().for_each(|each| outputs(each, found)),
        Expr::Choice(a, b, c) => [a, b, c].iter().for_each(|each| outputs(each, found)),
    }
}

/// Each module gets all its required parameters and no unknown ones, and has the outputs that are read.
pub(crate) fn modules(infra: &Infra) -> Vec<String> {
    let mut wrong = Vec::new();
    for template in &infra.templates {
        let path = &template.path;
        for call in template.declarations.iter().filter(|one| one.kind == Kind::Module) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let file = format!("{folder}{}", call.of);
            let Some(module) = infra.templates.iter().find(|one| one.path == file) else {
                wrong.push(format!("{path}: there is no {file}"));
                continue;
            };
            let given = call.at(&["params"]).and_then(Expr::object);
            let given: Vec<&str> = given
                .into_iter()
                .flat_map(|object| object.members.iter().filter_map(|(key, _)| key.text()))
                .collect();
            let asked: Vec<&Declaration> =
                module.declarations.iter().filter(|one| one.kind == Kind::Param).collect();
            let missing =
                asked.iter().filter(|one| one.body.is_none() && !given.contains(&one.name.as_str()));
            wrong.extend(missing.map(|one| format!("{path}: {} does not give {}", call.name, one.name)));
            let unknown = given.iter().filter(|name| !asked.iter().any(|one| one.name == **name));
            wrong.extend(
                unknown.map(|name| format!("{path}: {} gives {name}, which it does not declare", call.name)),
            );
        }
        let mut asked = Vec::new();
        let bodies = template.declarations.iter().filter_map(|one| one.body.as_ref());
        bodies.for_each(|body| outputs(body, &mut asked));
        for (name, output) in asked {
            let of = template.find(Kind::Module, &name).map(|call| call.of.clone()).unwrap_or_default();
            let module = infra.templates.iter().find(|one| of.ends_with(&one.path) && !of.is_empty());
            if module.is_none_or(|module| module.find(Kind::Output, &output).is_none()) {
                wrong.push(format!("{path}: {name} has no output {output}"));
            }
        }
    }
    wrong.extend(parameters(infra));
    wrong
}

/// main.bicepparam has the parameters that main.bicep requires, and no unknown ones.
fn parameters(infra: &Infra) -> Vec<String> {
    let (main, sample) = (infra.template("main.bicep"), infra.template("main.bicepparam"));
    let of = |template: &Template, expected: fn(&Declaration) -> bool| -> BTreeSet<String> {
        let all = template.declarations.iter().filter(|one| one.kind == Kind::Param && expected(one));
        all.map(|one| one.name.clone()).collect()
    };
    let (all, given) = (of(main, |_| true), of(sample, |_| true));
    let needed = of(main, |one| one.body.is_none());
    let missing = needed.difference(&given).map(|name| format!("main.bicepparam does not give {name}"));
    missing.chain(given.difference(&all).map(|name| format!("main.bicep has no {name}"))).collect()
}
