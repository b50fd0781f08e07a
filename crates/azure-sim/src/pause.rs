//! Waiting, where a service keeps somebody waiting.

use std::time::Duration;

/// Returns after this time.
#[expect(clippy::disallowed_methods, reason = "the one place where time is waited for")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
