//! The one HTTP client of the process: connections are reused, redirects never followed, proxies never used.

use std::time::Duration;

use reqwest::{Client, redirect};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client whose requests end after `timeout`, answer included.
///
/// # Errors
/// When no client can be made, for example because TLS can't be set up.
pub fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .build()
}
