//! The handle: opening, reading, writing, closing.

use super::check::Fault;
use super::error::DbError;
use super::table::Schema;
use super::tx::{Definition, META, Read, Write};
use super::writer::{Typed, Work, Writer};
use redb::backends::InMemoryBackend;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot, watch};

/// Closures that may wait for the writer; further callers wait for a place.
const QUEUE_MAX: usize = 1024;

/// Figures for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Durable commits since the store was opened.
    pub commits: u64,
    /// Closures those commits carried.
    pub operations: u64,
    /// Whether writes are refused because a commit failed.
    pub poisoned: bool,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) operations: AtomicU64,
    pub(super) poisoned: AtomicBool,
}

/// A handle to the store; cheap to clone. The last one to go closes the store.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    db: Arc<redb::Database>,
    schema: Arc<Schema>,
    counters: Arc<Counters>,
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    writer: Option<JoinHandle<()>>,
    committed: watch::Receiver<u64>,
    /// Goes last, after the file: whoever waits on it knows that the store is closed.
    closed: watch::Sender<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
        {
            // The writer contains panics of closures; its own would have been logged by the hook.
            let _ = writer.join();
        }
    }
}

impl Db {
    /// Opens or creates the store in one file. `cache_bytes` bounds redb's page cache.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the file cannot be opened, is in use or is not a store.
    pub fn open(path: &Path, cache_bytes: usize, schema: Schema) -> Result<Self, DbError> {
        let mut builder = redb::Database::builder();
        builder.set_cache_size(cache_bytes);
        Self::start(builder.create(path)?, schema)
    }

    /// A store in memory, for tests: the same code on another backend.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine cannot start.
    pub fn in_memory(schema: Schema) -> Result<Self, DbError> {
        let builder = redb::Database::builder();
        Self::start(builder.create_with_backend(InMemoryBackend::new())?, schema)
    }

    fn start(db: redb::Database, schema: Schema) -> Result<Self, DbError> {
        let tx = db.begin_write()?;
        for name in schema.names().chain([META]) {
            tx.open_table(Definition::new(name))?;
        }
        tx.commit()?;
        let (db, schema) = (Arc::new(db), Arc::new(schema));
        let counters = Arc::new(Counters::default());
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (signal, committed) = watch::channel(0);
        let writer = Writer {
            db: Arc::clone(&db),
            schema: Arc::clone(&schema),
            counters: Arc::clone(&counters),
            signal,
            poison: None,
        };
        let writer = thread::Builder::new()
            .name("db-writer".into())
            .spawn(move || writer.serve(waiting))
            .map_err(|e| DbError::from(redb::Error::Io(e)))?;
        let (queue, writer) = (Some(queue), Some(writer));
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                schema,
                counters,
                queue,
                writer,
                committed,
                closed: watch::Sender::new(()),
            }),
        })
    }

    /// Runs `body` on one consistent snapshot, inline: a read takes microseconds.
    ///
    /// # Errors
    /// What `body` answers, or [`DbError::Storage`] when no snapshot can be had.
    pub fn read<T, E: From<DbError>>(
        &self,
        body: impl FnOnce(&Read) -> Result<T, E>,
    ) -> Result<T, E> {
        body(&Read::begin(&self.inner.db)?)
    }

    /// Runs a re-runnable closure in a write transaction; `Ok` means it is on disk.
    ///
    /// # Errors
    /// What `body` answers, or [`DbError`] when the commit fails; nothing is stored then.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: Fn(&Write<'_>) -> Result<T, E> + Send + 'static,
    {
        let (work, answer) = wrap(body);
        let queue = self.inner.queue.as_ref().ok_or(DbError::Closed)?;
        queue.send(work).await.map_err(|_| DbError::Closed)?;
        answer.await.unwrap_or_else(|_| Err(DbError::Closed.into()))
    }

    /// As [`Db::write`] for threads outside the async runtime.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_blocking<T, E, F>(&self, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: Fn(&Write<'_>) -> Result<T, E> + Send + 'static,
    {
        let (work, answer) = wrap(body);
        let queue = self.inner.queue.as_ref().ok_or(DbError::Closed)?;
        queue.blocking_send(work).map_err(|_| DbError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(DbError::Closed.into()))
    }

    /// Walks every table: rows decode, index entries match, parents exist. Empty when all is well.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine fails.
    pub fn check(&self) -> Result<Vec<Fault>, DbError> {
        let snapshot = Read::begin(&self.inner.db)?;
        let mut faults = Vec::new();
        for table in &self.inner.schema.tables {
            (table.check)(&snapshot, &mut faults)?;
        }
        Ok(faults)
    }

    /// Lets this handle go and waits until all others are gone too and the file is closed.
    pub async fn closed(self) {
        let mut closed = self.inner.closed.subscribe();
        drop(self);
        // An error is the news: the sender is gone.
        let _ = closed.changed().await;
    }

    /// Changes whenever something was committed: what waits for rows looks again then, instead of
    /// polling.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.inner.committed.clone()
    }

    /// Figures since the store was opened.
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.counters;
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            operations: counters.operations.load(Ordering::Relaxed),
            poisoned: counters.poisoned.load(Ordering::SeqCst),
        }
    }
}

type Wrapped<T, E> = (Box<dyn Work>, oneshot::Receiver<Result<T, E>>);

fn wrap<T, E, F>(body: F) -> Wrapped<T, E>
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    F: Fn(&Write<'_>) -> Result<T, E> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Typed { body, result: None, reply }), answer)
}
