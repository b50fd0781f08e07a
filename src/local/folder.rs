//! Locks the folder of a local environment, so that only one process uses it at a time.
//!
//! The lock is on a file of its own and is taken before anything else is created. If two processes start in a new
//! folder, one serves, and the other reports who holds the folder. The operating system releases the lock when the
//! process ends, in whatever way.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

/// The file with the lock; it contains the holder's process id.
const LOCK: &str = "tenantry.lock";

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process uses the folder.
    #[error(
        "the folder {path} is held by {holder}; end that one, or give another folder with --data or TENANTRY_DATA"
    )]
    Held {
        /// The path of the folder.
        path: String,
        /// The holder, as text: `process <id>`, or `another process`.
        holder: String,
    },
    /// The folder can't be created, or is not writable.
    #[error("the folder {path} can't be used: {why}")]
    Unusable {
        /// The path of the folder.
        path: String,
        /// The operating system's message.
        why: String,
    },
}

/// A locked folder. The lock is released when the value is dropped.
#[derive(Debug)]
pub struct Folder {
    _locked: File,
}

impl Folder {
    /// Creates the folder if necessary, and locks it.
    ///
    /// # Errors
    /// [`FolderError`], usually because another process holds the folder.
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        let shown = || path.display().to_string();
        let unusable =
            |error: std::io::Error| FolderError::Unusable { path: shown(), why: error.to_string() };
        fs::create_dir_all(path).map_err(unusable)?;
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
        let mut file = open.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder may have taken the lock without having written its id yet.
                let holder = match file.read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
                    Ok(Ok(id)) => format!("process {id}"),
                    Ok(Err(_)) | Err(_) => "another process".to_owned(),
                };
                return Err(FolderError::Held { path: shown(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // The id is only for another process's error message. The lock works without it, for example on a full disk.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "the holder's process id could not be written");
        }
        Ok(Self { _locked: file })
    }
}
