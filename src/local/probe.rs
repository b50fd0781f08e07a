//! Makes the prober for a simulated Azure: the one for Azure, with the simulated Azure's identity endpoint.

use std::{sync::Arc, time::Duration};

use azure_sim::{Cloud, PROBE_CLIENT_ID};
use reqwest::Url;

use crate::{
    azure::{client::client, prober::HttpProber},
    ports::Clock,
};

/// A prober that calls tenants' services in the simulated Azure at `url`.
///
/// # Errors
/// If no HTTP client can be built.
pub fn prober(
    cloud: &Cloud,
    url: &Url,
    clock: Arc<dyn Clock>,
    timeout: Duration,
) -> Result<HttpProber, reqwest::Error> {
    let mut identity = url.clone();
    identity.set_path(Cloud::IDENTITY_PATH);
    identity
        .query_pairs_mut()
        .append_pair("api-version", "2019-08-01")
        .append_pair("resource", "api://AzureADTokenExchange")
        .append_pair("client_id", PROBE_CLIENT_ID);
    Ok(HttpProber::simulated(url, identity, cloud.identity_header(), client(timeout)?, clock))
}
