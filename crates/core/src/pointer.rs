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
