//! A resource type and its API versions.

use super::TypeVersion;
use crate::spelling;

/// Stands in the table after a version with a shape.
const HAS_SHAPE: char = '*';

/// A resource type and its API versions.
#[derive(Debug, Clone, Copy)]
pub struct ResourceTypeInfo<'a> {
    name: &'a str,
    /// The versions as the table has them: newest first, with commas between them.
    versions: &'a str,
}

impl<'a> ResourceTypeInfo<'a> {
    pub(super) fn new(name: &'a str, versions: &'a str) -> Self {
        Self { name, versions }
    }

    /// The name of the type in the spelling that most of its versions use.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The namespace of the resource provider, e.g. `Microsoft.KeyVault`.
    pub fn provider(&self) -> &'a str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// All versions, newest first.
    pub fn versions(&self) -> impl Iterator<Item = TypeVersion<'a>> + use<'a> {
        self.marked().map(|(version, _)| version)
    }

    /// The versions of which the table has a shape, newest first.
    pub fn versions_with_shape(&self) -> impl Iterator<Item = TypeVersion<'a>> + use<'a> {
        self.marked().filter(|(_, has_shape)| *has_shape).map(|(version, _)| version)
    }

    /// The newest version that is not a preview; `None` if all are previews.
    pub fn newest_stable(&self) -> Option<TypeVersion<'a>> {
        self.versions().find(|version| !version.is_preview())
    }

    /// The newest version, even if it is a preview.
    pub fn newest(&self) -> Option<TypeVersion<'a>> {
        self.versions().next()
    }

    /// Whether the type has this version. Case is ignored.
    pub fn is_known_version(&self, version: &str) -> bool {
        self.version(version).is_some()
    }

    /// The version as the table spells it; `None` if the type does not have it.
    pub fn version(&self, version: &str) -> Option<TypeVersion<'a>> {
        self.versions().find(|known| known.as_str().eq_ignore_ascii_case(version))
    }

    /// The version that is most similar to a misspelt one, the newest of several; if none is similar, the newest stable
    /// version.
    pub fn suggest_version(&self, version: &str) -> Option<TypeVersion<'a>> {
        let near = spelling::nearest(version, self.versions().map(TypeVersion::as_str));
        near.and_then(TypeVersion::parse).or_else(|| self.newest_stable()).or_else(|| self.newest())
    }

    /// The version with a shape that is nearest to a version by date, the newer one of two; `None` if no version has
    /// one. For a text that is no version it is the newest.
    pub fn nearest_with_shape(&self, version: &str) -> Option<TypeVersion<'a>> {
        let given = TypeVersion::parse(version);
        // `min_by_key` returns the first of several, which is the newest.
        self.versions_with_shape().min_by_key(|known| given.map(|given| known.days_from(given)))
    }

    pub(super) fn has_shape(&self, version: TypeVersion<'_>) -> bool {
        self.versions_with_shape().any(|known| known == version)
    }

    fn marked(&self) -> impl Iterator<Item = (TypeVersion<'a>, bool)> + use<'a> {
        self.versions.split(',').filter_map(|marked| {
            let (version, has_shape) =
                marked.strip_suffix(HAS_SHAPE).map_or((marked, false), |version| (version, true));
            Some((TypeVersion::parse(version)?, has_shape))
        })
    }
}
