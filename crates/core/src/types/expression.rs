//! Expressions: what a value in a body may be.

use serde::Deserialize;

/// What a value may be.
#[derive(Deserialize)]
#[serde(try_from = "Written")]
pub(super) enum Expression {
    /// Any value.
    Any,
    /// `true` or `false`.
    Bool,
    /// A text.
    Text(TextRule),
    /// A number. The source has no other than integers, but some of them take fractions.
    Number(NumberRule),
    /// The object of this name.
    Object(String),
    /// A list.
    List(ListRule),
    /// One of these texts; if `open`, or another that the source does not know.
    OneOf { values: Vec<String>, open: bool },
    /// Any of these expressions.
    Union(Vec<Self>),
}

/// The limits of a text.
#[derive(Default, Deserialize)]
pub(super) struct TextRule {
    /// The lengths are in characters.
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    /// A regular expression that may match anywhere in the text.
    pub(super) pattern: Option<String>,
}

/// The limits of a number.
#[derive(Default, Deserialize)]
pub(super) struct NumberRule {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
}

/// What a list may have.
#[derive(Deserialize)]
pub(super) struct ListRule {
    /// What each item may be.
    pub(super) of: Box<Expression>,
    /// How many items there may be.
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

/// An expression as the table writes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Rule(Rule),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Rule {
    String(TextRule),
    Int(NumberRule),
    Array(ListRule),
    Enum(Vec<String>),
    OpenEnum(Vec<String>),
    Union(Vec<Expression>),
}

impl TryFrom<Written> for Expression {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Ok(match written {
            Written::Name(name) => match (name.as_str(), name.strip_prefix('#')) {
                ("any", _) => Self::Any,
                ("bool", _) => Self::Bool,
                ("string", _) => Self::Text(TextRule::default()),
                ("int", _) => Self::Number(NumberRule::default()),
                (_, Some(name)) => Self::Object(name.to_owned()),
                (other, None) => return Err(format!("`{other}` is no expression")),
            },
            Written::Rule(Rule::String(rule)) => Self::Text(rule),
            Written::Rule(Rule::Int(rule)) => Self::Number(rule),
            Written::Rule(Rule::Array(rule)) => Self::List(rule),
            Written::Rule(Rule::Enum(values)) => Self::OneOf { values, open: false },
            Written::Rule(Rule::OpenEnum(values)) => Self::OneOf { values, open: true },
            Written::Rule(Rule::Union(options)) => Self::Union(options),
        })
    }
}

#[cfg(test)]
impl Expression {
    /// The expression, and all that are within it.
    pub(super) fn all(&self) -> Vec<&Self> {
        let inner = match self {
            Self::List(rule) => rule.of.all(),
            Self::Union(options) => options.iter().flat_map(Self::all).collect(),
            Self::Any
            | Self::Bool
            | Self::Text(_)
            | Self::Number(_)
            | Self::Object(_)
            | Self::OneOf { .. } => Vec::new(),
        };
        [self].into_iter().chain(inner).collect()
    }
}
