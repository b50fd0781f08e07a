//! What stands below the simulated wire: the product's own, broken on purpose. Like its neighbours this file is compiled in
//! the copy of the tree alone that the mutants are put into.

use std::time::Duration;

use tenantry::{azure::wire::HttpWire, ports::Wire as _};
use tenantry_core::{
    mutant,
    steps::{Api, Method, Request},
};

#[path = "../../suite/adapters/script.rs"]
#[allow(dead_code, reason = "the tests of the adapters take the rest")]
mod script;

use script::Script;

/// What `urls_on_other_hosts_get_neither_a_request_nor_a_token` (tests/suite/adapters/answers.rs) is worth: with the look
/// at the host left out, the token goes to whoever asks.
#[tokio::test]
#[ignore = "cargo xtask sim --mutants asks for it"]
async fn a_mutant_that_gives_tokens_away_is_caught() {
    let (script, elsewhere) = (Script::new([]).await, Script::new([]).await);
    mutant::choose("tokens-go-to-any-host");
    let wire = HttpWire::simulated(&script.url.parse().unwrap(), Duration::from_millis(400)).unwrap();
    let url = format!("{}/subscriptions/s/operations/1", elsewhere.url);
    let _answer = wire.send(Request::new(Api::Arm, Method::Get, url)).await;
    mutant::choose("");
    assert!(!elsewhere.asked().is_empty());
}
