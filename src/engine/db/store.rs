//! The handle: opening, reading, writing, closing.

use super::check::Fault;
use super::error::DbError;
use super::file::{INCOMING, Mark, STORE, StoreFile, apply};
use super::loader::{Loader, discard};
use super::log::{Hold, Log, LogLimits};
use super::pages::RESERVE;
use super::record::Record;
use super::snapshot::Snapshot;
use super::table::Schema;
use super::tx::{Read, Write};
use super::writer::{Control, Task, Typed, Work, Writer};
use crate::base::{Clock, Time};
use crate::engine::disk::{Directory, Disk, Memory};
use crate::engine::key::{Keys, Seal};
use arc_swap::ArcSwap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Closures that may wait for the writer; further callers wait for a place.
const QUEUE_MAX: usize = 1024;
/// Log bytes that are replayed in one commit.
const REPLAY_BYTES: usize = 8 << 20;
/// What log records are sealed for.
const LOG_PURPOSE: &str = "log";
/// Who holds the log while a compaction copies.
const COMPACTION: &str = "compaction";
/// Log bytes that a compaction applies at a time.
const CATCH_UP_BYTES: usize = 8 << 20;
/// A compaction swaps when at most this many commits are left to apply: the writer waits for them.
const SWAP_WITHIN: u64 = 256;
/// A reserve is set aside only where the disk has this many times as much left.
const RESERVE_SHARE: u64 = 2;
/// Times the live bytes that must be free for a compaction: pages are not full, and it is followed
/// by a log.
const COMPACTION_SHARE: u64 = 2;
/// Rounds of catching up before a compaction swaps anyway.
const CATCH_UP_ROUNDS: usize = 20;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of redb's page cache.
    pub cache_bytes: usize,
    /// Keys of an encrypted store.
    pub keys: Option<Keys>,
    /// Where commits have their time from.
    pub clock: Clock,
    /// How large the log may be.
    pub log: LogLimits,
    /// Bytes set aside for a full disk.
    pub reserve_bytes: u64,
    /// Who needs the log after which sequence, from the first moment on.
    pub holders: Vec<(String, u64, Hold)>,
}

impl Options {
    /// With a page cache of so many bytes.
    #[must_use]
    pub fn with_cache(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }
}

impl Default for Options {
    /// A small, plain store with the system's clock.
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            keys: None,
            clock: Clock::system(),
            log: LogLimits::default(),
            reserve_bytes: 0,
            holders: Vec::new(),
        }
    }
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Whether the store was made.
    pub created: bool,
    /// Commits that only the log had, after a crash.
    pub replayed: u64,
    /// Milliseconds that opening took.
    pub took_ms: u64,
}

/// Figures for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Durable commits since the store was opened.
    pub commits: u64,
    /// Closures those commits carried.
    pub operations: u64,
    /// Times the store file was brought up to date.
    pub checkpoints: u64,
    /// The longest of these, in microseconds.
    pub checkpoint_us_max: u64,
    /// Whether writes are refused because a commit failed.
    pub poisoned: bool,
}

/// Where the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The store file.
    pub file_bytes: u64,
    /// Keys and values in it.
    pub live_bytes: u64,
    /// The log.
    pub log_bytes: u64,
    /// What the disk has left.
    pub free_bytes: u64,
}

/// What a compaction returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Size of the store file right before its replacement.
    pub before_bytes: u64,
    /// Size of the file that took its place; the same when nothing was to be gained.
    pub after_bytes: u64,
}

/// What handles, writer and readers share.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) schema: Schema,
    pub(super) file: ArcSwap<StoreFile>,
    pub(super) log: Log,
    /// The last commit: sequence, time in microseconds, bytes stored.
    pub(super) sequence: AtomicU64,
    pub(super) time_us: AtomicU64,
    pub(super) live_bytes: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) operations: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) checkpoint_us_max: AtomicU64,
    pub(super) poisoned: AtomicBool,
    full: AtomicBool,
    compacting: AtomicBool,
}

