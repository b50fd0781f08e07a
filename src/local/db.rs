//! One redb file behind a single writer that commits in groups.
//!
//! An fsync costs the same for one change as for fifty, so the writer takes all that is waiting into one transaction.
//! A change is a closure that checks first and writes afterwards: a closure that returns an error must not have
//! written, for the transaction that it shares is committed all the same.

use std::{
    fs,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    thread,
};

use redb::{Database, ReadTransaction, ReadableDatabase as _, StorageBackend, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

/// What went wrong below a closure: the file, the disk, or the writer itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The file can't be opened; most often another tenantry holds it.
    #[error("the state file {path} can't be opened: {why}")]
    Open {
        /// The file.
        path: String,
        /// What redb said.
        why: String,
    },
    /// redb failed; nothing of this change is durable.
    #[error("the state file failed: {0}")]
    Storage(String),
}

impl<E: Into<redb::Error>> From<E> for DbError {
    fn from(error: E) -> Self {
        Self::Storage(error.into().to_string())
    }
}

type Job = Box<dyn FnOnce(&WriteTransaction) -> Answer + Send>;
/// Sends a job's result, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), DbError>) + Send>;

/// How many changes may wait for the writer; beyond, callers wait.
const BACKLOG: usize = 1024;
/// How many changes one commit takes at most, so that a reply is never far away.
const GROUP: usize = 256;
/// redb's cache: the working set of a local world is small.
const CACHE_BYTES: usize = 8 << 20;

/// A redb file with one writer; cheap to clone.
#[derive(Clone)]
pub struct Db {
    database: Arc<Database>,
    jobs: mpsc::Sender<Job>,
}

impl Db {
    /// Opens or creates the file and starts its writer.
    ///
    /// # Errors
    /// [`DbError::Open`] if the file can't be opened, for example because another process holds it.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let database = sound(|| open_whole(path))
            .map_err(|why| DbError::Open { path: path.display().to_string(), why })?;
        Self::over(database)
    }

    /// Opens or creates the database on a storage other than a file.
    ///
    /// # Errors
    /// [`DbError::Storage`] if what is there can't be opened.
    pub fn on(storage: impl StorageBackend) -> Result<Self, DbError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        Self::over(sound(|| builder.create_with_backend(storage)).map_err(DbError::Storage)?)
    }

    fn over(database: Database) -> Result<Self, DbError> {
        let database = Arc::new(database);
        let (jobs, queue) = mpsc::channel(BACKLOG);
        let writer = Arc::clone(&database);
        thread::Builder::new()
            .name("db-writer".to_owned())
            .spawn(move || write_in_groups(&writer, queue))
            .map_err(|error| DbError::Storage(error.to_string()))?;
        Ok(Self { database, jobs })
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
        let gone = || E::from(DbError::Storage("the writer has stopped".to_owned()));
        self.jobs.send(job).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }

    /// A consistent view for reading; takes no lock that a writer would wait for.
    ///
    /// # Errors
    /// [`DbError::Storage`] when redb fails.
    pub fn read(&self) -> Result<ReadTransaction, DbError> {
        Ok(self.database.begin_read()?)
    }
}

/// Opens a database and reads all of it once: redb compares its checksums only then, and would go on with a damaged page as
/// if it were a good one.
///
/// # Errors
/// In words. Where redb panics over what it reads, that is a refusal, too.
fn sound(open: impl FnOnce() -> Result<Database, redb::DatabaseError>) -> Result<Database, String> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut database = open().map_err(|error| error.to_string())?;
        match database.check_integrity() {
            // What was not whole after a crash has been put in order.
            Ok(_) => Ok(database),
            Err(error) => Err(error.to_string()),
        }
    }));
    opened.unwrap_or_else(|_| Err("it is damaged: put a copy back, or begin with an empty folder".to_owned()))
}

/// Opens the file, or makes it beside its place and puts it there once it is whole: a process that is killed while redb
/// writes the first pages leaves nothing that a later one could take for a broken database.
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
        // A link, unlike a renaming, never takes the place of a file that another process has just put there.
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            Ok(()) | Err(_) => fs::remove_file(&unfinished)?,
        }
    }
    builder.open(path)
}

fn write_in_groups(database: &Database, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let transaction = match database.begin_write() {
            Ok(transaction) => transaction,
            // Dropping the job tells its caller that the writer is gone; the next one may fare better.
            Err(error) => {
                tracing::error!(error = %error, "the state file can't begin a change");
                continue;
            }
        };
        let mut answers = vec![first(&transaction)];
        while answers.len() < GROUP {
            let Ok(job) = queue.try_recv() else { break };
            answers.push(job(&transaction));
        }
        let committed = transaction.commit().map_err(DbError::from);
        for answer in answers {
            answer(committed.clone());
        }
    }
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
