//! The blueprints of a deployment: those that its folder offers, with several versions side by side, and those that
//! tenants are pinned to, whose texts are saved in the state under their digests.
//!
//! Tenants are pinned by digest, so a file that is edited without a new version changes no existing tenant. A tenant is
//! updated, suspended and resumed with the text that it was created from, even if the folder has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef, version_numbers},
    ids::sha256_hex,
};

use super::Fault;
use crate::ports::{StateStore, StoreError};

/// The offered blueprints, by name and then by version.
type Offered = BTreeMap<String, BTreeMap<[u32; 3], Arc<Blueprint>>>;

/// The blueprints that are offered, and those that tenants are pinned to.
pub struct Catalogue {
    offered: Offered,
    /// The name of the blueprint for sign-ups that name none.
    default_name: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Blueprints by digest: the offered ones, and those that were read from the state.
    checked: BTreeMap<String, Arc<Blueprint>>,
    /// The digests whose texts are known to be in the state.
    kept: BTreeSet<String>,
}

impl Catalogue {
    /// Creates a catalogue of offered blueprints. The name of the first one is the default. Of two blueprints with the
    /// same name and version, the second is offered; see [`clashes`].
    pub fn new(blueprints: Vec<Blueprint>) -> Self {
        let default_name = blueprints.first().map(|first| first.name().to_owned()).unwrap_or_default();
        let (mut offered, mut known) = (Offered::new(), Known::default());
        for blueprint in blueprints.into_iter().map(Arc::new) {
            known.checked.insert(blueprint.digest().to_owned(), Arc::clone(&blueprint));
            let versions = offered.entry(blueprint.name().to_owned()).or_default();
            versions.insert(blueprint.version_numbers().unwrap_or_default(), blueprint);
        }
        Self { offered, default_name, known: Mutex::new(known) }
    }

    /// All offered blueprints, by name and version.
    pub fn offered(&self) -> impl Iterator<Item = &Arc<Blueprint>> {
        self.offered.values().flat_map(BTreeMap::values)
    }

    /// Chooses an offered blueprint: without a name the default one, without a version the newest.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Blueprint>, Vec<Fault>> {
        let name = name.unwrap_or(&self.default_name);
        let Some(versions) = self.offered.get(name) else {
            let known: Vec<&str> = self.offered.keys().map(String::as_str).collect();
            let message = format!("this deployment has no blueprint {name}; it has {}", known.join(", "));
            return Err(vec![Fault::new("/spec/blueprint/name", "unknown_blueprint", message)]);
        };
        let chosen = match version {
            None => versions.last_key_value().map(|(_, newest)| newest),
            Some(version) => version_numbers(version).and_then(|numbers| versions.get(&numbers)),
        };
        chosen.cloned().ok_or_else(|| {
            let there: Vec<&str> = versions.values().map(|blueprint| blueprint.version()).collect();
            let message = format!("this deployment has {name} {}", there.join(", "));
            vec![Fault::new("/spec/blueprint/version", "unknown_blueprint", message)]
        })
    }

    /// Returns the blueprint with a digest, from the folder or from the state; or says why it is not available.
    ///
    /// # Errors
    /// [`StoreError`] when the state does not answer. An unreadable text is no error, because it affects only the
    /// tenants that are pinned to it.
    pub async fn pinned(
        &self,
        store: &dyn StateStore,
        digest: &str,
    ) -> Result<Result<Arc<Blueprint>, String>, StoreError> {
        if let Some(known) = self.known().checked.get(digest) {
            return Ok(Ok(Arc::clone(known)));
        }
        let text = match store.blueprint(digest).await {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Err("the state has no text of that digest".to_owned())),
            Err(StoreError::Refused(why) | StoreError::Unreadable { why, .. }) => return Ok(Err(why)),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Overtaken)) => return Err(error),
        };
        Ok(self.take_in(digest, &text))
    }

    fn take_in(&self, digest: &str, text: &str) -> Result<Arc<Blueprint>, String> {
        if format!("sha256:{}", sha256_hex(text.as_bytes())) != digest {
            return Err("the text in the state has another digest: somebody has changed it".to_owned());
        }
        let read = Blueprint::read_again(text).map_err(|findings| {
            let first = findings.first().map(|finding| format!("line {}: {}", finding.line, finding.message));
            format!("this version of tenantry does not read it: {}", first.unwrap_or_default())
        })?;
        let blueprint = Arc::new(read);
        let mut known = self.known();
        known.kept.insert(digest.to_owned());
        known.checked.insert(digest.to_owned(), Arc::clone(&blueprint));
        Ok(blueprint)
    }

    /// Makes sure that the text with a digest is saved in the state, before a document that refers to it is saved. A
    /// text that is unused after a crash in between is harmless.
    pub(super) async fn keep(&self, store: &dyn StateStore, digest: &str) -> Result<(), StoreError> {
        let text = {
            let known = self.known();
            let unsaved = known.checked.get(digest).filter(|_| !known.kept.contains(digest));
            unsaved.map(Arc::clone)
        };
        // This process makes plans only from blueprints that it knows, so the text of an unknown digest was saved
        // before.
        let Some(blueprint) = text else { return Ok(()) };
        store.keep_blueprint(digest, blueprint.source()).await?;
        self.known().kept.insert(digest.to_owned());
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fault of a request whose tenant is pinned to a blueprint that is not available.
pub(super) fn unreadable(pinned: &BlueprintRef, why: &str) -> Fault {
    let BlueprintRef { name, version, digest } = pinned;
    let message = format!(
        "the tenant is pinned to {name} {version} ({digest}), which is not available: {why}. Put the file of that digest into \
         the folder TENANTRY_BLUEPRINTS, restart and send this again with a new requestId"
    );
    Fault::new("/tenantId", "blueprint_unreadable", message)
}

/// Returns a message for each pair of blueprints with the same name and version but different texts, because a request
/// could mean either.
pub fn clashes(blueprints: &[Blueprint]) -> Vec<String> {
    let mut digests: BTreeMap<(&str, Option<[u32; 3]>), &Blueprint> = BTreeMap::new();
    let mut clashes = Vec::new();
    for blueprint in blueprints {
        let key = (blueprint.name(), blueprint.version_numbers());
        let first = digests.entry(key).or_insert(blueprint);
        if first.digest() != blueprint.digest() {
            clashes.push(format!(
                "two blueprints are {} {} and differ ({}, {}): give one another version",
                blueprint.name(),
                blueprint.version(),
                first.digest(),
                blueprint.digest()
            ));
        }
    }
    clashes
}
