//! `tenantry serve`: every payload that a Functions host may post gets a correct answer.

use super::program::{free_port, tenantry};
use crate::common::{folder, payloads, until};

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn every_payload_gets_a_json_object_of_the_right_shape_in_both_framings() {
    let (folder, port) = (folder(), free_port().await);
    let mut command = tenantry(folder.path(), &["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).env("TENANTRY_SPEED", "max");
    let _child = command.spawn().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    until("it answers", async || client.get(&base).send().await.map_err(|error| error.to_string().into()))
        .await;
    payloads::all_are_answered(port).await;
}