impl Shared {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            sequence: self.sequence.load(Ordering::SeqCst),
            time: Time::from_unix_us(self.time_us.load(Ordering::SeqCst) as i64),
            live_bytes: self.live_bytes.load(Ordering::SeqCst),
        }
    }

    pub(super) fn set_mark(&self, mark: Mark) {
        self.live_bytes.store(mark.live_bytes, Ordering::SeqCst);
        self.time_us.store(mark.time.unix_us() as u64, Ordering::SeqCst);
        self.sequence.store(mark.sequence, Ordering::SeqCst);
    }

    /// Opens the store file anew after redb gave it up, and brings it to the last commit; durably
    /// unless it is for `reads_only`.
    pub(super) fn reopen(&self, reads_only: bool) -> Result<(), DbError> {
        self.file.load().health.give_up();
        let options = &self.options;
        let file = StoreFile::open(&self.disk, STORE, options.keys.as_ref(), options.cache_bytes)?;
        let behind = file.mark()?;
        catch_up(&file, &self.log, behind, self.mark().sequence)?;
        if !reads_only {
            file.checkpoint(self.mark())?;
            self.log.applied(self.mark().sequence)?;
        }
        self.file.store(Arc::new(file));
        Ok(())
    }

    /// Sets space aside for a full disk; that there is none is no failure of the store.
    pub(super) fn keep_reserve(&self) {
        let Self { disk, options, .. } = self;
        let wanted = options.reserve_bytes;
        let held = || disk.open(RESERVE).and_then(|file| file.size_bytes()).unwrap_or(0);
        let room = || disk.free_bytes().is_ok_and(|free| free / RESERVE_SHARE >= wanted);
        if wanted == 0 || held() >= wanted || !room() {
            return;
        }
        let made = disk.create(RESERVE).and_then(|file| file.set_size(wanted));
        if made.and_then(|()| disk.sync_names()).is_err() {
            // Half a reserve would take space and guarantee nothing.
            let _ = disk.remove(RESERVE);
        }
    }
}

/// Applies log records to a file until it is at `until`.
pub(super) fn catch_up(
    file: &StoreFile,
    log: &Log,
    mut mark: Mark,
    until: u64,
) -> Result<Mark, DbError> {
    while mark.sequence < until {
        let tx = file.begin()?;
        let (mut body, mut grown) = (Vec::new(), 0);
        log.read(mark.sequence, until, |record| {
            for each in &record.changes {
                super::record::push(&mut body, &each.table, &each.key, each.value.as_deref())?;
            }
            (mark.sequence, mark.time) = (record.sequence, record.time);
            Ok(body.len() < CATCH_UP_BYTES)
        })?;
        grown += apply(&tx, &body)?;
        tx.commit()?;
        mark.live_bytes = mark.live_bytes.saturating_add_signed(grown);
    }
    Ok(mark)
}

