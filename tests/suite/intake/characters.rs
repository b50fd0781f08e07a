//! Texts are judged by the Unicode categories of their characters, whichever member they are in.

use std::collections::BTreeSet;

use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry::intake::{self, Fault};

use super::signup;

use crate::testkit::same_cases;

fn read(message: &Value) -> Result<(), Vec<Fault>> {
    intake::read(message.to_string().as_bytes(), "test").map(|_| ())
}

/// A message with the text at one location, and the location's pointer.
fn with(at: &str, text: &str) -> (Value, String) {
    let mut message = signup("c-1", "contoso");
    match at {
        "tag" => {
            message["spec"]["tags"] = json!({text: "x"});
            (message, format!("/spec/tags/{}", text.replace('~', "~0").replace('/', "~1")))
        }
        "deep" => {
            message["spec"]["parameters"] = json!({"a": [{"b": text}]});
            (message, "/spec/parameters/a/0/b".to_owned())
        }
        "party" => {
            message["external"] = json!({"system": "shop", "purchaser": {"name": [text]}});
            (message, "/external/purchaser/name/0".to_owned())
        }
        _ => {
            let (parent, name) = at.rsplit_once('/').unwrap();
            if message.pointer(parent).is_none() {
                message["spec"]["tags"] = json!({});
            }
            message.pointer_mut(parent).unwrap()[name] = json!(text);
            (message, at.to_owned())
        }
    }
}

const LOCATIONS: [&str; 6] =
    ["/spec/displayName", "/spec/adminContact", "/spec/tags/cost", "tag", "deep", "party"];

fn is_refused(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let separates = [GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator].contains(&category);
    (GeneralCategoryGroup::Other.contains(category) && !['\u{200c}', '\u{200d}'].contains(&c)) || separates
}

/// Each Unicode character is checked between two letters; one message has many such texts.
#[test]
fn every_character_has_the_verdict_of_its_category() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let (mut taken, mut refused) = (0, 0);
    for some in all.chunks(900) {
        let mut message = signup("c-1", "contoso");
        message["spec"]["parameters"] =
            json!({"a": some.iter().map(|c| format!("A{c}B")).collect::<Vec<_>>()});
        let faults = read(&message).err().unwrap_or_default();
        let reported: BTreeSet<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert!(faults.iter().all(|fault| fault.code == "bad_characters"), "{faults:?}");
        for (n, c) in some.iter().enumerate() {
            let is_reported = reported.contains(&*format!("/spec/parameters/a/{n}"));
            assert_eq!(is_reported, is_refused(*c), "U+{:04X}", u32::from(*c));
            if is_reported { refused += 1 } else { taken += 1 }
        }
    }
    assert!(taken > 140_000 && refused > 800_000, "{taken} taken, {refused} refused");
}

proptest! {
    #![proptest_config(same_cases(1000))]

    #[test]
    fn a_text_is_judged_alike_at_every_location(before in "\\PC{0,3}", c in any::<char>(), after in "\\PC{0,3}") {
        let text = format!("A{before}{c}{after}B");
        let verdicts = LOCATIONS.map(|location| {
            let (message, at) = with(location, &text);
            let faults = read(&message).err().unwrap_or_default();
            faults.iter().any(|fault| fault.code == "bad_characters" && fault.pointer == at)
        });
        // Azure rejects more characters in a tag's name.
        let azures = text.contains(['<', '>', '%', '&', '\\', '?', '/']);
        let expected = verdicts[0];
        prop_assert!(
            verdicts.iter().zip(LOCATIONS).all(|(verdict, location)| *verdict == expected || (azures && location == "tag")),
            "{:?}: {:?}", text, verdicts
        );
        prop_assert!(expected || !text.chars().any(is_refused), "{:?}", text);
    }
}
