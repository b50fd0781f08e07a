//! Renders steps. No other code evaluates the late texts of steps.

use serde_json::Value;

use super::{
    BadField, Expr, RenderError, Rendered, Template,
    desired::{Desired, Fill},
};

/// Renders a step: `evaluate` evaluates each late text, given its JSON pointer in the step's fields and the text.
pub(super) fn render(
    desired: &Desired,
    evaluate: impl Fn(&str, &str) -> Result<Value, RenderError>,
) -> Result<Rendered, RenderError> {
    desired.fill(&mut Renderer { evaluate })
}

struct Renderer<F> {
    /// Evaluates a text, given its JSON pointer in the step's fields and the text.
    evaluate: F,
}

impl<F: Fn(&str, &str) -> Result<Value, RenderError>> Fill<Expr<String>, Template> for Renderer<F> {
    type Text = String;
    type Body = Value;
    type Error = RenderError;

    fn text(&mut self, at: &'static str, text: &Expr<String>) -> Result<String, RenderError> {
        let text = match text {
            Expr::Known(text) => return Ok(text.clone()),
            Expr::Late(text) => (self.evaluate)(at, text)?,
            Expr::Unfit(_) => Value::Null,
        };
        let text = text.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| BadField::no_text(at.trim_start_matches('/')).into())
    }

    fn body(&mut self, at: &'static str, body: &Template) -> Result<Value, RenderError> {
        let mut value = body.value().clone();
        for (rest, text) in body.late() {
            let pointer = format!("{at}{rest}");
            let evaluated = (self.evaluate)(&pointer, text)?;
            match value.pointer_mut(rest) {
                Some(position) => *position = evaluated,
                None => return Err(BadField::no_such_pointer(&pointer).into()),
            }
        }
        Ok(value)
    }
}