/// A handle to the store; cheap to clone. The last one to go closes the store.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Task>>,
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
    /// Opens the store of a disk, or makes it: completes what a crash left undone, verifies what
    /// it reads, and only then answers.
    ///
    /// # Errors
    /// [`DbError::Damaged`] when something acknowledged is missing or not as it was written,
    /// [`DbError::Full`], or [`DbError::Storage`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        schema: Schema,
    ) -> Result<(Self, Opened), DbError> {
        let begun = Instant::now();
        discard(&*disk)?;
        let created = !disk.names().map_err(DbError::io)?.iter().any(|name| name == STORE);
        if created {
            // Made apart and renamed: a crash leaves no half store.
            let loader = Loader::create(Arc::clone(&disk), &options)?;
            schema.names().try_for_each(|name| loader.table(name))?;
            loader.finish(0, Time::default())?;
        }
        let keys = options.keys.as_ref();
        let file = StoreFile::open(&disk, STORE, keys, options.cache_bytes)?;
        file.ensure(schema.names())?;
        let (log, mark, replayed) = replay(&disk, &options, &file)?;
        for (holder, after, hold) in &options.holders {
            log.keep(holder, *after, *hold);
        }
        let shared = Shared {
            disk,
            schema,
            file: ArcSwap::from_pointee(file),
            log,
            sequence: AtomicU64::default(),
            time_us: AtomicU64::default(),
            live_bytes: AtomicU64::default(),
            commits: AtomicU64::default(),
            operations: AtomicU64::default(),
            checkpoints: AtomicU64::default(),
            checkpoint_us_max: AtomicU64::default(),
            poisoned: AtomicBool::default(),
            full: AtomicBool::default(),
            compacting: AtomicBool::default(),
            options,
        };
        shared.set_mark(mark);
        if replayed > 0 {
            shared.file.load().checkpoint(mark)?;
        }
        shared.log.applied(mark.sequence)?;
        let db = Self::start(Arc::new(shared))?;
        db.inner.shared.keep_reserve();
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((db, Opened { created, replayed, took_ms }))
    }

    /// As [`Db::open`], in a directory of its own that is made when missing.
    ///
    /// # Errors
    /// As [`Db::open`], [`DbError::InUse`], or [`DbError::Storage`] when the directory cannot be
    /// used.
    pub fn open_in(directory: &Path, options: Options, schema: Schema) -> Result<Self, DbError> {
        let disk = Directory::open(directory).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => DbError::InUse,
            _ => DbError::io(error),
        })?;
        Ok(Self::open(Arc::new(disk), options, schema)?.0)
    }

    /// A store in memory, for tests: the same code on another disk.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine cannot start.
    pub fn in_memory(schema: Schema) -> Result<Self, DbError> {
        let log = LogLimits { segment_bytes: 256 << 10, ..LogLimits::default() };
        let options = Options { log, ..Options::default() };
        Ok(Self::open(Arc::new(Memory::new()), options, schema)?.0)
    }

    fn start(shared: Arc<Shared>) -> Result<Self, DbError> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (signal, committed) = watch::channel(0);
        let writer = Writer::new(Arc::clone(&shared), signal);
        let writer = thread::Builder::new()
            .name("db-writer".into())
            .spawn(move || writer.serve(waiting))
            .map_err(DbError::io)?;
        let (queue, writer) = (Some(queue), Some(writer));
        let closed = watch::Sender::new(());
        Ok(Self { inner: Arc::new(Inner { shared, queue, writer, committed, closed }) })
    }

    /// Runs `body` on one consistent snapshot, inline: a read takes microseconds.
    ///
    /// # Errors
    /// What `body` answers, or [`DbError::Storage`] when no snapshot can be had.
    pub fn read<T, E: From<DbError>>(
        &self,
        body: impl FnOnce(&Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let file = self.inner.shared.file.load_full();
        let health = Arc::clone(&file.health);
        let answer = Read::begin(file).map_err(E::from).and_then(|read| body(&read));
        if health.failed()
            && let Some(queue) = &self.inner.queue
        {
            // Redb refuses everything after one failure; the writer opens the file anew, so that
            // only the damaged page stays unreadable. A full queue will notice by itself.
            let _ = queue.try_send(Task::Control(Control::Heal));
        }
        answer
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
        self.send(Task::Work(work)).await?;
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
        queue.blocking_send(Task::Work(work)).map_err(|_| DbError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(DbError::Closed.into()))
    }

    async fn send(&self, task: Task) -> Result<(), DbError> {
        let queue = self.inner.queue.as_ref().ok_or(DbError::Closed)?;
        queue.send(task).await.map_err(|_| DbError::Closed)
    }

    /// Walks every table: rows decode, index entries match, parents exist. Empty when all is well.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine fails.
    pub fn check(&self) -> Result<Vec<Fault>, DbError> {
        let shared = &self.inner.shared;
        let snapshot = Read::begin(shared.file.load_full())?;
        let mut faults = Vec::new();
        for table in &shared.schema.tables {
            (table.check)(&snapshot, &mut faults)?;
        }
        Ok(faults)
    }

    /// The whole store as the last commit left it.
    ///
    /// # Errors
    /// [`DbError::Closed`], or [`DbError::Storage`] when no snapshot can be had.
    pub async fn snapshot(&self) -> Result<Snapshot, DbError> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Control(Control::Snapshot(reply))).await?;
        answer.await.unwrap_or(Err(DbError::Closed))
    }

    /// Brings the store file up to date with the log now.
    ///
    /// # Errors
    /// [`DbError`] when the disk fails; what was acknowledged is in the log all the same.
    pub async fn checkpoint(&self) -> Result<(), DbError> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Control(Control::Checkpoint(reply))).await?;
        answer.await.unwrap_or(Err(DbError::Closed))
    }

    /// Number of the last commit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.inner.shared.sequence.load(Ordering::SeqCst)
    }

    /// Time of the last commit.
    pub fn sequence_time(&self) -> Time {
        self.inner.shared.mark().time
    }

    /// The commits after `after` in order: at least one when there is any, and no more once about
    /// `bytes_max` bytes are gathered. Reads files: not for an async thread.
    ///
    /// # Errors
    /// [`DbError::LogGone`] when the log begins later, [`DbError::Damaged`] when it does not
    /// verify.
    pub fn log_since(&self, after: u64, bytes_max: usize) -> Result<Vec<Record>, DbError> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        self.inner.shared.log.read(after, self.sequence(), |record| {
            bytes += record.size_bytes();
            records.push(record);
            Ok(bytes < bytes_max)
        })?;
        Ok(records)
    }

    /// Keeps the log after `after` for `holder`, in place of what it held before.
    pub fn keep_log(&self, holder: &str, after: u64, hold: Hold) {
        self.inner.shared.log.keep(holder, after, hold);
    }

    /// Keeps nothing of the log for `holder` any more.
    pub fn release_log(&self, holder: &str) {
        self.inner.shared.log.forget(holder);
    }

    /// Where the bytes are.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the disk does not say.
    pub fn space(&self) -> Result<Space, DbError> {
        let shared = &self.inner.shared;
        let size = |name| shared.disk.open(name).and_then(|file| file.size_bytes());
        Ok(Space {
            file_bytes: size(STORE).map_err(DbError::io)?,
            live_bytes: shared.live_bytes.load(Ordering::SeqCst),
            log_bytes: shared.log.size_bytes(),
            free_bytes: shared.disk.free_bytes().map_err(DbError::io)?,
        })
    }

    /// Says whether the disk is too full for new data; what refuses writes asks
    /// [`Db::is_full`]. The reserve is set aside again when it is not.
    pub fn set_full(&self, full: bool) {
        self.inner.shared.full.store(full, Ordering::SeqCst);
        if !full {
            self.inner.shared.keep_reserve();
        }
    }

    /// Whether the disk was said to be too full for new data.
    pub fn is_full(&self) -> bool {
        self.inner.shared.full.load(Ordering::SeqCst)
    }

    /// Returns the space of deleted rows while the store serves: a copy of the live rows, brought
    /// up to date from the log, takes the place of the store file when it is smaller. Writers wait
    /// only for the last few commits. Needs room for the copy.
    ///
    /// # Errors
    /// [`DbError::InUse`] when a compaction is running, [`DbError::LogGone`] when the writers were
    /// faster than the copy for as long as the log reaches back, [`DbError::Full`], or
    /// [`DbError::Storage`]; the store goes on with the old file then.
    pub async fn compact(&self) -> Result<Compacted, DbError> {
        let shared = &self.inner.shared;
        if shared.compacting.swap(true, Ordering::SeqCst) {
            return Err(DbError::InUse);
        }
        let compacted = self.compact_alone().await;
        shared.log.forget(COMPACTION);
        shared.compacting.store(false, Ordering::SeqCst);
        if compacted.is_err() {
            // The next attempt or start removes it otherwise.
            let _ = discard(&*shared.disk);
        }
        compacted
    }

    async fn compact_alone(&self) -> Result<Compacted, DbError> {
        let shared = Arc::clone(&self.inner.shared);
        let Space { live_bytes, free_bytes, .. } = self.space()?;
        if free_bytes < live_bytes.saturating_mul(COMPACTION_SHARE) + shared.options.reserve_bytes {
            return Err(DbError::Full);
        }
        // Held from before the snapshot: what comes after it must still be there at the end. Writers
        // never wait for a compaction; one that cannot keep up with them fails.
        shared.log.keep(COMPACTION, self.sequence(), Hold::Soft);
        let snapshot = self.snapshot().await?;
        let copied = tokio::task::spawn_blocking({
            let shared = Arc::clone(&shared);
            move || copy(&shared, &snapshot)
        });
        let (file, mark) = copied.await.map_err(|e| DbError::Panicked(e.to_string()))??;
        let (reply, answer) = oneshot::channel();
        self.send(Task::Control(Control::Swap(Box::new((file, mark)), reply))).await?;
        answer.await.unwrap_or(Err(DbError::Closed))
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
        let shared = &self.inner.shared;
        let figure = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: figure(&shared.commits),
            operations: figure(&shared.operations),
            checkpoints: figure(&shared.checkpoints),
            checkpoint_us_max: figure(&shared.checkpoint_us_max),
            poisoned: shared.poisoned.load(Ordering::SeqCst),
        }
    }
}

