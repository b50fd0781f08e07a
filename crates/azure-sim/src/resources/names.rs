//! Rules for names, as Microsoft's page on resource name rules states them.

/// Whether a name has so many letters, digits and other characters of these.
pub(super) fn words(name: &str, min: usize, max: usize, others: &str) -> bool {
    (min..=max).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether a name begins with a letter or digit.
pub(super) fn begins_alphanumeric(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a name has so many letters, digits and single hyphens, and no hyphen at its end.
pub(super) fn hyphenated(name: &str, min: usize, max: usize) -> bool {
    words(name, min, max, "-") && !name.contains("--") && !name.ends_with('-')
}

/// How ARM compares and shows regions: `West Europe` is `westeurope`.
pub(crate) fn region(text: &str) -> String {
    text.replace(' ', "").to_lowercase()
}
