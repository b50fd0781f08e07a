//! Cold start: how long a caller waits for the first answer of a new process, and its idle memory.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Outcome, PROGRAM, line, measure};

const RUNS: usize = 21;
/// A start that takes longer than this, in milliseconds, has failed.
const TIMEOUT_MS: f64 = 10_000.0;

pub(crate) fn report() -> Outcome<()> {
    let mut times = Vec::new();
    let mut idle = f64::NAN;
    for run in 0..RUNS {
        let data = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let begun = measure::now();
        let process = Started(
            Command::new(PROGRAM)
                .arg("serve")
                .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
                .env("TENANTRY_DATA", data.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        while !answers(port) {
            if measure::millis_since(begun) > TIMEOUT_MS {
                return Err("`tenantry serve` does not answer".into());
            }
            measure::pause(1);
        }
        times.push(measure::millis_since(begun));
        if run == RUNS - 1 {
            measure::pause(1000);
            idle = measure::memory_mib(&process.0.id().to_string(), "VmRSS");
        }
    }
    line(format_args!(
        "cold: first answer after {:.1} ms (median of {RUNS}, {:.1} to {:.1}; target: 30); idle memory {idle:.1} MiB \
         (target: 15)",
        measure::quantile(&mut times, 0.5),
        measure::quantile(&mut times, 0.0),
        measure::quantile(&mut times, 1.0),
    ));
    Ok(())
}

/// Whether the program answers `GET /` on this port now.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.starts_with(b"HTTP/1.1 "))
    };
    ask().unwrap_or(false)
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // The process may have ended by itself; its folder is deleted either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
