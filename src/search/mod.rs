//! Search: documents in, ranked passages out.
//!
//! - **Keeps** the chunks of documents that other rooms store, already redacted, their vectors, and
//!   an outbox of changes; in memory the catalogue of what is findable. The word index and the
//!   vectors in memory are derived and can be thrown away.
//! - **How long**: as long as the document; its room removes it in the commit that deletes it.
//! - **Who may**: the asking room resolves what the caller may see to a [`Scope`], in the same
//!   snapshot that the passages are read from; nothing is filtered afterwards.
//! - **Never** answers a passage whose row is gone, embeds a passage twice for one model, calls an
//!   answer exact while a change in its scope is still on the way, or knows what a collection is.
//!
//! The way of a document: [`Search::prepare`] cuts it, [`Search::put`] stores chunks and an outbox
//! row in the caller's transaction, a hook makes it findable in the catalogue, and the indexer
//! ([`Search::run`]) gives it to the word index and the model. The way of a query:
//! [`Search::ask`] embeds it, [`Search::find`] ranks and reads in one snapshot.

mod catalogue;
mod chunk;
mod error;
mod fuse;
mod indexer;
mod model;
mod probe;
mod query;
mod rebuild;
mod tables;

#[cfg(test)]
mod tests;

pub use catalogue::Scope;
pub use chunk::{CHUNKS_MAX, DOCUMENT_BYTES_MAX};
pub use error::{K_MAX, QUERY_BYTES_MAX, SearchError};
pub use indexer::{Lag, State};
pub use probe::{Probe, Probed, probe};
pub use query::{Answer, Asked, Hit, Mode, Scores};
pub use tables::{DocumentKey, schema};

use crate::base::id::ChunkId;
use crate::base::{Ids, Time};
use crate::engine::db::{Db, View, Write};
use crate::engine::embed::{Embed, Pool};
use crate::engine::text::{Opened, TextIndex};
use catalogue::Catalogue;
use model::{Model, Models, delete_vectors};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tables::{ChunkRow, DocumentRow, Ordinal, OutboxRow, SEQUENCE, TRIMMED, take_ordinals};
use tokio::sync::{Notify, watch};

/// Texts up to this size are cut on the calling thread: some milliseconds.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// A passage to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Its public id.
    pub chunk_id: ChunkId,
    /// The headings above it.
    pub heading: String,
    /// The passage, redacted.
    pub text: String,
    /// First byte in the document as its room stores it.
    pub offset_start: u64,
    /// Byte after the last one.
    pub offset_end: u64,
}

/// A document to index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id in the room that owns it.
    pub document: DocumentKey,
    /// The collection that it is found in.
    pub collection: String,
    /// Its title, redacted.
    pub title: String,
    /// Its passages, as [`Search::prepare`] makes them.
    pub chunks: Vec<NewChunk>,
}

/// The search engine of this process; cheap to clone. It holds no handle to the store: a closure
/// that writes may own a clone of it.
#[derive(Clone)]
pub struct Search {
    inner: Arc<Inner>,
}

struct Inner {
    text: TextIndex,
    catalogue: Catalogue,
    models: RwLock<Models>,
    /// Last change in the word index, and last change written.
    applied: AtomicU64,
    written: AtomicU64,
    rebuild: AtomicBool,
    /// One indexer step at a time.
    turn: tokio::sync::Mutex<()>,
    wake: Notify,
    progress: watch::Sender<u64>,
    trouble: Mutex<Option<String>>,
}

impl Search {
    /// Opens search over a store and a word index; milliseconds, since nothing is embedded or
    /// rebuilt yet.
    ///
    /// # Errors
    /// [`SearchError::Storage`] when the store fails.
    pub fn open(db: &Db, text: TextIndex, opened: Opened) -> Result<Self, SearchError> {
        let (catalogue, written, trimmed) = db.read(|tx| -> Result<_, SearchError> {
            Ok((Catalogue::load(tx)?, tx.counter(SEQUENCE)?, tx.counter(TRIMMED)?))
        })?;
        let applied = opened.applied.unwrap_or(0);
        // An index that misses trimmed changes, or knows later ones, is of another time.
        let rebuild = applied < trimmed || applied > written;
        let inner = Inner {
            text,
            catalogue,
            models: RwLock::default(),
            applied: AtomicU64::new(applied.min(written)),
            written: AtomicU64::new(written),
            rebuild: AtomicBool::new(rebuild),
            turn: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            progress: watch::Sender::new(0),
            trouble: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Lets a model in. Passages without its vector are embedded in the background; the model that
    /// served before goes on until that is done.
    pub fn adopt(&self, pool: Pool) {
        self.models_mut(|models| models.admit(Arc::new(Model::new(pool))));
        self.inner.wake.notify_one();
    }

    /// Cuts a document into passages with places in `text`; on a blocking thread if it is long.
    ///
    /// # Errors
    /// [`SearchError::DocumentTooLong`], or the tokenizer's error.
    pub async fn prepare(
        &self,
        text: &str,
        ids: &Ids,
        now: Time,
    ) -> Result<Vec<NewChunk>, SearchError> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(SearchError::DocumentTooLong { bytes: text.len() });
        }
        let models = self.models();
        // The newest model decides: it is the one that will have to read the passages.
        let model = models.next.or(models.serving).map(|model| Arc::clone(model.pool().model()));
        let passages = if text.len() <= INLINE_BYTES_MAX {
            cut(text, model.as_deref())?
        } else {
            let owned = text.to_owned();
            blocking(move || cut(&owned, model.as_deref())).await?
        };
        let chunk = |passage: chunk::Passage| NewChunk {
            chunk_id: ids.next(now),
            heading: passage.heading,
            text: text.get(passage.range.clone()).unwrap_or_default().to_owned(),
            offset_start: passage.range.start as u64,
            offset_end: passage.range.end as u64,
        };
        Ok(passages.into_iter().map(chunk).collect())
    }

