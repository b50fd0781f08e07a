//! Rules for names, as Microsoft's page on resource name rules states them.

/// Whether a name has only letters, digits and `others`, and between `min` and `max` of them.
pub(super) fn has_only(name: &str, min: usize, max: usize, others: &str) -> bool {
    (min..=max).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether a name begins with a letter or digit.
pub(super) fn begins_alphanumeric(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a name has only letters, digits and single hyphens, and no hyphen at its end.
pub(super) fn hyphenated(name: &str, min: usize, max: usize) -> bool {
    has_only(name, min, max, "-") && !name.contains("--") && !name.ends_with('-')
}

/// How ARM compares and shows regions: `West Europe` is `westeurope`.
pub(crate) fn region(text: &str) -> String {
    text.replace(' ', "").to_lowercase()
}
