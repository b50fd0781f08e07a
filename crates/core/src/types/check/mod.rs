//! Compares a body with a shape.

mod limits;
mod object;

use serde_json::Value;

use super::{BodyCode, BodyFinding, Grade, Late, document::Document, expression::Expression};

/// The number of values or names that a hint lists at most.
const LISTED: usize = 12;

/// The state of a check in progress.
pub(super) struct Check<'a> {
    document: &'a Document,
    late: Late<'a>,
    /// The current JSON pointer.
    at: String,
    findings: Vec<BodyFinding>,
}

impl<'a> Check<'a> {
    pub(super) fn new(document: &'a Document, late: Late<'a>) -> Self {
        Self { document, late, at: String::new(), findings: Vec::new() }
    }

    /// The findings, sorted by pointer.
    pub(super) fn into_findings(mut self) -> Vec<BodyFinding> {
        self.findings.sort();
        self.findings
    }

    /// Checks the value at the current pointer.
    pub(super) fn value(&mut self, expression: &'a Expression, value: &Value) {
        // The source does not say where null is accepted.
        if value.is_null() || (self.late)(&self.at) {
            return;
        }
        match (expression, value) {
            (Expression::Any, _) | (Expression::Bool, Value::Bool(_)) => {}
            (Expression::Text(rule), Value::String(text)) => self.text(rule, text),
            (Expression::Number(rule), Value::Number(number)) => self.number(rule, number),
            (Expression::OneOf { values, open }, Value::String(text)) => self.one_of(values, *open, text),
            (Expression::List(rule), Value::Array(items)) => {
                self.length(items.len(), (rule.min, rule.max), "items");
                for (at, item) in items.iter().enumerate() {
                    self.within(&at.to_string(), |here| here.value(&rule.of, item));
                }
            }
            (Expression::Object(name), Value::Object(members)) => {
                if let Some(object) = self.document.object(name) {
                    self.object(object, members);
                }
            }
            (Expression::Union(options), _) => self.union(options, value),
            (Expression::Bool, _) => self.wrong_type("true or false", value),
            (Expression::Text(_) | Expression::OneOf { .. }, _) => self.wrong_type("a text", value),
            (Expression::Number(_), _) => self.wrong_type("a number", value),
            (Expression::List(_), _) => self.wrong_type("a list", value),
            (Expression::Object(_), _) => self.wrong_type("an object", value),
        }
    }

    /// The value has to match one of the options.
    fn union(&mut self, options: &'a [Expression], value: &Value) {
        let known = self.findings.len();
        for option in options {
            self.value(option, value);
            let is_wrong = |finding: &BodyFinding| finding.grade == Grade::Error;
            if !self.findings.iter().skip(known).any(is_wrong) {
                return;
            }
            self.findings.truncate(known);
        }
        self.error(BodyCode::WrongType, "the value has none of the possible forms".to_owned(), None);
    }

    fn wrong_type(&mut self, expected: &str, value: &Value) {
        let (kind, hint) = match value {
            Value::Null => ("null", None),
            Value::Bool(_) => ("a truth value", Some("put it in quotes")),
            Value::Number(_) => ("a number", Some("put it in quotes")),
            Value::String(_) => ("a text", Some("write it without quotes")),
            Value::Array(_) => ("a list", None),
            Value::Object(_) => ("an object", None),
        };
        let helps = match value {
            Value::Bool(_) | Value::Number(_) => expected == "a text",
            Value::String(text) => match expected {
                "a number" => text.parse::<f64>().is_ok(),
                "true or false" => matches!(text.as_str(), "true" | "false"),
                _ => false,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        let hint = hint.filter(|_| helps).map(str::to_owned);
        self.error(BodyCode::WrongType, format!("this has to be {expected}, but it is {kind}"), hint);
    }

    /// Adds an error about the current value.
    fn error(&mut self, code: BodyCode, message: String, hint: Option<String>) {
        self.find(code, Grade::Error, message, hint);
    }

    fn find(&mut self, code: BodyCode, grade: Grade, message: String, hint: Option<String>) {
        let hint = hint.filter(|hint| !hint.is_empty());
        self.findings.push(BodyFinding { pointer: self.at.clone(), code, grade, message, hint });
    }

    /// Whether the current value is a member of the body itself.
    fn is_at_root(&self) -> bool {
        self.at.rfind('/') == Some(0)
    }

    fn within<T>(&mut self, segment: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(segment);
        let result = check(self);
        self.at.truncate(length);
        result
    }
}

/// The names in backquotes, with commas between them; after a dozen, the number of the others.
fn listed(names: &[&str]) -> String {
    let mut list: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        list.push(format!("and {} more", names.len() - LISTED));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Check;
    use crate::types::{document::Document, expression::Expression};

    /// The pointers and codes of the findings about a body, by a shape with what the table does not have at present.
    fn found(body: &Value) -> Vec<(String, &'static str)> {
        let document: Document = serde_json::from_value(json!({
            "resources": {},
            "types": {
                "Body": { "properties": {
                    "union": { "union": ["int", { "enum": ["Auto"] }, "#Empty"] },
                    "empty": "#Empty",
                    "undecided": "#Undecided",
                    "again": "#Body",
                    "pattern": { "string": { "pattern": "^(?!a)" } },
                } },
                "Empty": { "properties": {} },
                "Undecided": { "properties": {}, "discriminator": "kind" },
            },
        }))
        .unwrap();
        let (expression, late) = (Expression::Object("Body".to_owned()), |_: &str| false);
        let mut check = Check::new(&document, &late);
        check.value(&expression, body);
        let found = check.into_findings().into_iter();
        found.map(|finding| (finding.pointer, finding.code.as_str())).collect()
    }

    #[test]
    fn a_union_takes_what_one_of_its_options_takes() {
        for good in [json!(7), json!("Auto"), json!({})] {
            assert_eq!(found(&json!({ "union": good })), []);
        }
        for bad in [json!(true), json!("Manual"), json!({ "a": 1 })] {
            assert_eq!(found(&json!({ "union": bad })), [("/union".to_owned(), "wrong-type")]);
        }
    }

    #[test]
    fn nothing_is_said_about_an_object_whose_variants_are_not_described() {
        assert_eq!(found(&json!({ "undecided": { "kind": 1, "anything": 2 } })), []);
        assert_eq!(found(&json!({ "undecided": 1 })), [("/undecided".to_owned(), "wrong-type")]);
    }

    #[test]
    fn a_pattern_with_lookaround_is_not_checked() {
        assert_eq!(found(&json!({ "pattern": "a" })), []);
    }

    #[test]
    fn an_object_can_be_within_itself() {
        let body = json!({ "again": { "again": { "empty": { "a": 1 } } } });
        assert_eq!(found(&body), [("/again/again/empty/a".to_owned(), "unknown-member")]);
    }
}