    /// Stores a document for search, in place of an older version of it. It is findable as soon as
    /// the indexer has seen it; the older version is gone at the next read after the commit.
    ///
    /// # Errors
    /// [`SearchError::DocumentTooLong`] above [`CHUNKS_MAX`] passages, [`SearchError::Full`], or
    /// [`SearchError::Storage`].
    pub fn put(&self, tx: &Write<'_>, document: &Document) -> Result<(), SearchError> {
        if document.chunks.len() > CHUNKS_MAX {
            let bytes = document.chunks.iter().map(|chunk| chunk.text.len()).sum();
            return Err(SearchError::DocumentTooLong { bytes });
        }
        if let Some(old) = tx.get::<DocumentRow>(&document.document)? {
            self.forget(tx, &old)?;
        }
        let first = take_ordinals(tx, document.chunks.len())?;
        for (chunk, ordinal) in document.chunks.iter().zip(first..) {
            tx.insert(&ChunkRow {
                ordinal: Ordinal(ordinal),
                chunk_id: chunk.chunk_id,
                document: document.document,
                heading: chunk.heading.clone(),
                text: chunk.text.clone(),
                offset_start: chunk.offset_start,
                offset_end: chunk.offset_end,
            })?;
        }
        let mut row = DocumentRow {
            document: document.document,
            collection: document.collection.clone(),
            title: document.title.clone(),
            first,
            count: document.chunks.len() as u32,
            sequence: 0,
        };
        row.sequence = self.log(tx, &row, false)?;
        tx.put(&row)?;
        let search = self.clone();
        tx.after_commit(move || search.inner.catalogue.put(row));
        Ok(())
    }

    /// Removes a document; it is unfindable at the next read after the commit. Answers whether it
    /// was there.
    ///
    /// # Errors
    /// [`SearchError::Storage`] when the store fails.
    pub fn remove(&self, tx: &Write<'_>, document: &DocumentKey) -> Result<bool, SearchError> {
        let Some(row) = tx.get::<DocumentRow>(document)? else { return Ok(false) };
        self.forget(tx, &row)?;
        tx.delete::<DocumentRow>(document)?;
        let (search, document) = (self.clone(), *document);
        tx.after_commit(move || search.inner.catalogue.remove(&document));
        Ok(true)
    }

    /// Number of passages of a document; none when it is not indexed.
    ///
    /// # Errors
    /// [`SearchError::Storage`] when the store fails.
    pub fn passages(
        &self,
        tx: &impl View,
        document: &DocumentKey,
    ) -> Result<Option<u32>, SearchError> {
        Ok(tx.get::<DocumentRow>(document)?.map(|row| row.count))
    }

    /// Deletes chunks and vectors of a document and tells the indexes.
    fn forget(&self, tx: &Write<'_>, row: &DocumentRow) -> Result<(), SearchError> {
        for ordinal in row.ordinals().map(Ordinal) {
            tx.delete::<ChunkRow>(&ordinal)?;
            delete_vectors(tx, ordinal)?;
        }
        self.log(tx, row, true).map(drop)
    }

    /// Writes an outbox row; answers its sequence.
    fn log(&self, tx: &Write<'_>, row: &DocumentRow, removed: bool) -> Result<u64, SearchError> {
        let sequence = tx.next_counter(SEQUENCE)?;
        tx.put(&OutboxRow {
            sequence,
            first: row.first,
            count: row.count,
            collection: row.collection.clone(),
            removed,
        })?;
        let search = self.clone();
        tx.after_commit(move || {
            search.inner.written.fetch_max(sequence, Ordering::SeqCst);
            search.inner.wake.notify_one();
        });
        Ok(sequence)
    }

    fn models(&self) -> Models {
        self.inner.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn models_mut(&self, change: impl FnOnce(&mut Models)) {
        change(&mut self.inner.models.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn cut(text: &str, model: Option<&dyn Embed>) -> Result<Vec<chunk::Passage>, SearchError> {
    let tokens = match model {
        Some(model) => model.token_offsets(text)?,
        None => chunk::estimate(text),
    };
    chunk::cut(text, &tokens)
}

/// Runs work that takes milliseconds or more on a thread where it holds up no request.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SearchError::Stopped)?
}