/// Applies what only the log has; answers the log, how far the store is now, and how many commits
/// were applied.
fn replay(
    disk: &Arc<dyn Disk>,
    options: &Options,
    file: &StoreFile,
) -> Result<(Log, Mark, u64), DbError> {
    let seal = options.keys.as_ref().map_or_else(Seal::checked, |keys| keys.seal(LOG_PURPOSE));
    let mut mark = file.mark()?;
    let (mut body, mut replayed, mut grown) = (Vec::new(), 0, 0);
    let flush = |body: &mut Vec<u8>| -> Result<i64, DbError> {
        let tx = file.begin()?;
        let grown = apply(&tx, body)?;
        tx.commit()?;
        body.clear();
        Ok(grown)
    };
    let applied = mark.sequence;
    let (log, sequence, time) =
        Log::open(Arc::clone(disk), seal, options.log, applied, |_, _, changes| {
            body.extend_from_slice(changes);
            replayed += 1;
            if body.len() >= REPLAY_BYTES {
                grown += flush(&mut body)?;
            }
            Ok(())
        })?;
    grown += flush(&mut body)?;
    mark.sequence = sequence;
    mark.time = mark.time.max(time);
    mark.live_bytes = mark.live_bytes.saturating_add_signed(grown);
    Ok((log, mark, replayed))
}

