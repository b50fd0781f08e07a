//! Decides which characters the texts of a request may contain, by their Unicode properties and not by lists.
//!
//! Characters that are invisible to a reader and significant to a program are refused: controls, line and paragraph
//! separators, formatting (direction, tags, invisible operators), and code points without an assigned meaning. The two
//! joiners are allowed where scripts and emoji need them: between two visible characters.
//!
//! Source: The Unicode Standard, chapter 4.5 (general categories) and 23.2 (joiners); UAX #44.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, VariationSelector, WhiteSpace,
    },
};
use serde_json::Value;
use tenantry_core::pointer;

use super::Fault;

/// The zero width non-joiner and the zero width joiner.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// The Braille pattern blank, which is a symbol by its category but as blank as a space (The Unicode Standard, 21.1).
const BRAILLE_BLANK: char = '\u{2800}';

/// The message of the fault about a refused character, which does not repeat the character.
pub(super) const REFUSED: &str = "control, formatting, private and unassigned characters are not taken";

/// Whether every character of a text is allowed at its position.
pub(super) fn are_plain(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let fits = if JOINERS.contains(&c) {
            before.is_some_and(can_be_joined) && rest.peek().copied().is_some_and(can_follow)
        } else {
            !is_refused(c)
        };
        if !fits {
            return false;
        }
        before = Some(c);
    }
    true
}

/// Whether a text is visible at all: it has a letter, number, punctuation mark or symbol that is not blank.
pub(super) fn shows(text: &str) -> bool {
    text.chars().any(is_seen)
}

/// Checks every text in a value, including the names of members.
pub(super) fn inspect(value: &Value, at: &str, faults: &mut Vec<Fault>) {
    match value {
        Value::String(text) => {
            if !are_plain(text) {
                faults.push(Fault::new(at, "bad_characters", REFUSED));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                inspect(item, &format!("{at}/{index}"), faults);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let at = format!("{at}/{}", pointer::segment(name));
                if are_plain(name) {
                    inspect(member, &at, faults);
                } else {
                    faults.push(Fault::new(at, "bad_characters", REFUSED));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Whether a character is refused everywhere: those of the category Other (control, format, private use, unassigned),
/// and line and paragraph separators.
fn is_refused(c: char) -> bool {
    let category = category(c);
    GeneralCategoryGroup::Other.contains(category)
        || matches!(category, GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn is_seen(c: char) -> bool {
    let category = category(c);
    let drawn = [
        GeneralCategoryGroup::Letter,
        GeneralCategoryGroup::Number,
        GeneralCategoryGroup::Punctuation,
        GeneralCategoryGroup::Symbol,
    ];
    drawn.iter().any(|group| group.contains(category)) && !is_ignorable(c) && c != BRAILLE_BLANK
}

/// Whether a joiner may follow a character. A mark or a variation selector belongs to the character before it.
fn can_be_joined(c: char) -> bool {
    can_follow(c) || CodePointSetData::new::<VariationSelector>().contains(c)
}

/// Whether a character may follow a joiner: a visible character, or a mark on one.
fn can_follow(c: char) -> bool {
    is_seen(c)
        || (GeneralCategoryGroup::Mark.contains(category(c))
            && !is_ignorable(c)
            && !CodePointSetData::new::<WhiteSpace>().contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_are_allowed_between_visible_characters() {
        for good in [
            "می\u{200c}خواهم",
            "ක්\u{200d}ෂ",
            "र\u{200d}्य",
            "A\u{200d}B",
            "👩\u{200d}💻",
            "🏳\u{fe0f}\u{200d}🌈",
        ] {
            assert!(are_plain(good) && shows(good), "{good:?}");
        }
        for bad in [
            "\u{200d}A",
            "A\u{200c}",
            "A\u{200d}\u{200d}B",
            "A \u{200d}B",
            "A\u{200d} B",
            "A\u{200c}\u{3164}",
        ] {
            assert!(!are_plain(bad), "{bad:?}");
        }
    }

    #[test]
    fn invisible_characters_are_found_by_their_properties() {
        for blank in [
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{fe0f}",
            "\u{e0100}",
            "\u{301}",
            " \u{3000}",
            "\u{2800}",
            "\u{34f}",
        ] {
            assert!(!shows(blank), "{blank:?}");
        }
        for seen in ["A", "ä", "名", "🚀", "-", "١", "Cafe\u{301}", "❤\u{fe0f}"] {
            assert!(shows(seen) && are_plain(seen), "{seen:?}");
        }
    }
}
