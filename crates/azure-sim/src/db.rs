//! A redb file with a single writer and group commit.
//!
//! An fsync costs the same for one change as for fifty, so the writer commits all waiting changes in one transaction. A
//! change is a closure that checks first and writes afterwards: a closure that returns an error must not have written
//! anything, because the shared transaction is committed all the same.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use redb::{Database, ReadTransaction, ReadableDatabase as _, StorageBackend, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

/// An error of the file, the disk or the writer thread; the errors of a change itself have the type of its closure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The file can't be opened, usually because another process holds it.
    #[error("the state file {path} can't be opened: {why}")]
    Open {
        /// The path of the file.
        path: String,
        /// The reason, as redb gives it.
        why: String,
    },
    /// redb or the writer failed, with this reason. If it was a change, nothing of it is durable.
    #[error("the state file failed: {0}")]
    Storage(String),
}

impl<E: Into<redb::Error>> From<E> for DbError {
    fn from(error: E) -> Self {
        Self::Storage(error.into().to_string())
    }
}

type Job = Box<dyn FnOnce(&WriteTransaction) -> Answer + Send>;
/// Sends the result of a job to its caller; called with the outcome of the commit.
type Answer = Box<dyn FnOnce(Result<(), DbError>) + Send>;

/// How many changes the queue of the writer holds; further callers wait for a free slot.
const BACKLOG: usize = 1024;
/// How many changes one commit has at most, which limits how long a caller waits.
const GROUP: usize = 256;
/// The size of redb's cache. It is small because the working set of `tenantry local` is small.
const CACHE_BYTES: usize = 8 << 20;

/// The first and the longest pause before a failed file is reopened. Each pause is twice as long as the one before it.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// After how many successful commits in a row the next failure starts with the first pause again.
const MENDED: u32 = 16;
/// How much time passes between two log lines about a failing file.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// How many bytes must fit on the disk before the file is reopened.
const ROOM_BYTES: usize = 1 << 20;

/// A redb file with one writer; cheap to clone.
///
/// When a change can't be written, for example because the disk is full, all further changes are refused at once until
/// the disk accepts writes again. Then the file is reopened, because redb refuses all work after a failure.
#[derive(Clone)]
pub struct Db {
    file: Arc<DbFile>,
    jobs: mpsc::Sender<Job>,
    fails: watch::Receiver<bool>,
}

/// The database that all clones of a [`Db`] share.
struct DbFile {
    /// The path of the file; `None` for a storage other than a file, which can't be reopened.
    path: Option<PathBuf>,
    /// The open database; `None` after a failure, until the file is reopened.
    database: RwLock<Option<Arc<Database>>>,
}

impl DbFile {
    fn open(&self) -> Result<Arc<Database>, DbError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner).clone();
        database.ok_or_else(|| DbError::Storage("it has failed and is not open again yet".to_owned()))
    }

    fn shown(&self) -> String {
        self.path.as_ref().map_or_else(|| "in memory".to_owned(), |path| path.display().to_string())
    }

    /// Reopens the file if the disk accepts writes again. Returns whether the file is open.
    fn reopen(&self) -> bool {
        let Some(path) = self.path.as_deref().filter(|path| has_room(path)) else { return false };
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The file stays locked until the last reader has finished. Until then reopening fails, and the caller repeats
        // it.
        *slot = None;
        match sound(|| open_whole(path)) {
            Ok(database) => *slot = Some(Arc::new(database)),
            Err(why) => tracing::debug!(why, "the state file can't be reopened yet"),
        }
        slot.is_some()
    }
}

/// Whether the disk that a file is on accepts writes, found out by writing a temporary file beside it.
fn has_room(path: &Path) -> bool {
    let mut probe = path.as_os_str().to_owned();
    probe.push(".room");
    let tried = fs::File::create(&probe)
        .and_then(|mut file| file.write_all(&vec![0; ROOM_BYTES]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&probe);
    tried.is_ok() && removed.is_ok()
}

impl Db {
    /// Opens or creates a file and starts its writer thread.
    ///
    /// # Errors
    /// [`DbError::Open`] if the file can't be opened, for example because another process holds it;
    /// [`DbError::Storage`] if the thread can't be started.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let database = sound(|| open_whole(path))
            .map_err(|why| DbError::Open { path: path.display().to_string(), why })?;
        Self::over(database, Some(path.to_owned()))
    }

    /// Opens or creates a database on a storage other than a file, and starts its writer thread.
    ///
    /// # Errors
    /// [`DbError::Storage`] if the existing content can't be opened, or the thread can't be started.
    pub fn on(storage: impl StorageBackend) -> Result<Self, DbError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        Self::over(sound(|| builder.create_with_backend(storage)).map_err(DbError::Storage)?, None)
    }

    fn over(database: Database, path: Option<PathBuf>) -> Result<Self, DbError> {
        let file = Arc::new(DbFile { path, database: RwLock::new(Some(Arc::new(database))) });
        let (jobs, queue) = mpsc::channel(BACKLOG);
        let (say, fails) = watch::channel(false);
        let writer = Arc::clone(&file);
        thread::Builder::new()
            .name("db-writer".to_owned())
            .spawn(move || write_in_groups(&writer, queue, &say))
            .map_err(|error| DbError::Storage(error.to_string()))?;
        Ok(Self { file, jobs, fails })
    }

    /// Waits until changes can be made: returns at once, unless the file has failed. A retry before that is useless.
    pub async fn usable(&self) {
        // An error means that the writer thread has ended; the next write reports that.
        let _ = self.fails.clone().wait_for(|fails| !*fails).await;
    }

    /// Runs a change and returns its result once the change is durable. The closure checks first and writes afterwards:
    /// what it writes is committed even if it returns an error.
    ///
    /// # Errors
    /// The closure's error, or [`DbError::Storage`] when the commit failed or the file can't be written at present.
    pub async fn write<T, E>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result = change(transaction);
            Box::new(move |committed| {
                let _ = sender.send(committed.map_err(E::from).and(result));
            })
        });
        let unavailable = || E::from(DbError::Storage("nothing can be written at present".to_owned()));
        if *self.fails.borrow() {
            return Err(unavailable());
        }
        self.jobs.send(job).await.map_err(|_| unavailable())?;
        receiver.await.map_err(|_| unavailable())?
    }

    /// Starts a read of a consistent view. A read does not block the writer.
    ///
    /// # Errors
    /// [`DbError::Storage`] when redb fails, or while a failed file is not reopened yet.
    pub fn read(&self) -> Result<ReadTransaction, DbError> {
        Ok(self.file.open()?.begin_read()?)
    }
}

