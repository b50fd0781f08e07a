//! The segments of a JSON pointer (RFC 6901).

use std::borrow::Cow;

/// A member's name as a segment.
///
/// ```
/// assert_eq!(tenantry_core::pointer::segment("a/b~c"), "a~1b~0c");
/// ```
pub fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The member's name that a segment stands for.
///
/// ```
/// assert_eq!(tenantry_core::pointer::name("a~1b~0c"), "a/b~c");
/// ```
pub fn name(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~").into() } else { segment.into() }
}

/// Whether a pointer leads to what another one leads to, or into it; Azure reads names of members without case.
///
/// ```
/// use tenantry_core::pointer::is_within;
///
/// assert!(is_within("/properties/subnet/ID", "/properties/subnet"));
/// assert!(!is_within("/properties/subnets", "/properties/subnet"));
/// ```
pub fn is_within(pointer: &str, place: &str) -> bool {
    pointer.get(..place.len()).is_some_and(|start| start.eq_ignore_ascii_case(place))
        && matches!(pointer.as_bytes().get(place.len()), None | Some(b'/'))
}
