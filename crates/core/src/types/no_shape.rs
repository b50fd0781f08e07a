//! Why the table has no shape.

use std::fmt;

use super::TypeVersion;

/// The reason why the table has no shape for a type at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoShape<'a> {
    /// The table does not have the type.
    UnknownType {
        /// The type with the most similar name, if one is similar.
        suggestion: Option<&'a str>,
    },
    /// The type does not have the version. The table may be older than the version, so that does not prove that Azure
    /// does not have it.
    UnknownVersion {
        /// The version that is most similar, or the newest.
        suggestion: Option<TypeVersion<'a>>,
        /// The newest version that is not a preview.
        newest_stable: Option<TypeVersion<'a>>,
        /// The version with a shape that is nearest by date.
        nearest: Option<TypeVersion<'a>>,
    },
    /// The type has the version, but the table does not describe it.
    NotDescribed {
        /// The version with a shape that is nearest by date.
        nearest: Option<TypeVersion<'a>>,
    },
}

impl fmt::Display for NoShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { suggestion: None } => f.write_str("this resource type is not known"),
            Self::UnknownType { suggestion: Some(name) } => {
                write!(f, "this resource type is not known; did you mean `{name}`?")
            }
            Self::UnknownVersion { suggestion, newest_stable, .. } => {
                f.write_str("the resource type has no such API version that is known")?;
                if let Some(version) = suggestion {
                    write!(f, "; did you mean `{version}`?")?;
                }
                newest_stable.map_or(Ok(()), |newest| write!(f, " The newest stable version is `{newest}`."))
            }
            Self::NotDescribed { nearest: None } => {
                f.write_str("no API version of this resource type is described")
            }
            Self::NotDescribed { nearest: Some(version) } => {
                write!(
                    f,
                    "this API version is not described; the nearest one that is described is `{version}`"
                )
            }
        }
    }
}

impl std::error::Error for NoShape<'_> {}
