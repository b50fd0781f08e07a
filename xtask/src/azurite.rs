//! Installs Azurite, Microsoft's emulator of Table Storage, from npm, and runs it while the tests run.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

/// The version of Azurite, fixed so that the same tree is always tested with the same one.
const VERSION: &str = "3.35.0";
/// The environment variable from which the tests read Azurite's address.
pub(crate) const ADDRESS: &str = "TENANTRY_TEST_AZURITE";
/// How many ports are tried: another process may take a port before Azurite listens on it.
const TRIES: usize = 3;
/// The script with which Node.js runs Azurite. It ends when its standard input ends, so also if this process crashes.
const SCRIPT: &str = "process.stdin.on('end', () => process.exit()).resume(); require(process.argv[1])";

/// The folder of Azurite, in cargo's target folder.
fn folder() -> io::Result<PathBuf> {
    Ok(crate::target()?.join("tools/azurite"))
}

/// Installs Azurite, unless this version is installed.
pub(crate) fn bring() -> io::Result<()> {
    let folder = folder()?;
    // Written last, so that an interrupted installation is repeated.
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

/// A running table service of Azurite, which ends when this value is dropped.
pub(crate) struct Azurite {
    process: Child,
    data: PathBuf,
    /// The address of the table service, e.g. `http://127.0.0.1:40001`.
    pub(crate) address: String,
}

impl Azurite {
    /// Starts the table service without data, on a free port of the loopback interface.
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
        // Azurite's further output is read, so that a full pipe never blocks it.
        thread::spawn(move || lines.for_each(drop));
        Ok(started.then_some(azurite))
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // The process may have ended already, and a folder that stays does no harm.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
