//! Checks of single values: lengths, ranges, patterns, lists of values.

use regex_lite::Regex;
use serde_json::Number;

use super::{BodyCode, Check, Grade, listed};
use crate::{
    spelling,
    types::expression::{NumberRule, TextRule},
};

/// How much of a wrong value a message shows, in characters.
const SHOWN: usize = 64;

impl Check<'_> {
    /// Checks the length and the pattern of a text. The source does not say in what the length is measured; characters
    /// refuse the fewest texts.
    pub(super) fn text(&mut self, rule: &TextRule, text: &str) {
        self.length(text.chars().count(), (rule.min, rule.max), "characters");
        // Some patterns need lookaround, which the crate does not have: these are not checked.
        let pattern = rule.pattern.as_deref().and_then(|pattern| Some((pattern, Regex::new(pattern).ok()?)));
        if let Some((pattern, regex)) = pattern
            && !regex.is_match(text)
        {
            // The text may be a password, so the message does not show it.
            self.error(BodyCode::Pattern, format!("the text does not match the pattern `{pattern}`"), None);
        }
    }

    /// Checks the length of a text or a list.
    pub(super) fn length(&mut self, length: usize, (min, max): (Option<u64>, Option<u64>), unit: &str) {
        let length = length as u64;
        if let Some(min) = min.filter(|min| length < *min) {
            let message = format!("this has {length} {unit}, but needs at least {min}");
            self.error(BodyCode::TooShort, message, None);
        }
        if let Some(max) = max.filter(|max| length > *max) {
            let message = format!("this has {length} {unit}, but may have {max} at most");
            self.error(BodyCode::TooLong, message, None);
        }
    }

    /// Checks the range of a number.
    pub(super) fn number(&mut self, rule: &NumberRule, number: &Number) {
        let is_below = |limit: i64| match number.as_i64() {
            Some(number) => number < limit,
            // Larger integers and fractions. Limits are small enough to be exact as fractions.
            None => number.as_f64().is_some_and(|number| number < limit as f64),
        };
        let is_above = |limit: i64| match number.as_i64() {
            Some(number) => number > limit,
            None => number.as_f64().is_some_and(|number| number > limit as f64),
        };
        let message = if let Some(min) = rule.min.filter(|min| is_below(*min)) {
            format!("{number} is too small; the smallest is {min}")
        } else if let Some(max) = rule.max.filter(|max| is_above(*max)) {
            format!("{number} is too large; the largest is {max}")
        } else {
            return;
        };
        self.error(BodyCode::OutOfRange, message, None);
    }

    /// Checks that a text is one of the values. An open list may have others, so that is only a hint.
    pub(super) fn one_of(&mut self, values: &[String], open: bool, text: &str) {
        if values.iter().any(|value| value == text) {
            return;
        }
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        if !open {
            return self.not_in_enum(&values, text);
        }
        let (known, near) = (listed(&values), spelling::did_you_mean(text, values.iter().copied()));
        let shown: String = text.chars().take(SHOWN).collect();
        let message = format!("`{shown}` is none of the published values, but the service may take others");
        let hint = format!("{near} the published values are {known}");
        self.find(BodyCode::NotInEnum, Grade::Hint, message, Some(hint.trim_start().to_owned()));
    }

    /// Adds the finding about a text that is none of the values. Services are known to accept another case.
    pub(super) fn not_in_enum(&mut self, values: &[&str], text: &str) {
        let shown: String = text.chars().take(SHOWN).collect();
        if let Some(value) = values.iter().find(|value| value.eq_ignore_ascii_case(text)) {
            let message = format!("`{shown}` differs in case from the value `{value}`");
            self.find(BodyCode::NotInEnum, Grade::Hint, message, Some(format!("write `{value}`")));
            return;
        }
        let near = spelling::did_you_mean(text, values.iter().copied());
        let list = match values {
            [value] => format!("the only value is `{value}`"),
            _ => format!("the values are {}", listed(values)),
        };
        let hint = if near.is_empty() { list } else { format!("{near} {list}") };
        self.error(BodyCode::NotInEnum, format!("`{shown}` is none of the possible values"), Some(hint));
    }
}
