//! Ids and API versions of Azure Resource Manager: parsed once, compared without case, and the only source of its URLs.
//!
//! Sources: Microsoft, "Naming rules and restrictions for Azure resources" (names are compared without case; a group's
//! name holds letters, digits, underscores, parentheses, hyphens and periods, and does not end in one; containers such
//! as `$web` begin with a dollar, revisions in API Management hold `;rev=`), and RFC 3986 for the characters that a
//! path keeps as they are. Azure has names with letters beyond ASCII or with spaces; they are refused here, because
//! their spelling in a URL is ambiguous, and an ambiguous id could be another tenant's id.

use std::{borrow::Cow, fmt, str::FromStr};

use super::BadId;

/// The longest id that is accepted, in bytes; Azure's own limit for a URL is about as long.
const MAX_BYTES: usize = 2048;
/// The longest resource name in Azure, in characters.
const MAX_SEGMENT: usize = 260;
/// The type of a resource group, whose id has no provider.
const GROUPS: &str = "Microsoft.Resources/resourceGroups";

/// Why a text can't be one segment of a resource id, or `None` if it can.
///
/// A valid segment reaches the service byte for byte: no URL parser changes it, and it has no second spelling.
pub fn segment_objection(text: &str) -> Option<&'static str> {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || b"-._~()$;=@+,!".contains(&b);
    if text.is_empty() {
        Some("has an empty segment")
    } else if text.bytes().all(|b| b == b'.') {
        Some("has a segment that leads to another path")
    } else if !text.bytes().all(is_known) {
        Some("holds a character that no name may have in it")
    } else if text.len() > MAX_SEGMENT {
        Some("has a segment that is longer than any name")
    } else if text.ends_with('.') {
        Some("has a name that ends in a period")
    } else {
        None
    }
}

/// The id of a subscription, a resource group or a resource. Includes extension resources and resources of a directory.
///
/// Two ids are equal if they differ only in case, as Azure compares them; the spelling is kept.
#[derive(Debug, Clone)]
pub struct ResourceId(String);

impl ResourceId {
    /// The id as text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a subscription.
    ///
    /// # Errors
    /// The text is not a valid segment.
    pub fn of_subscription(subscription: &str) -> Result<Self, BadId> {
        format!("/subscriptions/{subscription}").parse()
    }

    /// The id of a resource group.
    ///
    /// # Errors
    /// One of the texts is not a valid segment.
    pub fn of_group(subscription: &str, group: &str) -> Result<Self, BadId> {
        format!("/subscriptions/{subscription}/resourceGroups/{group}").parse()
    }

    /// The id of the resource `name` in this subscription or resource group, or of an extension resource `name` of this
    /// resource; `of` is its full type, e.g. `Microsoft.Storage/storageAccounts`.
    ///
    /// # Errors
    /// The type or the name is not valid in a resource id.
    pub fn provided(&self, of: &str, name: &str) -> Result<Self, BadId> {
        format!("{}/providers/{of}/{name}", self.0).parse()
    }

    /// The id of the child resource `name` of this resource; `of` is its type below this resource, e.g.
    /// `onlineEndpoints`.
    ///
    /// # Errors
    /// The type or the name is not valid in a resource id.
    pub fn part(&self, of: &str, name: &str) -> Result<Self, BadId> {
        format!("{}/{of}/{name}", self.0).parse()
    }

    /// Whether `other` is this id, or the id of something within it.
    pub fn holds(&self, other: &Self) -> bool {
        let Some((head, tail)) = other.0.as_bytes().split_at_checked(self.0.len()) else { return false };
        head.eq_ignore_ascii_case(self.0.as_bytes()) && (tail.is_empty() || tail.starts_with(b"/"))
    }

    /// The subscription; `None` for resources of a directory, such as built-in roles.
    pub fn subscription(&self) -> Option<&str> {
        let mut segments = self.segments();
        segments.next().filter(|first| first.eq_ignore_ascii_case("subscriptions"))?;
        segments.next()
    }

    /// The name of the resource group that this id is about or lies in; `None` if there is none.
    pub fn group(&self) -> Option<&str> {
        let mut segments = self.segments().skip(2);
        self.subscription()?;
        segments.next().filter(|segment| segment.eq_ignore_ascii_case("resourceGroups"))?;
        segments.next()
    }

    /// The resource's name: the last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The resource type, e.g. `Microsoft.Network/privateEndpoints`; `None` for a subscription.
    pub fn resource_type(&self) -> Option<String> {
        self.types().pop().or_else(|| self.group().map(|_| GROUPS.to_owned()))
    }

