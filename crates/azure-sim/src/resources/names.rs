//! Parts of rules for names, from Microsoft's page on resource name rules.

/// Whether a name has from `min` to `max` characters, all of them ASCII letters, digits or in `others`.
pub(super) fn has_only(name: &str, min: usize, max: usize, others: &str) -> bool {
    (min..=max).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether a name begins with an ASCII letter or digit.
pub(super) fn begins_alphanumeric(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a name has from `min` to `max` characters, all of them ASCII letters, digits and single hyphens, and does
/// not end with a hyphen.
pub(super) fn hyphenated(name: &str, min: usize, max: usize) -> bool {
    has_only(name, min, max, "-") && !name.contains("--") && !name.ends_with('-')
}

/// A region in the form in which ARM compares and shows it: `West Europe` becomes `westeurope`.
pub(crate) fn region(text: &str) -> String {
    text.replace(' ', "").to_lowercase()
}
