//! A parser for the part of Bicep that infra/ uses: declarations as a tree. It checks no types, and rejects unknown
//! syntax with the line.

#![expect(clippy::wildcard_enum_match_arm, reason = "each accessor handles one kind of expression")]

mod reader;

use reader::Reader;

/// A Bicep expression: only the forms that `infra` uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A string: literal parts and interpolations.
    Text(Vec<Part>),
    /// A number or a boolean, as in the source.
    Literal(String),
    Null,
    Name(String),
    Member(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call(Box<Self>, Vec<Self>),
    Array(Vec<Self>),
    Object(Object),
    /// A loop: the names of element and index, the list, the body.
    For(Vec<String>, Box<Self>, Box<Self>),
    /// A conditional: the condition and both branches.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// The operands of a binary operator.
    Sides(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Plain(String),
    Hole(Expr),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Object {
    pub(crate) members: Vec<(Expr, Expr)>,
    /// Nested resources.
    pub(crate) nested: Vec<Declaration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scope,
    Using,
    Param,
    Var,
    Resource,
    Module,
    Output,
}

/// `kind name 'of' = body`, with decorators and conditions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declaration {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// A resource's type and version, a module's file, a parameter's or output's type.
    pub(crate) of: String,
    pub(crate) existing: bool,
    pub(crate) condition: Option<Expr>,
    pub(crate) body: Option<Expr>,
    pub(crate) decorators: Vec<Expr>,
}

impl Expr {
    /// The text of a string without interpolations; `None` for any other expression.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(parts) => match parts.as_slice() {
                [] => Some(""),
                [Part::Plain(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// The member of an object, or of a loop's body.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let object = self.object()?;
        object.members.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// A member by its path.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |found, name| found.member(name))
    }

    pub(crate) fn object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::For(_, _, element) => element.object(),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The expression as in the source, with `{..}` for an object.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Plain(text) => text.clone(),
                    Part::Hole(hole) => format!("${{{}}}", hole.shown()),
                })
                .collect(),
            Self::Literal(text) | Self::Name(text) => text.clone(),
            Self::Null => "null".to_owned(),
            Self::Member(of, name) => format!("{}.{name}", of.shown()),
            Self::Index(of, at) => format!("{}[{}]", of.shown(), at.shown()),
            Self::Call(of, with) => {
                format!("{}({})", of.shown(), with.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Array(items) => {
                format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Object(_) => "{..}".to_owned(),
            Self::For(_, over, _) => format!("for {}", over.shown()),
            Self::Choice(_, one, other) => format!("{} or {}", one.shown(), other.shown()),
            Self::Sides(one, other) => format!("{} {}", one.shown(), other.shown()),
        }
    }
}

/// Parses the text of a file. An error names the line and what is expected there.
pub(crate) fn read(text: &str) -> Result<Vec<Declaration>, String> {
    let mut reader = Reader { rest: text, whole: text };
    let mut all = Vec::new();
    loop {
        reader.lines();
        if reader.rest.is_empty() {
            return Ok(all);
        }
        let decorators = reader.decorators()?;
        all.push(reader.declaration(decorators)?);
    }
}
