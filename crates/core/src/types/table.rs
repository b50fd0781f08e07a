//! The file of the table: its contents, and the shapes, each decoded when it is first needed.

use std::{ops::Range, sync::OnceLock};

use miniz_oxide::inflate::decompress_to_vec;

use super::{ResourceTypeInfo, TypeVersion, document::Document};
use crate::spelling::lowered;

/// Made by `cargo xtask types`.
const COMPILED_IN: &[u8] = include_bytes!("../../data/azure-types.bin");
/// The first bytes of the file; the digit is the version of the format.
const MAGIC: &[u8] = b"azure-types 1\n";

/// Why the table can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadTable {
    #[error("the table of types has another format, or is incomplete")]
    Format,
    #[error("a text of the table of types can't be decompressed: {0}")]
    Compression(String),
    #[error("a text of the table of types is not UTF-8: {0}")]
    Text(#[from] std::string::FromUtf8Error),
    #[error("a shape in the table of types is not as expected: {0}")]
    Shape(#[from] serde_json::Error),
}

/// The table. `crates/core/data/README.md` describes the format of its file.
#[derive(Default)]
pub(super) struct Table {
    contents: String,
    source: Range<usize>,
    /// The lines of the types in `contents`, sorted by lowercase name.
    types: Vec<Range<usize>>,
    /// Sorted by name.
    shapes: Vec<ShapeText>,
}

/// A text with the shapes of one provider's types at one version.
struct ShapeText {
    /// `provider/version`, the provider in lower case.
    name: String,
    compressed: &'static [u8],
    document: OnceLock<Option<Document>>,
}

impl ShapeText {
    fn decode(&self) -> Result<Document, BadTable> {
        Ok(serde_json::from_str(&text(self.compressed)?)?)
    }
}

impl Table {
    /// The table that is compiled into the program.
    pub(super) fn compiled_in() -> Result<Self, BadTable> {
        Self::read(COMPILED_IN)
    }

    /// Reads the contents of a table, and none of its shapes.
    fn read(file: &'static [u8]) -> Result<Self, BadTable> {
        let mut texts = texts(file).ok_or(BadTable::Format)?.into_iter();
        let contents = text(texts.next().ok_or(BadTable::Format)?)?;
        let (source, rest) = contents.split_once("\n\n").ok_or(BadTable::Format)?;
        let (names, types) = rest.split_once("\n\n").ok_or(BadTable::Format)?;
        let shapes = names.lines().zip(texts).map(|(name, compressed)| ShapeText {
            name: name.to_owned(),
            compressed,
            document: OnceLock::new(),
        });
        let (source, shapes) = (0..source.len(), shapes.collect());
        let types = lines(types, contents.len() - types.len());
        Ok(Self { contents, source, types, shapes })
    }

    pub(super) fn source(&self) -> &str {
        self.contents.get(self.source.clone()).unwrap_or_default()
    }

    pub(super) fn types(&self) -> impl Iterator<Item = ResourceTypeInfo<'_>> {
        self.types.iter().map(|line| self.info(line))
    }

    pub(super) fn find(&self, type_name: &str) -> Option<ResourceTypeInfo<'_>> {
        let order = |line: &Range<usize>| lowered(self.info(line).name()).cmp(lowered(type_name));
        let found = self.types.binary_search_by(order);
        found.ok().and_then(|at| self.types.get(at)).map(|line| self.info(line))
    }

    /// The shapes of a provider's types at a version, decoded at the first call; `None` if the table has none.
    pub(super) fn document(&self, provider: &str, version: TypeVersion<'_>) -> Option<&Document> {
        let name = format!("{}/{version}", provider.to_ascii_lowercase());
        let at = self.shapes.binary_search_by(|shapes| shapes.name.cmp(&name)).ok()?;
        let shapes = self.shapes.get(at)?;
        shapes.document.get_or_init(|| shapes.decode().ok()).as_ref()
    }

    fn info(&self, line: &Range<usize>) -> ResourceTypeInfo<'_> {
        let line = self.contents.get(line.clone()).unwrap_or_default();
        let (name, versions) = line.split_once('\t').unwrap_or((line, ""));
        ResourceTypeInfo::new(name, versions)
    }
}

/// The compressed texts of a file; `None` if it is incomplete.
fn texts(file: &'static [u8]) -> Option<Vec<&'static [u8]>> {
    let (count, mut lengths) = file.strip_prefix(MAGIC)?.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let mut rest = lengths.get(count.checked_mul(4)?..)?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let (length, others) = lengths.split_first_chunk()?;
        let (text, after) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        texts.push(text);
        (lengths, rest) = (others, after);
    }
    Some(texts)
}

fn text(compressed: &[u8]) -> Result<String, BadTable> {
    let text = decompress_to_vec(compressed).map_err(|error| BadTable::Compression(error.to_string()))?;
    Ok(String::from_utf8(text)?)
}

/// The ranges of the lines of a text that begins at `start`.
fn lines(text: &str, start: usize) -> Vec<Range<usize>> {
    let mut start = start;
    let range = |line: &str| {
        let range = start..start + line.len();
        start = range.end + 1;
        range
    };
    text.split('\n').map(range).collect()
}

#[cfg(test)]
impl Table {
    /// How many texts with shapes have been decoded.
    pub(super) fn decoded(&self) -> usize {
        self.shapes.iter().filter(|shapes| shapes.document.get().is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COMPILED_IN, Table};
    use crate::types::expression::Expression;

    #[test]
    fn every_shape_in_the_table_decodes() {
        let table = Table::compiled_in().unwrap();
        let (mut described, mut patterns) = (0, BTreeSet::new());
        for shapes in &table.shapes {
            let document = shapes.decode().unwrap_or_else(|error| panic!("{}: {error}", shapes.name));
            described += document.resources();
            for expression in document.expressions() {
                if let Expression::Object(name) = expression {
                    assert!(document.object(name).is_some(), "{}: there is no {name}", shapes.name);
                } else if let Expression::Text(rule) = expression {
                    patterns.extend(rule.pattern.clone());
                }
            }
        }
        assert_eq!((table.shapes.len(), described), (228, 2520));
        let marked: usize = table.types().map(|info| info.versions_with_shape().count()).sum();
        assert_eq!(marked, described, "the contents mark what is described");
        // Most of the others have lookaround.
        let unchecked = patterns.iter().filter(|pattern| regex_lite::Regex::new(pattern).is_err()).count();
        assert_eq!((patterns.len(), unchecked), (181, 20));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        for length in [0, 10, 14, 17, 500, COMPILED_IN.len() - 1] {
            Table::read(&COMPILED_IN[..length]).err().unwrap();
        }
    }
}
