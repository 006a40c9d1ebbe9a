//! Worker threads for the model, so that embedding never blocks the server and never piles up.
//!
//! Queries and batches have threads and queues of their own: a person's search waits behind other
//! searches only, never behind an index being built.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::{Embed, EmbedError};

/// Queries that may wait; the next one is refused, since its caller would wait longer than a person
/// does (64 queries of a large model are 3 s).
const QUERIES_WAITING_MAX: usize = 64;

/// Batches that may wait; their callers wait with them, which slows an indexer down to our pace.
const BATCHES_WAITING_MAX: usize = 8;

/// Texts embedded before a worker looks whether the caller is still there: about 0.5 s of work.
const SLICE_TEXTS: usize = 32;

/// Most threads per kind of work.
const THREADS_MAX: usize = 64;

/// A model and the threads that run it; the threads end when the pool is dropped.
pub struct Pool {
    model: Arc<dyn Embed>,
    queries: Sender<Work>,
    batches: Sender<Work>,
}

struct Work {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Vec<f32>>, EmbedError>>,
}

impl Pool {
    /// Starts one thread for queries and one for batches, enough for two cores.
    ///
    /// # Errors
    /// [`EmbedError::Spawn`] if the system refuses a thread.
    pub fn new(model: Arc<dyn Embed>) -> Result<Self, EmbedError> {
        Self::with_threads(model, 1, 1)
    }

    /// Starts the given numbers of threads, each at least 1 and at most 64.
    ///
    /// # Errors
    /// [`EmbedError::Spawn`] if the system refuses a thread.
    pub fn with_threads(
        model: Arc<dyn Embed>,
        queries: usize,
        batches: usize,
    ) -> Result<Self, EmbedError> {
        Ok(Self {
            queries: start(&model, "embed-query", queries, QUERIES_WAITING_MAX)?,
            batches: start(&model, "embed-batch", batches, BATCHES_WAITING_MAX)?,
            model,
        })
    }

    /// The model behind the pool, for its name, its limits and its token ranges.
    pub fn model(&self) -> &Arc<dyn Embed> {
        &self.model
    }

    /// Embeds the text of a search.
    ///
    /// # Errors
    /// [`EmbedError::Busy`] if too many queries wait; [`EmbedError::Panicked`] or the model's
    /// error.
    pub async fn query(&self, text: String) -> Result<Vec<f32>, EmbedError> {
        let (reply, answer) = oneshot::channel();
        let work = Work { texts: vec![text], reply };
        self.queries.try_send(work).map_err(|refused| match refused {
            TrySendError::Full(_) => EmbedError::Busy(QUERIES_WAITING_MAX),
            TrySendError::Closed(_) => EmbedError::Stopped,
        })?;
        let vectors = answer.await.map_err(|_| EmbedError::Stopped)??;
        vectors.into_iter().next().ok_or(EmbedError::Stopped)
    }

    /// Embeds texts of documents, in order; waits while the queue is full. Dropping the future
    /// gives the rest of the work up.
    ///
    /// # Errors
    /// [`EmbedError::Panicked`] or the model's error, for all texts together.
    pub async fn batch(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let work = Work { texts, reply };
        self.batches.send(work).await.map_err(|_| EmbedError::Stopped)?;
        answer.await.map_err(|_| EmbedError::Stopped)?
    }
}

fn start(
    model: &Arc<dyn Embed>,
    name: &str,
    threads: usize,
    waiting_max: usize,
) -> Result<Sender<Work>, EmbedError> {
    let (sender, receiver) = channel(waiting_max);
    let receiver = Arc::new(Mutex::new(receiver));
    for index in 0..threads.clamp(1, THREADS_MAX) {
        let (model, receiver) = (Arc::clone(model), Arc::clone(&receiver));
        thread::Builder::new()
            .name(format!("{name}-{index}"))
            .spawn(move || run(model.as_ref(), &receiver))
            .map_err(EmbedError::Spawn)?;
    }
    Ok(sender)
}

fn run(model: &dyn Embed, receiver: &Mutex<Receiver<Work>>) {
    let next = || {
        let mut receiver = receiver.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        receiver.blocking_recv()
    };
    while let Some(Work { texts, reply }) = next() {
        // A panic leaves the model sound: it only reads weights, and a torn buffer is dropped.
        let answer = catch_unwind(AssertUnwindSafe(|| embed(model, &texts, &reply)));
        // A caller that went away is no failure of ours.
        let _ = reply.send(answer.unwrap_or(Err(EmbedError::Panicked)));
    }
}

fn embed<T>(
    model: &dyn Embed,
    texts: &[String],
    reply: &oneshot::Sender<T>,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for slice in texts.chunks(SLICE_TEXTS) {
        if reply.is_closed() {
            return Err(EmbedError::Stopped);
        }
        let slice: Vec<&str> = slice.iter().map(String::as_str).collect();
        vectors.extend(model.embed(&slice)?);
    }
    Ok(vectors)
}
