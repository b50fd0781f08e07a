//! The only function of the simulated Azure that waits: for stalled answers and between deliveries to webhooks.

use std::time::Duration;

/// Returns after this duration.
#[expect(clippy::disallowed_methods, reason = "the only function that waits")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
