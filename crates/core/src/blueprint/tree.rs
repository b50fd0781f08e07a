//! YAML as a tree of nodes with positions.
//!
//! A blueprint uses a plain subset of YAML 1.2 (core schema): maps, lists and scalars. Anchors, aliases, merge keys,
//! tags and further documents are refused, because each of them lets a file mean something else than it shows. The
//! length is checked before parsing, and the other limits during parsing, so that an oversized file costs little.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use serde_json::{Number, Value};

use super::findings::{Findings, Position};

/// The maximum length of a blueprint's text, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// How deeply maps and lists may be nested.
const MAX_DEPTH: usize = 64;
/// The maximum number of entries of one map, or items of one list.
const MAX_LENGTH: usize = 1000;
/// The maximum number of nodes of a file.
const MAX_NODES: usize = 10_000;

/// One node of the file, with its position in the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) shape: Shape,
}

/// The content of a node.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Null, a boolean or a number.
    Plain(Value),
    /// A text, with the position of each `{{` in it.
    Text(String, Vec<Position>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) position: Position,
    pub(super) text: String,
}

impl Node {
    /// The text of a text node.
    pub(super) fn text(&self) -> Option<&str> {
        if let Shape::Text(text, _) = &self.shape { Some(text) } else { None }
    }

    /// The entries of a map node.
    pub(super) fn map(&self) -> Option<&[(Key, Self)]> {
        if let Shape::Map(entries) = &self.shape { Some(entries) } else { None }
    }

    /// The items of a list node.
    pub(super) fn list(&self) -> Option<&[Self]> {
        if let Shape::List(items) = &self.shape { Some(items) } else { None }
    }

    /// The value under a key of a map node.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// Like [`Self::get`], without regard to the case of the key.
    pub(super) fn get_without_case(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(name, _)| name.text.eq_ignore_ascii_case(key)).map(|(_, node)| node)
    }

    /// The node as JSON, with its expressions as text.
    pub(super) fn to_json(&self) -> Value {
        match &self.shape {
            Shape::Plain(value) => value.clone(),
            Shape::Text(text, _) => Value::String(text.clone()),
            Shape::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Shape::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect())
            }
        }
    }

    /// This node with another one merged over it: maps are merged, anything else is replaced. Members are compared
    /// without case, as Azure does; the spelling of this node is kept.
    pub(super) fn overlaid(&self, over: &Self) -> Self {
        let (Some(base), Some(above)) = (self.map(), over.map()) else { return over.clone() };
        let mut entries = base.to_vec();
        for (key, node) in above {
            match entries.iter_mut().find(|(name, _)| name.text.eq_ignore_ascii_case(&key.text)) {
                Some((_, old)) => *old = old.overlaid(node),
                None => entries.push((key.clone(), node.clone())),
            }
        }
        Self { position: over.position, shape: Shape::Map(entries) }
    }

    /// The node's type, for messages.
    pub(super) fn what(&self) -> &'static str {
        match &self.shape {
            Shape::Plain(Value::Null) => "nothing",
            Shape::Plain(Value::Bool(_)) => "a boolean",
            Shape::Plain(_) => "a number",
            Shape::Text(..) => "a text",
            Shape::List(_) => "a list",
            Shape::Map(_) => "a map",
        }
    }
}

/// Parses a text into a tree; `None`, with findings, if there is no usable tree.
pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    if text.len() > MAX_BYTES {
        findings.error_with_hint(
            Position::START,
            "too-large",
            format!("the file has {} bytes; a blueprint has at most {MAX_BYTES}", text.len()),
            "split it into several blueprints, or move data into parameters",
        );
        return None;
    }
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reader = Reader { text, lines, findings, open: Vec::new(), root: None, documents: 0, nodes: 0 };
    for event in Parser::new_from_str(text) {
        let go_on = match event {
            Ok((event, span)) => reader.take(event, &span),
            Err(error) => {
                let at = position(error.marker());
                reader.findings.error(at, "yaml", format!("this is not YAML: {}", error.info()));
                false
            }
        };
        if !go_on {
            return None;
        }
    }
    if reader.root.is_none() {
        findings.error_with_hint(
            Position::START,
            "empty",
            "the file is empty",
            "begin with `blueprint: <name>`; docs/blueprint.md has a complete example",
        );
        return None;
    }
    reader.root
}

/// A map or list that is still being read.
enum Open {
    List(Position, Vec<Node>),
    Map(Position, Entries),
}

/// The entries of a map so far, and the key whose value comes next.
#[derive(Default)]
struct Entries {
    done: Vec<(Key, Node)>,
    seen: BTreeSet<String>,
    key: Option<Key>,
}

struct Reader<'a> {
    text: &'a str,
    /// The byte offset at which each line of the text begins.
    lines: Vec<usize>,
    findings: &'a mut Findings,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

