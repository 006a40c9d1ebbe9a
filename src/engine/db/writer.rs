//! The writer thread: drains waiting closures into one commit, made durable by the log.

use super::error::DbError;
use super::file::{Mark, StoreFile};
use super::pages::Failure;
use super::snapshot::Snapshot;
use super::store::{Compacted, Shared, swap};
use super::tx::{Hook, Write};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Closures joined in one commit. Past about 64 the apply cost, not the disk, is the limit; 256
/// bounds the latency of the first of them.
const BATCH_MAX: usize = 256;

/// Between two attempts to open a store file anew that a full disk made redb give up. A damaged
/// page waits for nothing: every other page could not be read meanwhile.
const HEAL_EVERY: Duration = Duration::from_secs(1);

/// How long the writer looks for the next closure before it goes to sleep: a caller that writes one
/// change after the other is back within this, and waking a sleeping thread takes about as long.
const LOOK_FOR: Duration = Duration::from_micros(40);

/// What the writer is asked to do.
pub(super) enum Task {
    /// Run a closure.
    Work(Box<dyn Work>),
    /// Do something between two commits.
    Control(Control),
}

type Reply<T> = oneshot::Sender<Result<T, DbError>>;

/// Nobody can send a task any more.
struct Closed;

/// Something to do while nothing is being committed.
pub(super) enum Control {
    /// Look at the whole store as it is now.
    Snapshot(Reply<Snapshot>),
    /// Bring the store file up to date.
    Checkpoint(Reply<()>),
    /// Put a compacted file in the place of the store file.
    Swap(Box<(StoreFile, Mark)>, Reply<Compacted>),
    /// Open the store file anew if redb gave it up.
    Heal,
}

/// A waiting closure without its types.
pub(super) trait Work: Send {
    /// Runs the closure and keeps its result; `false` when it failed or panicked.
    fn run(&mut self, tx: &Write<'_>) -> bool;
    /// Hands the kept result, or the fate of the commit, to the caller.
    fn answer(self: Box<Self>, fate: Result<(), DbError>);
}

/// A waiting closure, its result and the caller it belongs to.
pub(super) struct Typed<T, E, F> {
    pub(super) body: F,
    pub(super) result: Option<Result<T, E>>,
    pub(super) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Work for Typed<T, E, F>
where
    T: Send,
    E: From<DbError> + Send,
    F: Fn(&Write<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, tx: &Write<'_>) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.body)(tx)))
            .unwrap_or_else(|panic| Err(DbError::Panicked(words(&*panic)).into()));
        let ok = result.is_ok();
        self.result = Some(result);
        ok
    }

