//! A redb file behind a single writer with group commit.
//!
//! An fsync costs the same for one change as for fifty, so the writer takes all waiting changes into one transaction. A
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

/// An error below a closure: of the file, the disk, or the writer itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The file can't be opened; usually because another process holds it.
    #[error("the state file {path} can't be opened: {why}")]
    Open {
        /// The file.
        path: String,
        /// The message of redb.
        why: String,
    },
    /// redb failed. Nothing of this change is durable.
    #[error("the state file failed: {0}")]
    Storage(String),
}

impl<E: Into<redb::Error>> From<E> for DbError {
    fn from(error: E) -> Self {
        Self::Storage(error.into().to_string())
    }
}

type Job = Box<dyn FnOnce(&WriteTransaction) -> Answer + Send>;
/// Sends the result of a job, once the outcome of the commit is known.
type Answer = Box<dyn FnOnce(Result<(), DbError>) + Send>;

/// How many changes may wait for the writer; further callers wait.
const BACKLOG: usize = 1024;
/// The most changes in one commit, which bounds the wait for a reply.
const GROUP: usize = 256;
/// redb's cache: the working set of `tenantry local` is small.
const CACHE_BYTES: usize = 8 << 20;

/// The first pause after the file has failed. Each further one is twice as long, up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How many commits in a row prove that the file works again.
const MENDED: u32 = 16;
/// How often a failing file is logged.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// The free space that is required on the disk before the file is reopened.
const ROOM_BYTES: usize = 1 << 20;

/// A redb file with one writer; cheap to clone.
///
/// When a change can't be written, for example because the disk is full, all further ones are refused at once until the
/// disk accepts writes again. Then the file is reopened, because redb refuses all work after a failure.
#[derive(Clone)]
pub struct Db {
    file: Arc<DbFile>,
    jobs: mpsc::Sender<Job>,
    fails: watch::Receiver<bool>,
}

/// The database behind all handles.
struct DbFile {
    /// The path; none for another storage, which can't be reopened.
    path: Option<PathBuf>,
    /// None while it is being reopened.
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

    /// Reopens the file if the disk accepts writes again. Returns whether it is open.
    fn reopen(&self) -> bool {
        let Some(path) = self.path.as_deref().filter(|path| has_room(path)) else { return false };
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The last reader releases the lock on the file. Until then this fails and is repeated.
        *slot = None;
        match sound(|| open_whole(path)) {
            Ok(database) => *slot = Some(Arc::new(database)),
            Err(why) => tracing::debug!(why, "the state file can't be reopened yet"),
        }
        slot.is_some()
    }
}

/// Whether the disk of a file accepts writes.
fn has_room(path: &Path) -> bool {
    let mut probe = path.as_os_str().to_owned();
    probe.push(".room");
    let tried = fs::File::create(&probe)
        .and_then(|mut file| file.write_all(&vec![0; ROOM_BYTES]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&probe);
    tried.is_ok() && removed.is_ok()
}

impl Db {
    /// Opens or creates the file and starts its writer.
    ///
    /// # Errors
    /// [`DbError::Open`] if the file can't be opened, for example because another process holds it.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let database = sound(|| open_whole(path))
            .map_err(|why| DbError::Open { path: path.display().to_string(), why })?;
        Self::over(database, Some(path.to_owned()))
    }

    /// Opens or creates the database on a storage other than a file.
    ///
    /// # Errors
    /// [`DbError::Storage`] if the existing content can't be opened.
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

    /// Returns when changes can be made: at once, unless the file has failed. A retry before that is useless.
    pub async fn usable(&self) {
        // An error means that the writer has ended; the next write reports it.
        let _ = self.fails.clone().wait_for(|fails| !*fails).await;
    }

    /// Runs a change and returns once it is durable. The closure checks first and writes afterwards.
    ///
    /// # Errors
    /// What the closure returned, or [`DbError::Storage`] when the commit failed.
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

    /// A consistent view for reading. It takes no lock that blocks the writer.
    ///
    /// # Errors
    /// [`DbError::Storage`] when redb fails.
    pub fn read(&self) -> Result<ReadTransaction, DbError> {
        Ok(self.file.open()?.begin_read()?)
    }
}

/// Opens a database and reads it completely once: redb compares its checksums only then, and would otherwise use a
/// damaged page as if it were valid.
///
/// # Errors
/// A message. Where redb panics over the content, that is an error as well.
fn sound(open: impl FnOnce() -> Result<Database, redb::DatabaseError>) -> Result<Database, String> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut database = open().map_err(|error| error.to_string())?;
        match database.check_integrity() {
            // An incomplete file has been repaired after a crash.
            Ok(_) => Ok(database),
            Err(error) => Err(error.to_string()),
        }
    }));
    opened.unwrap_or_else(|_| Err("it is damaged: put a copy back, or begin with an empty folder".to_owned()))
}

/// Opens the file, or creates it under a temporary name and links it once it is complete: a process that is killed
/// while redb writes the first pages leaves nothing that a later one could mistake for a damaged database.
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

/// Writes changes until the last handle is dropped.
fn write_in_groups(file: &DbFile, mut queue: mpsc::Receiver<Job>, say: &watch::Sender<bool>) {
    let (mut pause, mut in_a_row) = (PAUSES.0, 0);
    while let Some(first) = queue.blocking_recv() {
        match write_group(file, first, &mut queue) {
            Ok(()) => {
                in_a_row += 1;
                // A file that fails again at once is not repaired.
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
    // A dropped job reports to its caller that nothing was written.
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

/// Waits, longer each time, until the file accepts changes again, and refuses jobs meanwhile. Returns `false` if no
/// handle is left.
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

/// Logs that the file fails, once a minute for all files of the process: usually they are on the same disk. `passed` is
/// the time since the last call for this file.
fn say_that_it_fails(file: &DbFile, error: &DbError, passed: Duration) {
    /// Milliseconds since the last log line, as far as they were counted.
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
