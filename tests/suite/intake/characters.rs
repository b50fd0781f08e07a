//! Texts are judged by what Unicode says of their characters, wherever they stand.

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

/// Where a text of a request may stand: its pointer, and what else stands there.
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

const PLACES: [&str; 6] =
    ["/spec/displayName", "/spec/adminContact", "/spec/tags/cost", "tag", "deep", "party"];

fn is_refused(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let separates = [GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator].contains(&category);
    (GeneralCategoryGroup::Other.contains(category) && !['\u{200c}', '\u{200d}'].contains(&c)) || separates
}

/// Every character there is, between two letters of a text; many texts to a message.
#[test]
fn every_character_has_the_verdict_of_its_category() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let (mut taken, mut refused) = (0, 0);
    for some in all.chunks(900) {
        let mut message = signup("c-1", "contoso");
        message["spec"]["parameters"] =
            json!({"a": some.iter().map(|c| format!("A{c}B")).collect::<Vec<_>>()});
        let faults = read(&message).err().unwrap_or_default();
        let told: BTreeSet<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert!(faults.iter().all(|fault| fault.code == "bad_characters"), "{faults:?}");
        for (n, c) in some.iter().enumerate() {
            let is_told = told.contains(&*format!("/spec/parameters/a/{n}"));
            assert_eq!(is_told, is_refused(*c), "U+{:04X}", u32::from(*c));
            if is_told { refused += 1 } else { taken += 1 }
        }
    }
    assert!(taken > 140_000 && refused > 800_000, "{taken} taken, {refused} refused");
}

proptest! {
    #![proptest_config(same_cases(1000))]

    #[test]
    fn a_text_is_judged_alike_wherever_it_stands(before in "\\PC{0,3}", c in any::<char>(), after in "\\PC{0,3}") {
        let text = format!("A{before}{c}{after}B");
        let verdicts = PLACES.map(|place| {
            let (message, at) = with(place, &text);
            let faults = read(&message).err().unwrap_or_default();
            faults.iter().any(|fault| fault.code == "bad_characters" && fault.pointer == at)
        });
        // What Azure refuses in a tag's name is another matter.
        let azures = text.contains(['<', '>', '%', '&', '\\', '?', '/']);
        let wanted = verdicts[0];
        prop_assert!(
            verdicts.iter().zip(PLACES).all(|(verdict, place)| *verdict == wanted || (azures && place == "tag")),
            "{:?}: {:?}", text, verdicts
        );
        prop_assert!(wanted || !text.chars().any(is_refused), "{:?}", text);
    }
}