/// Opens a database and checks its integrity, which reads it completely: redb compares checksums only then, and would
/// otherwise use a damaged page as if it were valid.
///
/// # Errors
/// The reason as a text. A panic of redb because of damaged content is returned as an error too.
fn sound(open: impl FnOnce() -> Result<Database, redb::DatabaseError>) -> Result<Database, String> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut database = open().map_err(|error| error.to_string())?;
        match database.check_integrity() {
            // `Ok(false)` means that redb has repaired the file after a crash.
            Ok(_) => Ok(database),
            Err(error) => Err(error.to_string()),
        }
    }));
    opened.unwrap_or_else(|_| Err("it is damaged: put a copy back, or begin with an empty folder".to_owned()))
}

/// Opens a file, or creates it under a temporary name and links it to its own name once it is complete: if a process is
/// killed while redb writes the first pages, a later process does not mistake the incomplete file for a damaged
/// database.
fn open_whole(path: &Path) -> Result<Database, redb::DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    if !path.exists() {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        if let Err(error) = fs::remove_file(&unfinished)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error.into());
        }
        drop(builder.create(&unfinished)?);
        // A link, unlike a rename, never replaces a file that another process has just created.
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            Ok(()) | Err(_) => fs::remove_file(&unfinished)?,
        }
    }
    builder.open(path)
}

/// The writer thread: writes changes until the last [`Db`] is dropped.
fn write_in_groups(file: &DbFile, mut queue: mpsc::Receiver<Job>, say: &watch::Sender<bool>) {
    let (mut pause, mut in_a_row) = (PAUSES.0, 0);
    while let Some(first) = queue.blocking_recv() {
        match write_group(file, first, &mut queue) {
            Ok(()) => {
                in_a_row += 1;
                // After fewer commits the file may fail again soon, so the pauses continue to grow.
                if in_a_row >= MENDED {
                    pause = PAUSES.0;
                }
            }
            Err(error) => {
                in_a_row = 0;
                say.send_replace(true);
                if !recovered(file, &mut queue, &error, &mut pause) {
                    return;
                }
                say.send_replace(false);
            }
        }
    }
}

/// Runs the waiting jobs, at most [`GROUP`] of them, in one transaction, commits it, and reports the result to each.
fn write_group(file: &DbFile, first: Job, queue: &mut mpsc::Receiver<Job>) -> Result<(), DbError> {
    // If one of these calls fails, the job is dropped, and its caller gets an error: nothing was written.
    let database = file.open()?;
    let transaction = database.begin_write()?;
    let mut answers = vec![first(&transaction)];
    while answers.len() < GROUP {
        let Ok(job) = queue.try_recv() else { break };
        answers.push(job(&transaction));
    }
    let committed = transaction.commit().map_err(DbError::from);
    for answer in answers {
        answer(committed.clone());
    }
    committed
}

/// Waits, longer each time, until the file can be reopened, and refuses all jobs meanwhile. Returns `false` if the last
/// [`Db`] is dropped.
fn recovered(file: &DbFile, queue: &mut mpsc::Receiver<Job>, error: &DbError, pause: &mut Duration) -> bool {
    say_that_it_fails(file, error, Duration::ZERO);
    loop {
        wait(*pause);
        say_that_it_fails(file, error, *pause);
        *pause = (*pause * 2).min(PAUSES.1);
        loop {
            match queue.try_recv() {
                Ok(refused) => drop(refused),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        if file.reopen() {
            tracing::info!(file = file.shown(), "the state file takes changes again");
            return true;
        }
    }
}

/// Logs that a file fails, at most once a minute for all files of the process, because they are usually on the same
/// disk. `passed` is the time since the last call for this file.
fn say_that_it_fails(file: &DbFile, error: &DbError, passed: Duration) {
    /// Milliseconds since the last log line: the sum of `passed`.
    static SILENT: AtomicU64 = AtomicU64::new(60_000);
    let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let passed = milliseconds(passed);
    let silent = SILENT.fetch_add(passed, Ordering::Relaxed).saturating_add(passed);
    if silent >= milliseconds(SAID_EVERY) {
        SILENT.store(0, Ordering::Relaxed);
        tracing::error!(
            file = file.shown(),
            %error,
            "the state file can't be written; nothing is taken in until it can: make room on its disk"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer has a thread of its own, and nothing else to do")]
fn wait(pause: Duration) {
    thread::sleep(pause);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_never_finished_does_not_stand_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.redb");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(folder.path().join("deep/state.redb.new"), b"half a page").unwrap();
        drop(open_whole(&path).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        drop(open_whole(&path).unwrap());
    }

    #[test]
    fn only_one_process_gets_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let held = open_whole(&path).unwrap();
        assert!(matches!(open_whole(&path), Err(redb::DatabaseError::DatabaseAlreadyOpen)));
        drop(held);
    }
}
