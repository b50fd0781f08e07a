//! Reads and purges soft-deleted resources.

use crate::{
    api_version,
    call::Call,
    operations::{
        lifecycle::{delete, expiry},
        polls::with_poll_url,
        run::start,
    },
    path::group_id,
    reply::{Outcome, Reply},
    resources::{
        deleted_items::{DeletedItems, DeletedPath, PurgeForm},
        profile::{Follow, Profile},
        registry,
    },
    stamp::SUBSCRIPTION_ID,
    store::{Change, Object, StoreQuery, Work},
};

/// The path of a soft-deleted resource, which need not exist.
pub(super) struct Deleted {
    profile: &'static Profile,
    items: &'static dyn DeletedItems,
    path: DeletedPath,
    /// Whether the path ends with the action `purge`.
    pub(super) purges: bool,
}

impl Deleted {
    /// Parses the segments of a path, in lower case; `None` if the path is not one of a soft-deleted resource.
    pub(super) fn parse(parts: &[&str]) -> Option<Self> {
        let ["subscriptions", _, "providers", namespace, "locations", location, rest @ ..] = parts else {
            return None;
        };
        registry::all().find_map(|kind| {
            let (profile, items) = (kind.profile(), kind.deleted_items()?);
            let (group, rest) = match rest {
                ["resourcegroups", group, rest @ ..] if items.in_group() => (Some((*group).to_owned()), rest),
                rest if !items.in_group() => (None, rest),
                _ => return None,
            };
            let [collection, name, rest @ ..] = rest else { return None };
            let purges = match (rest, items.purge_form()) {
                ([], _) => false,
                (["purge"], PurgeForm::Post { .. }) => true,
                _ => return None,
            };
            let known = profile.namespace().eq_ignore_ascii_case(namespace)
                && items.collection().eq_ignore_ascii_case(collection);
            let path = DeletedPath { location: (*location).to_owned(), group, name: (*name).to_owned() };
            known.then_some(Self { profile, items, path, purges })
        })
    }

    fn find(&self, view: &impl StoreQuery, call: &Call) -> Outcome<Option<Object>> {
        api_version::check(call, self.items.collection(), self.profile.version)?;
        let DeletedPath { location, group, name } = &self.path;
        let object = match group {
            Some(group) => {
                let (namespace, kind) = self.profile.name.split_once('/').unwrap_or_default();
                let group = group_id(SUBSCRIPTION_ID, group);
                view.object(&format!("{group}/providers/{namespace}/{kind}/{name}"))?
            }
            None => {
                let key = self.profile.name_key(name, location).unwrap_or_default();
                view.holder(&key)?
            }
        };
        Ok(object.filter(|object| object.deleted.is_some() && object.text("/location") == location))
    }

    /// Answers a GET of the soft-deleted resource.
    pub(super) fn read(&self, view: &impl StoreQuery, call: &Call) -> Outcome {
        let Some(object) = self.find(view, call)? else {
            return Err(self.items.missing(&self.path.name).into());
        };
        let body = self.items.show(&object, &self.path, expiry(&object));
        Ok(Reply::json(200, body).of(object.tenant))
    }

    /// Whether a request with this method purges the soft-deleted resource.
    pub(super) fn is_purged_by(&self, method: &str) -> bool {
        match self.items.purge_form() {
            PurgeForm::Post { .. } => method == "POST" && self.purges,
            PurgeForm::Delete => method == "DELETE",
        }
    }

    /// Purges the soft-deleted resource: at once, or with a long-running operation.
    pub(super) fn purge(&self, change: &mut Change<'_>, call: &Call) -> Outcome {
        let (found, form) = (self.find(change, call)?, self.items.purge_form());
        let Some(mut object) = found else {
            return match form {
                PurgeForm::Post { .. } => Err(self.items.missing(&self.path.name).into()),
                PurgeForm::Delete => Ok(Reply::empty(204)),
            };
        };
        self.items.check_purge(&object, &self.path)?;
        let tenant = object.tenant.clone();
        match form {
            PurgeForm::Delete => {
                delete(change, &object)?;
                Ok(Reply::empty(200).of(tenant))
            }
            PurgeForm::Post { seconds } => {
                let operation = start(change, &mut object, Work::Purge, seconds)?;
                let reply = with_poll_url(Reply::empty(202), call, &operation, Follow::Location, change.now);
                Ok(reply.of(tenant))
            }
        }
    }
}