    /// The resource types in the id, outermost first: for an extension resource, the type of the resource that it
    /// extends and then its own.
    pub fn types(&self) -> Vec<String> {
        let segments: Vec<&str> = self.segments().collect();
        let mut types = Vec::new();
        let mut rest = &segments[self.before_providers()..];
        while let Some((namespace, pairs)) = rest.get(1..).and_then(<[_]>::split_first) {
            let length = block(pairs);
            let names = pairs[..length].iter().step_by(2).copied();
            types.push(std::iter::once(*namespace).chain(names).collect::<Vec<_>>().join("/"));
            rest = &pairs[length..];
        }
        types
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// How many segments precede the first provider.
    fn before_providers(&self) -> usize {
        match (self.subscription(), self.group()) {
            (None, _) => 0,
            (Some(_), None) => 2,
            (Some(_), Some(_)) => 4,
        }
    }
}

/// How many segments of `pairs`, which are types and names in alternation, precede the next provider.
fn block(pairs: &[&str]) -> usize {
    let next = pairs.iter().step_by(2).position(|segment| segment.eq_ignore_ascii_case("providers"));
    next.map_or(pairs.len(), |pair| pair * 2)
}

/// Why `rest`, the segments after a scope, is not a sequence of providers with pairs of type and name, or `None` if it
/// is.
fn providers_objection(mut rest: &[&str]) -> Option<&'static str> {
    let is_token = |segment: &str| segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    while let Some((first, behind)) = rest.split_first() {
        if !first.eq_ignore_ascii_case("providers") {
            return Some("does not go on with `providers` where it has to");
        }
        let Some((namespace, pairs)) = behind.split_first() else { return Some("ends before its provider") };
        let length = block(pairs);
        let pairs_of_it = &pairs[..length];
        let names = pairs_of_it.iter().step_by(2);
        if pairs_of_it.is_empty() || length % 2 == 1 {
            return Some("is not made of pairs of a type and a name");
        }
        if !is_token(namespace) || !names.clone().all(|name| is_token(name)) {
            return Some("has a type that is no word");
        }
        if pairs_of_it.iter().skip(1).step_by(2).any(|name| name.eq_ignore_ascii_case("providers")) {
            return Some("has a name that could be the next provider");
        }
        rest = &pairs[length..];
    }
    None
}

impl FromStr for ResourceId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = |why| BadId { what: "a resource id", why };
        let Some(rest) = text.strip_prefix('/') else { return Err(bad("does not begin with a slash")) };
        if text.len() > MAX_BYTES {
            return Err(bad("is longer than any id"));
        }
        let segments: Vec<&str> = rest.split('/').collect();
        if let Some(why) = segments.iter().find_map(|segment| segment_objection(segment)) {
            return Err(bad(why));
        }
        let id = Self(text.to_owned());
        if segments.len() == 1 {
            return Err(bad("names nothing"));
        }
        let before = id.before_providers();
        match providers_objection(segments.get(before..).unwrap_or_default()) {
            Some(why) => Err(bad(why)),
            None => Ok(id),
        }
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a Resource Manager API: a date, optionally with `-preview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersion(Cow<'static, str>);

impl ApiVersion {
    /// A version that is a constant of this program; it is not validated.
    pub const fn known(version: &'static str) -> Self {
        Self(Cow::Borrowed(version))
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiVersion {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let date = text.strip_suffix("-preview").unwrap_or(text);
        let parts: Vec<&str> = date.split('-').collect();
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        match parts.as_slice() {
            [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => {
                Ok(Self(Cow::Owned(text.to_owned())))
            }
            _ => Err(BadId { what: "an API version", why: "is a date such as 2024-10-01" }),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn ids_are_taken_apart() {
        let vault = "/subscriptions/s-1/resourceGroups/rg_(a).b-c/providers/Microsoft.KeyVault/vaults/kv1";
        let lock = format!("{vault}/providers/Microsoft.Authorization/locks/no");
        assert_eq!(id(&lock).types(), ["Microsoft.KeyVault/vaults", "Microsoft.Authorization/locks"]);
        assert_eq!(id(&lock).resource_type().unwrap(), "Microsoft.Authorization/locks");
        assert_eq!((id(vault).subscription(), id(vault).group()), (Some("s-1"), Some("rg_(a).b-c")));
        assert_eq!(id(vault).name(), "kv1");
        assert_eq!(id("/subscriptions/s/resourceGroups/g").resource_type().unwrap(), GROUPS);
        assert_eq!(id("/subscriptions/s").resource_type(), None);
        let role = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
        assert_eq!(id(role).subscription(), None);
        let logs = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/st/blobServices/default/containers/$logs";
        assert_eq!(
            id(logs).resource_type().unwrap(),
            "Microsoft.Storage/storageAccounts/blobServices/containers"
        );
    }

    #[test]
    fn ids_are_compared_without_case_and_by_whole_segments() {
        let group = id("/subscriptions/S/resourceGroups/Rg");
        assert_eq!(group, id("/SUBSCRIPTIONS/s/resourcegroups/rG"));
        assert!(group.holds(&group));
        assert!(group.holds(&group.provided("Microsoft.X/a", "n").unwrap()));
        assert!(!group.holds(&id("/subscriptions/s/resourceGroups/rg2")));
        assert!(!group.holds(&id("/subscriptions/s")));
        assert!(group.provided("Microsoft.X/a", "..").is_err() && group.part("a/b", "n").is_err());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let group = "/subscriptions/s/resourceGroups/g";
        for end in [
            "/",
            "/..",
            "/.",
            "//x",
            "/%2e%2e",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/a b",
            "/a\tb",
            "/a\u{0}b",
            "/ä",
            "/providers",
            "/providers/Microsoft.X",
            "/providers/Microsoft.X/a",
            "/providers/Microsoft.X/a/b/c",
            "/providers/Microsoft.X/a/providers",
            "/providers/Microsoft.X/a/b/providers",
            "/x/y",
            "/a{b",
            "/a\u{2024}",
        ] {
            let text = format!("{group}{end}");
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
        for text in
            ["", "/", "subscriptions/s", "/subscriptions", "/tenants/x", "https://evil.example/x", "//evil/x"]
        {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_dates() {
        assert!(
            "2024-10-01".parse::<ApiVersion>().is_ok() && "2024-10-01-preview".parse::<ApiVersion>().is_ok()
        );
        for bad in ["", "latest", "2024-10-01&x=1", "2024-10-1", "2024-10-01-preview-preview"] {
            assert!(bad.parse::<ApiVersion>().is_err(), "{bad}");
        }
    }
}
