//! Paths of requests, and ARM resource ids: subscription, resource group, provider, and pairs of type and name.

use percent_encoding::percent_decode_str;

/// The decoded segments of a path; `None` if a segment is empty or not UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.trim_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned))
        .map(|segment| segment.filter(|text| !text.is_empty()))
        .collect()
}

/// Normalises the path of a request as Azure's front door does, before anything else reads it: `.` and `..`, encoded or
/// not, are resolved, and a backslash becomes a slash. So a client that builds a path from an unchecked name may
/// address another resource than it intends.
pub(crate) fn normalised(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let last = path.split('/').skip(1).count().saturating_sub(1);
    for (at, segment) in path.split('/').skip(1).enumerate() {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        match plain.as_str() {
            ".." => _ = segments.pop(),
            "." => {}
            _ => {
                segments.push(segment);
                continue;
            }
        }
        if at == last {
            segments.push("");
        }
    }
    format!("/{}", segments.join("/"))
}

/// The parsed ARM id of a resource, a collection of resources, a resource group or a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) subscription: String,
    pub(crate) group: Option<String>,
    pub(crate) provider: Option<String>,
    /// The segments of the type. A resource has as many as `names`, a collection one more.
    pub(crate) types: Vec<String>,
    pub(crate) names: Vec<String>,
}

impl ResourcePath {
    /// Parses the decoded segments of an id; `None` if they are not an ARM id.
    pub(crate) fn parse(segments: &[String]) -> Option<Self> {
        let is = |at: usize, segment: &str| segments.get(at).is_some_and(|s| s.eq_ignore_ascii_case(segment));
        if !is(0, "subscriptions") {
            return None;
        }
        let mut path = Self {
            subscription: segments.get(1)?.clone(),
            group: None,
            provider: None,
            types: Vec::new(),
            names: Vec::new(),
        };
        let mut at = 2;
        if is(at, "resourceGroups") {
            let Some(group) = segments.get(at + 1) else {
                path.types.push("resourceGroups".to_owned());
                return Some(path);
            };
            path.group = Some(group.clone());
            at += 2;
        }
        if at == segments.len() {
            return Some(path);
        }
        if !is(at, "providers") {
            return None;
        }
        path.provider = Some(segments.get(at + 1)?.clone());
        for pair in segments.get(at + 2..)?.chunks(2) {
            path.types.push(pair.first()?.clone());
            path.names.extend(pair.get(1).cloned());
        }
        Some(path)
    }

    /// Parses an id or a path; `None` if it is not an ARM id.
    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::parse(&segments(id)?)
    }

    /// The resource type, `Namespace/type/subtype`; empty for resource groups and subscriptions.
    pub(crate) fn kind(&self) -> String {
        self.provider
            .as_ref()
            .map_or_else(String::new, |provider| format!("{provider}/{}", self.types.join("/")))
    }

    /// The last name in the id: that of the resource or of the resource group. Empty for a subscription.
    pub(crate) fn name(&self) -> &str {
        let own = if self.provider.is_some() { self.names.last() } else { self.group.as_ref() };
        own.map_or("", String::as_str)
    }

    /// The id of the resource group in the path; `None` for a subscription and what is directly below it.
    pub(crate) fn group_id(&self) -> Option<String> {
        Some(group_id(&self.subscription, self.group.as_deref()?))
    }

    /// The id of the parent resource; `None` if the resource is not a child of another one.
    pub(crate) fn parent_id(&self) -> Option<String> {
        (self.names.len() > 1).then(|| self.written(self.names.len() - 1, &self.kind()))
    }

    /// The id of the resource that a collection belongs to; `None` for a collection that is not below a resource.
    pub(crate) fn parent_of_collection(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.id(&self.kind()))
    }

    /// The id as ARM writes it, with the type spelled as in `kind`. For a resource group or a subscription, `kind` is
    /// ignored.
    pub(crate) fn id(&self, kind: &str) -> String {
        self.written(self.names.len(), kind)
    }

    fn written(&self, pairs: usize, kind: &str) -> String {
        let mut id = self.group_id().unwrap_or_else(|| format!("/subscriptions/{}", self.subscription));
        if self.provider.is_none() {
            return id;
        }
        let mut parts = kind.split('/');
        if let Some(provider) = parts.next().filter(|name| !name.is_empty()) {
            id.push_str("/providers/");
            id.push_str(provider);
        }
        for (part, name) in parts.zip(self.names.iter().take(pairs)) {
            id.push('/');
            id.push_str(part);
            id.push('/');
            id.push_str(name);
        }
        id
    }
}

/// The ARM id of a resource group, from the id of the subscription and the name of the group.
pub(crate) fn group_id(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

/// The last segment of an id.
pub(crate) fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// Whether a role assignment at `scope` applies at `at`: the two are equal, or `at` is below `scope`. Case is ignored.
pub(crate) fn covers(scope: &str, at: &str) -> bool {
    at.get(..scope.len()).is_some_and(|start| start.eq_ignore_ascii_case(scope))
        && matches!(at.as_bytes().get(scope.len()), None | Some(b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_apart_and_together_again() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/a/n1/b/n2";
        let path = ResourcePath::of(id).unwrap();
        assert_eq!(path.kind(), "Microsoft.X/a/b");
        assert_eq!(path.name(), "n2");
        assert_eq!(path.id("Microsoft.X/a/b"), id);
        assert_eq!(path.parent_id().unwrap(), "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/a/n1");
        assert_eq!(path.group_id().unwrap(), "/subscriptions/s/resourceGroups/g");
    }

    #[test]
    fn dots_lead_where_they_say() {
        let below = "/subscriptions/s/resourceGroups/g/providers/P/a/b";
        for (path, seen) in [
            (format!("{below}/../../../../.."), "/subscriptions/s/resourceGroups/".to_owned()),
            (format!("{below}/%2e%2E/c"), "/subscriptions/s/resourceGroups/g/providers/P/a/c".to_owned()),
            (format!("{below}/./c\\d"), format!("{below}/c/d")),
            ("/../../x".to_owned(), "/x".to_owned()),
            (below.to_owned(), below.to_owned()),
        ] {
            assert_eq!(normalised(&path), seen, "{path}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for path in ["/", "/tenants", "/subscriptions", "/subscriptions/s/x", "/subscriptions/s//providers/p"]
        {
            assert_eq!(ResourcePath::of(path), None, "{path}");
        }
        assert_eq!(ResourcePath::of("/subscriptions/s/resourceGroups").unwrap().types, ["resourceGroups"]);
        assert_eq!(ResourcePath::of("/subscriptions/s/resourceGroups/a%20b").unwrap().group.unwrap(), "a b");
    }

    #[test]
    fn an_assignment_applies_at_its_scope_and_below() {
        for (scope, at, expected) in [
            ("/subscriptions/a", "/Subscriptions/A", true),
            ("/subscriptions/a", "/subscriptions/a/resourceGroups/b", true),
            ("/subscriptions/a", "/subscriptions/ab", false),
            ("/subscriptions/a/resourceGroups/b", "/subscriptions/a", false),
            ("", "/subscriptions/a", true),
        ] {
            assert_eq!(covers(scope, at), expected, "{scope} and {at}");
        }
    }
}
