//! The writer thread: drains waiting closures into one durable commit.

use super::error::DbError;
use super::store::Counters;
use super::table::Schema;
use super::tx::Write;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot, watch};

/// Closures joined in one commit. Past about 64 the apply cost, not the disk, is the limit; 256
/// bounds the latency of the first of them.
const BATCH_MAX: usize = 256;

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
    pub(super) db: Arc<redb::Database>,
    pub(super) schema: Arc<Schema>,
    pub(super) counters: Arc<Counters>,
    pub(super) signal: watch::Sender<u64>,
    pub(super) poison: Option<String>,
}

impl Writer {
    /// Serves closures until every sender is gone.
    pub(super) fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Work>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while let Some(first) = queue.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH_MAX
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            self.commit(std::mem::take(&mut batch));
        }
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

    /// Runs and commits closures, unless the store is poisoned; a commit that fails poisons it.
    /// `Some(i)` when closure `i` failed after writing: then nothing is stored.
    fn attempt(&mut self, batch: &mut [Box<dyn Work>]) -> Result<Option<usize>, DbError> {
        if let Some(cause) = &self.poison {
            return Err(DbError::Poisoned(cause.clone()));
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let outcome = self.transact(batch);
        match &outcome {
            Ok(None) => {
                self.counters.operations.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
            Ok(Some(_)) => {}
            Err(error) => {
                tracing::error!(%error, "a commit failed; the store is read-only until it is reopened");
                self.poison = Some(error.to_string());
                self.counters.poisoned.store(true, Ordering::SeqCst);
            }
        }
        outcome
    }

    fn transact(&self, batch: &mut [Box<dyn Work>]) -> Result<Option<usize>, DbError> {
        let tx = self.db.begin_write()?;
        let write = Write::new(&tx, &self.schema);
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
        let hooks = write.into_hooks();
        if changed {
            tx.commit()?;
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
        } else {
            tx.abort()?;
        }
        for hook in hooks {
            // A hook that panics has left some derived state behind, never the truth.
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("a hook panicked after a commit");
            }
        }
        if changed {
            self.signal.send_modify(|commits| *commits += 1);
        }
        Ok(None)
    }
}
