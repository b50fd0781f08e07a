//! Azurite, Microsoft's stand-in for Table Storage: brought from npm, started for the tests, ended with them.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

/// Exactly this one, so that the same tree is always held against the same.
const VERSION: &str = "3.35.0";
/// Tells the tests where it is.
pub(crate) const ADDRESS: &str = "TENANTRY_TEST_AZURITE";
/// How often a port is chosen: between choosing it and listening on it somebody else may take it.
const TRIES: usize = 3;
/// Ends Azurite when its input ends, that is with us, however we end.
const SCRIPT: &str = "process.stdin.on('end', () => process.exit()).resume(); require(process.argv[1])";

/// Where Azurite is kept, beside what cargo has built.
fn folder() -> io::Result<PathBuf> {
    Ok(crate::target()?.join("tools/azurite"))
}

/// Installs Azurite, unless it is there.
pub(crate) fn bring() -> io::Result<()> {
    let folder = folder()?;
    // Written last, so that what was broken off is begun again.
    let whole = folder.join(format!("azurite-{VERSION}-is-whole"));
    if whole.exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]);
    npm.arg(&folder).arg(format!("azurite@{VERSION}")).stdin(Stdio::null());
    let done = npm.status().map_err(|error| io::Error::other(format!("npm can't be started: {error}")))?;
    if !done.success() {
        return Err(io::Error::other(format!("npm could not install azurite {VERSION}: {done}")));
    }
    fs::write(whole, "")
}

/// Azurite's table service at work; it ends when this is dropped.
pub(crate) struct Azurite {
    process: Child,
    data: PathBuf,
    /// Where it is, e.g. `http://127.0.0.1:40001`.
    pub(crate) address: String,
}

impl Azurite {
    /// Starts it with nothing in it, on a free port of this machine alone.
    pub(crate) fn start() -> io::Result<Self> {
        for _ in 0..TRIES {
            if let Some(azurite) = Self::try_start()? {
                return Ok(azurite);
            }
        }
        Err(io::Error::other("Azurite ended as soon as it was started"))
    }

    fn try_start() -> io::Result<Option<Self>> {
        let folder = folder()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let data = folder.join(format!("data-{port}"));
        let mut node = Command::new("node");
        node.args(["-e", SCRIPT]).arg(folder.join("node_modules/azurite/dist/src/table/main.js"));
        node.args(["--tableHost", "127.0.0.1", "--tablePort", &port.to_string(), "--location"]).arg(&data);
        node.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
        let mut process = node
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::other(format!("node can't be started: {error}")))?;
        let said = process.stdout.take();
        let azurite = Self { process, data, address: format!("http://127.0.0.1:{port}") };
        let mut lines = BufReader::new(said.ok_or_else(|| io::Error::other("Azurite is mute"))?).lines();
        let started = lines.by_ref().map_while(Result::ok).any(|line| line.contains("successfully"));
        // What it says later is read, so that it never waits for us.
        thread::spawn(move || lines.for_each(drop));
        Ok(started.then_some(azurite))
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to do, and a folder that stays is in nobody's way.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
