//! Payloads that a Functions host may post to the handler, and how the handler has to answer.

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::repository;

/// The folder with the payloads, beside the repository.
fn folder() -> PathBuf {
    let here = repository();
    let mut above = here.ancestors().map(|up| up.join("shared/functions-host/payloads"));
    above.find(|path| path.is_dir()).unwrap()
}

/// The name of the function to which a payload is posted.
fn function(payload: &str) -> &'static str {
    match payload.split(['-', '.']).next() {
        Some("timer") => "sweep",
        Some("http") if payload.contains("post") => "retry",
        Some("http") => "tenants",
        _ => "requests",
    }
}

/// Whether an output is safe: the host decodes an output that is a text if it is valid base64.
fn no_base64_trap(output: &Value) -> bool {
    output.as_str().is_none_or(|text| BASE64_STANDARD.decode(text).is_err())
}

/// Posts a body in one of the two HTTP framings that hosts use. Returns the status and the answer.
async fn post(port: u16, function: &str, body: &str, chunked: bool) -> (u16, Value) {
    let framed = if chunked {
        let middle = (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at)).unwrap();
        let (a, b) = body.split_at(middle);
        let chunks = [a, b, ""].map(|part| format!("{:x}\r\n{part}\r\n", part.len())).concat();
        format!("Transfer-Encoding: chunked\r\n\r\n{chunks}")
    } else {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let head = format!(
        "POST /{function} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("{head}\r\n{framed}").as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

/// Posts every payload in both framings to the handler at a port, and asserts that each gets a JSON object of the
/// right form.
pub(crate) async fn all_are_answered(port: u16) {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // Payloads that start with `admin-` are requests to the host, not to its handler.
        if !name.ends_with(".request.json") || name.starts_with("admin-") {
            continue;
        }
        count += 1;
        let body = std::fs::read_to_string(&path).unwrap();
        for chunked in [false, true] {
            let context = format!("{name}, chunked {chunked}");
            let (status, answer) = post(port, function(&name), &body, chunked).await;
            assert!((200..300).contains(&status), "{context}: {status}");
            let members = answer.as_object().unwrap_or_else(|| panic!("{context}: {answer}"));
            assert!(members["Outputs"].is_object(), "{context}: {answer:#}");
            assert!(members.keys().all(|key| ["Outputs", "Logs", "ReturnValue"].contains(&key.as_str())));
            let outputs = members["Outputs"].as_object().unwrap().values();
            assert!(outputs.chain([&members["ReturnValue"]]).all(no_base64_trap), "{context}: {answer:#}");
            if name.starts_with("http-") {
                let status = answer.pointer("/Outputs/res/statusCode").unwrap_or(&Value::Null);
                assert!(status.is_u64() || status.is_string(), "{context}: {answer:#}");
            }
        }
    }
    assert!(count >= 11, "only {count} payloads");
}