    fn answer(self: Box<Self>, fate: Result<(), DbError>) {
        let Self { body, result, reply } = *self;
        // What the closure holds is free again when its caller goes on.
        drop(body);
        let result = match (fate, result) {
            (_, Some(Err(error))) => Err(error),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), None) => Err(DbError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that went away has its change all the same.
        let _ = reply.send(result);
    }
}

fn answer_all(works: impl IntoIterator<Item = Box<dyn Work>>, fate: &Result<(), DbError>) {
    for work in works {
        work.answer(fate.clone());
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

/// The state of the writer thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    signal: watch::Sender<u64>,
    /// Why writes are refused until the store is opened again.
    poison: Option<String>,
    /// The sequence and the time of the last checkpoint, and log bytes since.
    checkpointed: Instant,
    pending_bytes: u64,
    healed: Option<Instant>,
    /// Hooks of a commit that the log has and readers cannot see yet.
    unseen: Vec<Hook>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, signal: watch::Sender<u64>) -> Self {
        let (checkpointed, pending_bytes) = (Instant::now(), 0);
        let (poison, healed, unseen) = (None, None, Vec::new());
        Self { shared, signal, poison, checkpointed, pending_bytes, healed, unseen }
    }

    /// Serves closures until every sender is gone, then leaves nothing for the log to repeat.
    pub(super) fn serve(mut self, mut queue: mpsc::Receiver<Task>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        // Only waits for the queue; nothing else ever runs on it.
        let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let waiting = match waiting {
            Ok(waiting) => waiting,
            Err(error) => return self.poison(format!("the writer cannot wait: {error}")),
        };
        let mut busy = false;
        loop {
            let (mut next, mut control) = match self.next(&mut queue, &waiting, busy) {
                Ok(Some(first)) => (Some(first), None),
                // Nobody wrote for a while: a good time to bring the file up to date.
                Ok(None) => (None, None),
                Err(Closed) => break,
            };
            busy = next.is_some();
            while let Some(task) = next.take() {
                match task {
                    Task::Work(work) => batch.push(work),
                    Task::Control(asked) => control = Some(asked),
                }
                if control.is_none() && batch.len() < BATCH_MAX {
                    next = queue.try_recv().ok();
                }
            }
            if !batch.is_empty() {
                self.commit(std::mem::take(&mut batch));
            }
            if let Some(asked) = control {
                self.obey(asked);
            }
            let due = Duration::from_millis(self.shared.options.log.checkpoint_ms);
            if self.pending_bytes >= self.shared.options.log.checkpoint_bytes
                || (self.pending_bytes > 0 && self.checkpointed.elapsed() >= due)
            {
                // Nobody asked for it: what fails is logged, and the log still has everything.
                let _ = self.checkpoint();
            }
        }
        if self.checkpoint().is_err() {
            // Redb would make its own state durable when it is closed. The log knows better.
            self.shared.file.load().health.give_up();
        }
    }

    /// The next task; none when there is none and a checkpoint is due.
    fn next(
        &self,
        queue: &mut mpsc::Receiver<Task>,
        waiting: &tokio::runtime::Runtime,
        busy: bool,
    ) -> Result<Option<Task>, Closed> {
        let begun = Instant::now();
        while busy && begun.elapsed() < LOOK_FOR {
            match queue.try_recv() {
                Ok(task) => return Ok(Some(task)),
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(Closed),
                Err(mpsc::error::TryRecvError::Empty) => thread::yield_now(),
            }
        }
        let received = if self.pending_bytes > 0 && self.poison.is_none() {
            let due = Duration::from_millis(self.shared.options.log.checkpoint_ms);
            let left = due.saturating_sub(self.checkpointed.elapsed());
            match waiting.block_on(async { tokio::time::timeout(left, queue.recv()).await }) {
                Ok(received) => received,
                Err(_) => return Ok(None),
            }
        } else {
            waiting.block_on(queue.recv())
        };
        received.map(Some).ok_or(Closed)
    }

    fn obey(&mut self, asked: Control) {
        // Whoever asked and went away needs no answer.
        match asked {
            Control::Snapshot(reply) => {
                let mark = self.shared.mark();
                let file = self.shared.file.load_full();
                let _ = reply.send(Snapshot::take(file, mark.sequence, mark.time));
            }
            Control::Checkpoint(reply) => {
                let _ = reply.send(self.checkpoint());
            }
            Control::Swap(made, reply) => {
                let (file, mark) = *made;
                let swapped = match &self.poison {
                    Some(cause) => Err(DbError::Poisoned(cause.clone())),
                    None => swap(&self.shared, file, mark),
                };
                if let Err(DbError::Poisoned(cause)) = &swapped {
                    self.poison(cause.clone());
                }
                if matches!(&swapped, Ok(done) if done.after_bytes < done.before_bytes) {
                    // The new file has everything, also what readers could not see before.
                    self.show_unseen();
                }
                let _ = reply.send(swapped);
            }
            Control::Heal => {
                let _ = self.heal();
            }
        }
    }

    fn poison(&mut self, cause: String) {
        tracing::error!(cause, "the store is read-only until it is opened again");
        self.poison.get_or_insert(cause);
        self.shared.poisoned.store(true, Ordering::SeqCst);
    }

    /// Makes what the log holds durable in the store file.
    fn checkpoint(&mut self) -> Result<(), DbError> {
        if let Some(cause) = &self.poison {
            return Err(DbError::Poisoned(cause.clone()));
        }
        self.heal()?;
        let mark = self.shared.mark();
        if mark.sequence == self.shared.log.applied_sequence() {
            return Ok(());
        }
        let begun = Instant::now();
        let done = self.shared.file.load().checkpoint(mark);
        let done = done.and_then(|()| self.shared.log.applied(mark.sequence));
        (self.checkpointed, self.pending_bytes) = (Instant::now(), 0);
        if let Err(error) = done {
            tracing::error!(%error, "the store file could not be brought up to date");
            // Tried again at once; a disk that is merely full then says so at the next write.
            return self.heal().and(Err(error));
        }
        self.shared.keep_reserve();
        let us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.shared.checkpoint_us_max.fetch_max(us, Ordering::Relaxed);
        Ok(())
    }

    /// Opens the store file anew when redb gave it up: the log has what is missing in it. After a full
    /// disk or a damaged page everything goes on. A failed sync or any other failure poisons the
    /// store, because nobody knows what is on the disk then: reads go on, and nothing is written to
    /// the file or taken from the log until the store is opened again.
    fn heal(&mut self) -> Result<(), DbError> {
        let file = self.shared.file.load_full();
        let Some(failure) = file.health.failure() else { return Ok(()) };
        drop(file);
        let cause = failure.to_string();
        let (damaged, unknown) = match failure {
            Failure::Damaged(_) => (true, false),
            Failure::Full => (false, false),
            Failure::Other(_) => (false, true),
        };
        if unknown && self.poison.is_none() {
            self.poison(cause.clone());
        }
        if !damaged && self.healed.is_some_and(|at| at.elapsed() < HEAL_EVERY) {
            return Err(failure.into());
        }
        self.healed = Some(Instant::now());
        let reads_only = self.poison.is_some();
        match self.shared.reopen(reads_only) {
            Ok(()) => {
                tracing::warn!(cause, reads_only, "the store file was opened anew");
                self.show_unseen();
                if reads_only { Err(failure.into()) } else { Ok(()) }
            }
            Err(error) => {
                tracing::error!(%error, cause, "the store file cannot be opened anew");
                Err(failure.into())
            }
        }
    }

    /// Tells what waits for commits of those that only the log had and that readers see now.
    fn show_unseen(&mut self) {
        self.pending_bytes = 0;
        run(std::mem::take(&mut self.unseen));
        self.signal.send_modify(|commits| *commits += 1);
    }

    /// Decides and answers every closure of a batch, in one commit where none fails after writing.
    ///
    /// One that does spoils the transaction. Then the closures before it run again and are
    /// committed, it is refused, and those after it go on as a batch of their own. So each closure
    /// runs twice at most (thrice where one fails only when it is repeated), however many fail,
    /// and there is at most one commit more than there are such failures; a closure each in a
    /// transaction of its own would need as many commits or more.
    fn commit(&mut self, mut batch: Vec<Box<dyn Work>>) {
        loop {
            match self.attempt(&mut batch) {
                Ok(Some(culprit)) => {
                    let rest = batch.split_off(culprit + 1);
                    self.commit_all_but_last(batch);
                    batch = rest;
                }
                Ok(None) => return answer_all(batch, &Ok(())),
                Err(error) => return answer_all(batch, &Err(error)),
            }
        }
    }

    /// Commits the closures before a culprit, then refuses it: its error was computed on what they
    /// stored. Where one of them now fails too, that is not so any more: each is decided alone.
    fn commit_all_but_last(&mut self, mut batch: Vec<Box<dyn Work>>) {
        let Some(culprit) = batch.pop() else { return };
        match self.attempt(&mut batch) {
            Ok(None) => answer_all(batch.into_iter().chain([culprit]), &Ok(())),
            Err(error) => answer_all(batch.into_iter().chain([culprit]), &Err(error)),
            Ok(Some(_)) => {
                for work in batch.into_iter().chain([culprit]) {
                    let mut alone = [work];
                    let fate = self.attempt(&mut alone).map(drop);
                    answer_all(alone, &fate);
                }
            }
        }
    }

    /// Runs and commits closures, unless the store is poisoned; a log that fails poisons it.
    /// `Some(i)` when closure `i` failed after writing: then nothing is stored.
    fn attempt(&mut self, batch: &mut [Box<dyn Work>]) -> Result<Option<usize>, DbError> {
        if let Some(cause) = &self.poison {
            return Err(DbError::Poisoned(cause.clone()));
        }
        if batch.is_empty() {
            return Ok(None);
        }
        self.heal()?;
        let mut outcome = self.transact(batch);
        if matches!(outcome, Err(DbError::LogFull)) && self.checkpoint().is_ok() {
            outcome = self.transact(batch);
        }
        // A closure may have met the failure, or swallowed it: what it computed is worth nothing.
        let failure = self.shared.file.load().health.failure();
        match (failure, outcome) {
            (_, Err(DbError::Unseen)) => Err(DbError::Unseen),
            (Some(failure), Err(_) | Ok(Some(_))) => {
                self.heal()?;
                Err(failure.into())
            }
            (_, Ok(None)) => {
                self.shared.operations.fetch_add(batch.len() as u64, Ordering::Relaxed);
                Ok(None)
            }
            (_, outcome) => outcome,
        }
    }

    fn transact(&mut self, batch: &mut [Box<dyn Work>]) -> Result<Option<usize>, DbError> {
        let file = self.shared.file.load_full();
        let shared = Arc::clone(&self.shared);
        let tx = file.begin()?;
        let write = Write::new(&tx, &shared.schema);
        for (position, work) in batch.iter_mut().enumerate() {
            let (changes, hooks) = (write.changes(), write.hooks_len());
            if work.run(&write) {
                continue;
            }
            if write.changes() != changes {
                drop(write);
                tx.abort()?;
                return Ok(Some(position));
            }
            write.drop_hooks_from(hooks);
        }
        let changed = write.changes() > 0;
        let (mut body, grown, hooks) = write.into_parts();
        if changed && file.health.failed() {
            tx.abort()?;
            return Err(DbError::Closed);
        }
        if changed {
            let seen = self.log(&mut body, grown, tx)?;
            shared.commits.fetch_add(1, Ordering::Relaxed);
            if !seen {
                self.unseen = hooks;
                return match self.heal() {
                    Ok(()) => Ok(None),
                    Err(DbError::Poisoned(cause)) => Err(DbError::Poisoned(cause)),
                    Err(_) => Err(DbError::Unseen),
                };
            }
        } else {
            tx.abort()?;
        }
        run(hooks);
        if changed {
            self.signal.send_modify(|commits| *commits += 1);
        }
        Ok(None)
    }

    /// The durable point: the log has the batch, then readers see it. `false` when they will only
    /// once the store file is opened anew.
    fn log(
        &mut self,
        body: &mut Vec<u8>,
        grown: i64,
        tx: redb::WriteTransaction,
    ) -> Result<bool, DbError> {
        let shared = Arc::clone(&self.shared);
        let last = shared.mark();
        let mark = Mark {
            sequence: last.sequence + 1,
            time: shared.options.clock.now().max(last.time),
            live_bytes: last.live_bytes.saturating_add_signed(grown),
        };
        if let Err(error) = shared.log.append(mark.sequence, mark.time, body) {
            tx.abort()?;
            if !matches!(error, DbError::Full | DbError::LogFull) {
                // Whether the record is on disk is unknown, and trying again would prove nothing.
                self.poison(format!("the log failed: {error}"));
            }
            return Err(error);
        }
        self.pending_bytes += body.len() as u64;
        let seen = tx.commit();
        shared.set_mark(mark);
        if let Err(error) = &seen {
            tracing::error!(%error, "a commit is in the log but not in the store file");
        }
        Ok(seen.is_ok())
    }
}

fn run(hooks: Vec<Hook>) {
    for hook in hooks {
        // A hook that panics has left some derived state behind, never the truth.
        if catch_unwind(AssertUnwindSafe(hook)).is_err() {
            tracing::error!("a hook panicked after a commit");
        }
    }
}
