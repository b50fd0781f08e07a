//! A stub of Azure Resource Manager: each GET answers 404, and each PUT succeeds at once.
//!
//! It is a process of its own without an HTTP library, so that it takes little time of the measured machine.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Outcome, line};

/// A stub that runs in another process, which ends when this value is dropped.
pub(crate) struct Stub {
    process: Child,
    /// The stub's address.
    pub(crate) url: String,
}

impl Stub {
    pub(crate) fn start() -> Outcome<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("stub").stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut url)?;
        }
        Ok(Self { process, url: url.trim().to_owned() })
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves on one thread until it is killed. Prints its address as the first line.
pub(crate) fn serve() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        line(format_args!("http://{}", listener.local_addr()?));
        loop {
            let (stream, _) = listener.accept().await?;
            // A caller that closes the connection early is not an error.
            tokio::spawn(async move { talk(stream).await.ok() });
        }
    })
}

/// Serves one connection, request after request.
async fn talk(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut held, mut reply) = (Vec::with_capacity(8192), Vec::with_capacity(8192));
    loop {
        while let Some(used) = answer(&held, &mut reply) {
            held.drain(..used);
            stream.write_all(&reply).await?;
        }
        if stream.read_buf(&mut held).await? == 0 {
            return Ok(());
        }
    }
}

/// Answers the first request in `held`, and returns its length; `None` until it is complete.
fn answer(held: &[u8], reply: &mut Vec<u8>) -> Option<usize> {
    let head_length = held.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(held.get(..head_length)?).ok()?;
    let mut lines = head.lines();
    let mut parts = lines.next()?.split(' ');
    let (method, target) = (parts.next()?, parts.next()?);
    let length = lines.find_map(|text| {
        let (name, value) = text.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head_length + length.unwrap_or(0);
    let body = held.get(head_length..whole)?;
    reply.clear();
    if method == "PUT" {
        // The body as received, with the id before its first member.
        let id = target.split('?').next()?;
        let rest = body.strip_prefix(b"{").unwrap_or(b"}");
        let comma = if rest == b"}" { "" } else { "," };
        let id = format!("{{\"id\":\"{id}\"{comma}");
        let length = id.len() + rest.len();
        let head = format!(
            "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        for part in [head.as_bytes(), id.as_bytes(), rest] {
            reply.extend_from_slice(part);
        }
    } else {
        let nothing = "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"there is none\"}}";
        let length = nothing.len();
        let head = format!(
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        reply.extend_from_slice(head.as_bytes());
        reply.extend_from_slice(nothing.as_bytes());
    }
    Some(whole)
}
