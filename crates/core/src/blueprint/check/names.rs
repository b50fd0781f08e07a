//! Checks the names in expressions: each has to exist and to be known when it is used.

use std::collections::BTreeSet;

use super::{Checker, TENANT};
use crate::{
    blueprint::{
        Kind,
        expression::{self, Piece},
        findings::Position,
        references::reach,
        tree::{Node, Shape},
    },
    spelling::did_you_mean,
};

/// The first parts that a dotted name in an expression can have.
const ROOTS: [&str; 6] = ["tenant", "parameters", "values", "steps", "stamp", "deployment"];

impl Checker<'_> {
    /// Checks every expression below a node.
    pub(super) fn node(&mut self, node: &Node) {
        match &node.shape {
            Shape::Plain(_) => {}
            Shape::Text(text, holes) => {
                self.text(text, |hole| holes.get(hole).copied().unwrap_or(node.position));
            }
            Shape::List(items) => items.iter().for_each(|item| self.node(item)),
            Shape::Map(entries) => {
                for (key, node) in entries {
                    self.text(&key.text, |_| key.position);
                    if self.is_late(&expression::references_in_text(&key.text)) {
                        let message = "a key has to be known before anything exists";
                        self.findings.error(key.position, "too-late", message);
                    }
                    self.node(node);
                }
            }
        }
    }

    pub(super) fn text(&mut self, text: &str, position: impl Fn(usize) -> Position) {
        if text.contains("{%") {
            let hint = "there are only expressions: \"{{ a if b else c }}\"";
            self.findings.error_with_hint(position(0), "bad-expression", "`{% %}` has no meaning here", hint);
        }
        match expression::pieces(text) {
            Err((hole, why)) => self.findings.error(position(hole), "bad-expression", why),
            Ok(pieces) => {
                let expressions = pieces.into_iter().filter_map(|piece| match piece {
                    Piece::Expression(expression) => Some(expression),
                    Piece::Literal(_) => None,
                });
                expressions
                    .enumerate()
                    .for_each(|(hole, expression)| self.expression(expression, position(hole)));
            }
        }
    }

    pub(super) fn expression(&mut self, text: &str, at: Position) {
        match expression::references(text) {
            Err(why) => {
                let shown: String = text.chars().take(60).collect();
                self.findings.error(at, "bad-expression", format!("`{shown}`: {why}"));
            }
            Ok(paths) => paths.iter().for_each(|path| self.path(path, at)),
        }
    }

    fn path(&mut self, path: &str, at: Position) {
        let mut parts = path.split('.');
        let (root, member, output) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        self.used.insert([root, member.unwrap_or_default()].join("."));
        match (root, member) {
            ("tenant", Some(name)) => self.known((name, at), TENANT, ("unknown-name", "tenant has no")),
            ("parameters", Some(name)) => {
                let known = self.file.parameters.keys().map(String::as_str);
                self.known((name, at), known, ("unknown-parameter", "there is no parameter"));
            }
            ("values", Some(name)) => {
                let known = self.file.values.keys().map(String::as_str);
                self.known((name, at), known, ("unknown-value", "there is no value"));
            }
            ("steps", Some(name)) => self.output(name, output, at),
            ("steps", None) => {
                let message = "`steps` is not used as a whole";
                self.findings.error_with_hint(at, "whole-step", message, "write e.g. `steps.app.id`");
            }
            ("tenant" | "parameters" | "values" | "stamp" | "deployment", _) => {}
            _ => self.known((root, at), ROOTS, ("unknown-name", "there is no name")),
        }
    }

    fn output(&mut self, name: &str, output: Option<&str>, at: Position) {
        let Some(step) = self.file.step(name) else {
            if !self.file.step_names.contains(name) {
                let known = self.file.step_names.iter().map(String::as_str);
                self.known((name, at), known, ("unknown-step", "there is no step"));
            }
            return;
        };
        let outputs: Vec<&str> =
            step.own_outputs().iter().copied().chain(step.outputs.keys().map(String::as_str)).collect();
        match output {
            None => {
                let message = format!("step `{name}` is not used as a whole");
                let hint = format!("it has {}", outputs.join(", "));
                self.findings.error_with_hint(at, "whole-step", message, hint);
            }
            Some(output) if !outputs.contains(&output) => {
                let near = did_you_mean(output, outputs.iter().copied());
                let declare = format!("declare it under `outputs:` of step `{name}`");
                let hint = if near.is_empty() { declare } else { format!("{near} Otherwise {declare}") };
                let message = format!("step `{name}` has no output `{output}`");
                self.findings.error_with_hint(at, "unknown-output", message, hint);
            }
            Some(_) => {}
        }
    }

    /// Adds a finding for a name that is not among the known ones.
    pub(super) fn known<'k>(
        &mut self,
        (name, at): (&str, Position),
        known: impl IntoIterator<Item = &'k str>,
        (code, what): (&'static str, &str),
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        if !known.contains(&name) {
            let near = did_you_mean(name, known.iter().copied());
            let hint = if near.is_empty() { format!("there are {}", known.join(", ")) } else { near };
            let hint = if known.is_empty() { String::new() } else { hint };
            self.findings.error_with_hint(at, code, format!("{what} `{name}`"), hint);
        }
    }

    pub(super) fn is_late(&self, paths: &BTreeSet<String>) -> bool {
        reach(self.file, paths).iter().filter_map(|path| path.strip_prefix("steps.")).any(|path| {
            let mut parts = path.split('.');
            let step = parts.next().and_then(|name| self.file.step(name));
            let early = parts.next().is_some_and(|output| matches!(output, "id" | "name"));
            step.is_some_and(|step| !(early && matches!(step.kind, Kind::Arm | Kind::ArmUpdate)))
        })
    }
}
