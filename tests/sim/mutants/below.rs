//! Tests a seeded mutant below the simulated transport. This file, like all in its folder, is compiled only in the
//! copy of the repository to which the mutants are applied.

use std::time::Duration;

use tenantry::{azure::transport::HttpTransport, ports::Transport as _};
use tenantry_core::{
    mutant,
    steps::{Api, Method, Request},
};

#[path = "../../suite/adapters/script.rs"]
#[allow(dead_code, reason = "the tests of the adapters take the rest")]
mod script;

use script::Script;

/// Proves that the test `urls_on_other_hosts_get_neither_a_request_nor_a_token` (tests/suite/adapters/answers.rs) can
/// fail: with the mutant, which removes the check of the host, the token is sent to any host.
#[tokio::test]
#[ignore = "run by cargo xtask sim --mutants"]
async fn a_mutant_that_gives_tokens_away_is_caught() {
    let (script, elsewhere) = (Script::new([]).await, Script::new([]).await);
    mutant::choose("tokens-go-to-any-host");
    let transport =
        HttpTransport::simulated(&script.url.parse().unwrap(), Duration::from_millis(400)).unwrap();
    let url = format!("{}/subscriptions/s/operations/1", elsewhere.url);
    let _answer = transport.send(Request::new(Api::Arm, Method::Get, url)).await;
    mutant::choose("");
    assert!(!elsewhere.asked().is_empty());
}
