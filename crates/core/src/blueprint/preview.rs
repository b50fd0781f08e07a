//! A plan for people to read: late parts are shown as `<steps.app.appId>`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Plan, PlannedStep, RenderError, Rendered,
    expression::{self, Piece},
    render::render,
    scope::{Early, Scope},
};

/// Renders a step with `<...>` in place of each part that only Azure knows.
///
/// # Errors
/// A field of the step does not fit the step's kind.
pub fn shown(plan: &Plan, step: &PlannedStep) -> Result<Rendered, RenderError> {
    render(&step.desired, |_, text| Ok(Value::String(stand_in(plan, text))))
}

/// The exports of a plan, with `<...>` in place of each part that only Azure knows.
pub fn exports(plan: &Plan) -> BTreeMap<String, String> {
    plan.exports.iter().map(|(name, text)| (name.clone(), stand_in(plan, text))).collect()
}

/// A text with known expressions evaluated, and each late expression in angle brackets.
fn stand_in(plan: &Plan, text: &str) -> String {
    let mut scope = Scope::new(&plan.context, &plan.values);
    for step in plan.steps.keys() {
        scope.set_outputs(step, plan.known.get(step).unwrap_or(&BTreeMap::new()));
    }
    let pieces = expression::pieces(text).unwrap_or_default();
    let show = |piece: &Piece<'_>| match piece {
        Piece::Literal(literal) => (*literal).to_owned(),
        Piece::Expression(expression) => match scope.early_expression(expression) {
            Ok(Early::Known(Value::String(text))) => text,
            Ok(Early::Known(value)) => value.to_string(),
            Ok(Early::Late) | Err(_) => format!("<{}>", follow(plan, expression)),
        },
    };
    pieces.iter().map(show).collect()
}

/// A named value that is one expression by itself is shown as that expression.
fn follow<'a>(plan: &'a Plan, expression: &'a str) -> &'a str {
    let text = expression.strip_prefix("values.").and_then(|name| plan.values.get(name));
    match text.map(|text| expression::pieces(text)) {
        Some(Ok(pieces)) if pieces.len() == 1 => match pieces.first() {
            Some(Piece::Expression(inner)) => inner,
            _ => expression,
        },
        _ => expression,
    }
}
