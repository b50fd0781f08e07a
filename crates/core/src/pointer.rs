//! The segments of a JSON pointer (RFC 6901).

use std::borrow::Cow;

/// Encodes a member's name as a segment.
///
/// ```
/// assert_eq!(tenantry_core::pointer::segment("a/b~c"), "a~1b~0c");
/// ```
pub fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Decodes a segment into the member's name.
///
/// ```
/// assert_eq!(tenantry_core::pointer::name("a~1b~0c"), "a/b~c");
/// ```
pub fn name(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~").into() } else { segment.into() }
}

/// Whether `pointer` equals `outer` or points below it. Case is ignored, as Azure ignores it in names of members.
///
/// ```
/// use tenantry_core::pointer::is_within;
///
/// assert!(is_within("/properties/subnet/ID", "/properties/subnet"));
/// assert!(!is_within("/properties/subnets", "/properties/subnet"));
/// ```
pub fn is_within(pointer: &str, outer: &str) -> bool {
    pointer.get(..outer.len()).is_some_and(|start| start.eq_ignore_ascii_case(outer))
        && matches!(pointer.as_bytes().get(outer.len()), None | Some(b'/'))
}
