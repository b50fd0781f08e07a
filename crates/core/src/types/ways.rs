//! What the table says about a JSON pointer, without a body.

use super::{document::Document, expression::Expression, members::Members};
use crate::pointer;

/// One description of the value at a pointer. There are several if the pointer passes an object with variants.
pub(super) struct Way<'a> {
    pub(super) expression: &'a Expression,
    /// Whether the value, or one around it, is read-only.
    pub(super) read_only: bool,
    /// Whether the value, or one around it, is write-only.
    pub(super) write_only: bool,
}

/// Every description of the value at a JSON pointer into a body; none if a body can't have a value there. As an item of a
/// list, `*` and `-` are understood too.
pub(super) fn ways<'a>(document: &'a Document, body: &'a Expression, at: &str) -> Vec<Way<'a>> {
    let start = vec![Way { expression: body, read_only: false, write_only: false }];
    at.split('/').skip(1).fold(start, |ways, segment| {
        let name = pointer::name(segment);
        ways.into_iter().flat_map(|way| step(document, way, &name)).collect()
    })
}

fn step<'a>(document: &'a Document, way: Way<'a>, name: &str) -> Vec<Way<'a>> {
    let Way { expression, read_only, write_only } = way;
    let inner = |expression| Way { expression, read_only, write_only };
    match expression {
        Expression::Any => vec![way],
        Expression::List(rule) if is_item(name) => vec![inner(&rule.of)],
        Expression::Union(options) => {
            options.iter().flat_map(|option| step(document, inner(option), name)).collect()
        }
        Expression::Object(object) => {
            let Some(object) = document.object(object) else { return Vec::new() };
            let members = Members::of_any_variant(document, object);
            let found = members.find(name);
            if found.is_empty() {
                return members.additional().map(inner).into_iter().collect();
            }
            let way = |member: super::members::Member<'a>| Way {
                expression: member.expression,
                read_only: read_only || member.read_only,
                write_only: write_only || member.write_only,
            };
            found.into_iter().map(way).collect()
        }
        Expression::List(_)
        | Expression::Bool
        | Expression::Text(_)
        | Expression::Number(_)
        | Expression::OneOf { .. } => Vec::new(),
    }
}

fn is_item(segment: &str) -> bool {
    matches!(segment, "*" | "-") || segment.parse::<usize>().is_ok()
}