/// Copies a snapshot to a new file and follows the log until little is missing.
fn copy(shared: &Shared, snapshot: &Snapshot) -> Result<(StoreFile, Mark), DbError> {
    let mut loader = Loader::create(Arc::clone(&shared.disk), &shared.options)?;
    for table in snapshot.tables()? {
        loader.table(&table)?;
        let mut failed = Ok(());
        snapshot.each(&table, None, &mut |key, value| {
            failed = loader.put(&table, key, value);
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        failed?;
    }
    let (file, mut mark) = loader.durable(snapshot.sequence, snapshot.time)?;
    for _ in 0..CATCH_UP_ROUNDS {
        let until = shared.sequence.load(Ordering::SeqCst);
        if until - mark.sequence <= SWAP_WITHIN {
            break;
        }
        mark = catch_up(&file, &shared.log, mark, until)?;
        shared.log.keep(COMPACTION, mark.sequence, Hold::Soft);
    }
    // Nearly everything is durable before the writer has to wait. Closing cuts off what redb
    // allocated ahead.
    file.checkpoint(mark)?;
    drop(file);
    let options = &shared.options;
    let file = StoreFile::open(&shared.disk, INCOMING, options.keys.as_ref(), options.cache_bytes)?;
    Ok((file, mark))
}

/// Puts a copy in the place of the store file, at the last commit. On the writer's thread: nothing
/// is committed meanwhile. Where the copy would not be smaller, the old file stays.
pub(super) fn swap(shared: &Shared, file: StoreFile, mark: Mark) -> Result<Compacted, DbError> {
    let now = shared.mark();
    catch_up(&file, &shared.log, mark, now.sequence)?;
    file.checkpoint(now)?;
    let size =
        |name| shared.disk.open(name).and_then(|file| file.size_bytes()).map_err(DbError::io);
    let (before_bytes, after_bytes) = (size(STORE)?, size(INCOMING)?);
    if after_bytes >= before_bytes {
        drop(file);
        discard(&*shared.disk)?;
        return Ok(Compacted { before_bytes, after_bytes: before_bytes });
    }
    shared.disk.rename(INCOMING, STORE).map_err(DbError::io)?;
    // From here on the old file has no name: nothing may be written to it any more.
    shared.file.store(Arc::new(file));
    let named = shared.disk.sync_names();
    named.map_err(|e| DbError::Poisoned(format!("the new store file's name is in doubt: {e}")))?;
    shared.log.applied(now.sequence)?;
    Ok(Compacted { before_bytes, after_bytes })
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