impl Reader<'_> {
    /// Processes one event; `false` stops the reading.
    fn take(&mut self, event: Event<'_>, span: &Span) -> bool {
        let at = position(&span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.findings.error(
                        at,
                        "documents",
                        "a second document begins here; a file is one blueprint",
                    );
                }
                self.documents == 1
            }
            Event::Alias(_) => {
                self.findings.error_with_hint(
                    at,
                    "alias",
                    "aliases are not used in blueprints",
                    "name the value once under `values:` and use it as \"{{ values.x }}\"",
                );
                false
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(at, anchor, tag.is_some()) && self.scalar(&text, style, at, span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some()) && self.begin(Open::List(at, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some()) && self.begin(Open::Map(at, Entries::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(position, items)) => self.add(Node { position, shape: Shape::List(items) }),
                Some(Open::Map(position, entries)) => {
                    self.add(Node { position, shape: Shape::Map(entries.done) })
                }
                None => true,
            },
        }
    }

    /// Reports a tag or an anchor. Returns `false` for an anchor, which stops the reading because an alias could
    /// follow.
    fn refuse(&mut self, at: Position, anchor: usize, tag: bool) -> bool {
        if tag {
            self.findings.error(at, "tag", "YAML tags (`!x`) are not used in blueprints");
        }
        if anchor > 0 {
            self.findings.error_with_hint(
                at,
                "anchor",
                "anchors (`&x`) are not used in blueprints",
                "name the value once under `values:` and use it as \"{{ values.x }}\"",
            );
        }
        anchor == 0
    }

    fn begin(&mut self, open: Open) -> bool {
        let at = match &open {
            Open::List(at, _) | Open::Map(at, _) => *at,
        };
        if let Some(Open::Map(_, Entries { key: key @ None, .. })) = self.open.last_mut() {
            self.findings.error(at, "key", "the key of a map is a text");
            // The map needs some key for the reading to continue; the error makes the file unusable anyway.
            *key = Some(Key { position: at, text: String::new() });
        }
        self.open.push(open);
        if self.open.len() > MAX_DEPTH {
            self.findings.error(at, "too-deep", format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.len() <= MAX_DEPTH
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Position, span: &Span) -> bool {
        if let Some(Open::Map(_, Entries { seen, key: key @ None, .. })) = self.open.last_mut() {
            if text == "<<" && style == ScalarStyle::Plain {
                self.findings.error_with_hint(
                    at,
                    "merge-key",
                    "merge keys (`<<`) are not used in blueprints",
                    "write the members out",
                );
            } else if seen.contains(text) {
                self.findings.error(
                    at,
                    "duplicate-key",
                    format!("`{text}` is there twice; the first one counts"),
                );
            } else if seen.iter().any(|other| other.eq_ignore_ascii_case(text)) {
                self.findings.error_with_hint(
                    at,
                    "duplicate-member",
                    format!("`{text}` is there twice, written with other capitals; Azure takes both for one"),
                    "keep one of them",
                );
            }
            *key = Some(Key { position: at, text: text.to_owned() });
            return true;
        }
        let shape = if style == ScalarStyle::Plain { self.plain(text, at) } else { None };
        let shape = shape.unwrap_or_else(|| Shape::Text(text.to_owned(), self.holes(text, span)));
        self.add(Node { position: at, shape })
    }

    /// The value of an unquoted scalar in YAML's core schema, or `None` if it is a text.
    fn plain(&mut self, text: &str, at: Position) -> Option<Shape> {
        let ambiguous = matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n")
            || (text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
        if ambiguous {
            self.findings.warning(
                at,
                "ambiguous-scalar",
                format!("`{text}` means one thing in YAML 1.1 and another in 1.2; it is read as the text \"{text}\""),
                "quote it, or write true, false or a number",
            );
            return None;
        }
        let value = match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ => Value::Number(number(text)?),
        };
        Some(Shape::Plain(value))
    }

    /// The position of each `{{`. It is searched in the source, because block and escaped texts differ from their
    /// source.
    fn holes(&self, text: &str, span: &Span) -> Vec<Position> {
        let desired = text.matches("{{").count();
        let start = position(&span.start);
        if desired == 0 {
            return Vec::new();
        }
        let line = self.lines.get(span.start.line().saturating_sub(1)).copied().unwrap_or_default();
        let source = self.text.get(line..).unwrap_or_default().chars().skip(span.start.col());
        let mut source = source.take(span.end.index().saturating_sub(span.start.index())).peekable();
        let (mut at, mut holes) = (start, Vec::with_capacity(desired));
        while holes.len() < desired
            && let Some(c) = source.next()
        {
            if c == '{' && source.next_if_eq(&'{').is_some() {
                holes.push(at);
                at.column += 1;
            }
            at = if c == '\n' {
                Position { line: at.line + 1, column: 1 }
            } else {
                Position { line: at.line, column: at.column + 1 }
            };
        }
        holes.resize(desired, start);
        holes
    }

    /// Adds a finished node to its parent; `false` if there are too many.
    fn add(&mut self, node: Node) -> bool {
        let position = node.position;
        let length = match self.open.last_mut() {
            Some(Open::List(_, items)) => {
                items.push(node);
                items.len()
            }
            Some(Open::Map(_, entries)) => {
                if let Some(key) = entries.key.take()
                    && entries.seen.insert(key.text.clone())
                {
                    entries.done.push((key, node));
                }
                entries.done.len()
            }
            None => {
                self.root = Some(node);
                1
            }
        };
        self.nodes += 1;
        let limits = [(length, MAX_LENGTH, "a map or list"), (self.nodes, MAX_NODES, "a file")];
        let over = limits.into_iter().find(|(count, most, _)| count > most);
        if let Some((_, most, what)) = over {
            let message = format!("{what} has at most {most} values; this is one more");
            self.findings.error_with_hint(position, "too-many", message, "split it into several blueprints");
        }
        over.is_none()
    }
}

/// A number of the core schema: decimal, `0x`, `0o` or floating point; infinities and NaN have no JSON form.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole));
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

fn position(marker: &Marker) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: count(marker.line()), column: count(marker.col()).saturating_add(1) }
}
