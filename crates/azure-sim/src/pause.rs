//! Waiting, where a service stalls a caller.

use std::time::Duration;

/// Returns after this time.
#[expect(clippy::disallowed_methods, reason = "the only function that waits")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
