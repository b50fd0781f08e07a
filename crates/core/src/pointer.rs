//! The segments of a JSON pointer (RFC 6901).

use std::borrow::Cow;

/// Encodes the name of a JSON member as one segment of a JSON pointer.
///
/// ```
/// assert_eq!(tenantry_core::pointer::segment("a/b~c"), "a~1b~0c");
/// ```
pub fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Decodes one segment of a JSON pointer into the name of the JSON member.
///
/// ```
/// assert_eq!(tenantry_core::pointer::name("a~1b~0c"), "a/b~c");
/// ```
pub fn name(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~").into() } else { segment.into() }
}

/// Whether the JSON pointer `pointer` equals `outer` or points to something within it. Case is ignored, as Azure
/// ignores it in the names of members.
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
