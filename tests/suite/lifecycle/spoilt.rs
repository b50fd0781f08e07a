//! A store in which the text of a blueprint is lost or damaged.

use std::sync::Arc;

use tenantry::ports::{StateStore, StoreError};

use crate::testkit::over::{Asked, Over};

/// A store that returns a lost or damaged blueprint text, or does not answer when asked for it.
pub(crate) struct Spoilt {
    pub(crate) inner: Arc<dyn StateStore>,
    pub(crate) text: Result<Option<String>, StoreError>,
}

impl Over for Spoilt {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn blueprint<'a>(&'a self, _: &'a str) -> Asked<'a, Option<String>> {
        Box::pin(async { self.text.clone() })
    }
}
