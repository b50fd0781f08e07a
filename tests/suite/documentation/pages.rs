//! The pages and their parts: headings, fenced blocks, links, text in backticks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder with this extension, except in hidden folders and those of builds and packages.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "bin", "obj"].contains(&name.as_str()) {
                found.extend(files(&path, ending));
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Markdown page of the repository: its path in the repository, and its text.
pub(crate) fn pages() -> Vec<(String, String)> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        (name, text)
    };
    files(root(), "md").into_iter().map(named).collect()
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The text after the opening fence, for example `sh`; empty if there is none.
    pub(crate) language: String,
    pub(crate) text: String,
    /// The number of its first line, from 1.
    pub(crate) line: usize,
    /// How many headings are above it: two blocks with the same number are in one section.
    pub(crate) section: usize,
}

/// The fenced blocks of a page, in order. A block in a list is indented as a whole.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut section) = (Vec::new(), None::<(Block, usize)>, 0);
    for (number, line) in page.lines().enumerate() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        match (bare.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let language = language.trim().to_owned();
                open = Some((Block { language, text: String::new(), line: number + 2, section }, depth));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(block, _)| block)),
            (None, Some((block, depth))) => {
                block.text.push_str(line.get((*depth).min(line.len() - bare.len())..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => section += usize::from(line.starts_with('#')),
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    blocks
}

/// A page without its fenced blocks.
pub(crate) fn prose(page: &str) -> String {
    let mut fenced = false;
    let kept = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The targets of `[text](target)`.
pub(crate) fn links(page: &str) -> Vec<String> {
    let page = prose(page);
    page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The headings of a page, without their marks.
pub(crate) fn headings(page: &str) -> Vec<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.filter_map(|line| Some(line.trim_start_matches('#').strip_prefix(' ')?.to_owned())).collect()
}

/// The anchors that a page's headings have on GitHub; of equal anchors, the later ones have a number.
pub(crate) fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in headings(page) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().trim().to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The text below a heading, up to the next one of the same depth or above.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let begin = page.lines().find(|line| line.trim_start_matches('#').strip_prefix(' ') == Some(heading))?;
    let depth = begin.len() - begin.trim_start_matches('#').len();
    let from = page.find(&format!("{begin}\n"))? + begin.len();
    let rest = page.get(from..)?;
    let is_end = |line: &str| {
        let marks = line.len() - line.trim_start_matches('#').len();
        marks > 0 && marks <= depth && line[marks..].starts_with(' ')
    };
    let length: usize = rest.split_inclusive('\n').take_while(|line| !is_end(line)).map(str::len).sum();
    rest.get(..length)
}

/// The texts in backticks, in order.
pub(crate) fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn blocks_links_anchors_and_sections_of_a_page_are_found() {
    let page = "# One\n[a](b#c)\n```sh\nx [no](link)\n# no heading\n```\n## Two, `2`\n1. in a list\n\n   ```text\n   \
                out\n     deeper\n   ```\n## Two, `2`\n";
    let found: Vec<_> = blocks(page).into_iter().map(|b| (b.language, b.text, b.line, b.section)).collect();
    assert_eq!(
        found,
        [
            ("sh".to_owned(), "x [no](link)\n# no heading\n".to_owned(), 4, 1),
            ("text".to_owned(), "out\n  deeper\n".to_owned(), 11, 2)
        ]
    );
    assert_eq!(links(page), ["b#c"]);
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["one", "two-2", "two-2-1"]);
    assert_eq!(section("# A\nx\n## B\ny\n# C\nz\n", "A"), Some("\nx\n## B\ny\n"));
}
