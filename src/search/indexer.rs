//! The indexer: gives every change to the word index, and every passage a vector.
//!
//! It works in small steps, words before vectors, new passages before old ones, so that a document
//! just added is findable within a second however long the queue of vectors is. Each step is safe
//! to repeat: after a crash at any point the outbox is read again from the sequence that the word
//! index itself remembers, and a passage without a stored vector is embedded.

use super::chunk::shorten;
use super::error::SearchError;
use super::model::{Model, Models, VectorName, foreign_keys};
use super::tables::{ChunkRow, DocumentKey, DocumentRow, Ordinal, OutboxRow, TRIMMED, VectorRow};
use super::{Search, blocking};
use crate::engine::db::{Db, Span, View, Write, key};
use crate::engine::embed::EmbedError;
use crate::engine::text::Change;
use serde::Serialize;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering as Memory;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use utoipa::ToSchema;

/// Outbox rows applied in one commit of the word index.
const OUTBOX_ROWS_MAX: usize = 256;
/// Passages applied in one commit, unless a single document has more: about 4 MiB of text.
const OUTBOX_CHUNKS_MAX: usize = 4096;
/// Passages embedded in one step: some 0.2 s on one core, the longest a new document waits.
const EMBED_CHUNKS_MAX: usize = 16;
/// Vectors of a former model deleted in one commit.
const FOREIGN_MAX: usize = 1000;
/// Longest title and headings put before a passage, in bytes: about 40 tokens.
const PREFIX_BYTES_MAX: usize = 160;
/// First pause after a failed step; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// Longest pause after failed steps.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Between two looks at a full disk.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Idle time after which the word index gives its threads and memory back.
const REST_AFTER: Duration = Duration::from_secs(10);

/// Work that the indexes are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lag {
    /// Changes that the word index does not know yet.
    pub changes: u64,
    /// Passages without a vector of the serving model.
    pub vectors: u64,
}

/// How search stands, for readiness and answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct State {
    /// The serving model, or `lexical`.
    pub model: String,
    /// A model that is taking over and embeds in the background.
    pub next_model: Option<String>,
    /// Whether the stored vectors of the serving model are in memory.
    pub vectors_loaded: bool,
    /// Whether the word index is being filled anew.
    pub rebuilding: bool,
    /// What the indexes are behind.
    pub lag: Lag,
    /// Findable passages.
    pub passages: u64,
    /// The last step failed for this reason and will be tried again.
    pub trouble: Option<String>,
}

impl Search {
    /// Indexes until `halted` says so; failures are logged once, shown by [`Search::ready`] and
    /// tried again after a pause.
    pub async fn run(self, db: Db, mut halted: watch::Receiver<bool>) {
        let text = self.inner.text.clone();
        if let Err(error) = blocking(move || Ok(text.verify()?)).await {
            tracing::error!(%error, "the word index cannot be verified");
        }
        let mut pause = PAUSE_FIRST;
        let mut resting = true;
        while !*halted.borrow() {
            if db.is_full() {
                // An index can only fail to grow then; what waits is indexed when there is room.
                tokio::select! {
                    told = halted.changed() => if told.is_err() { break },
                    () = tokio::time::sleep(FULL_PAUSE) => {}
                }
                continue;
            }
            let wait = match self.step(&db).await {
                Ok(true) => {
                    (pause, resting) = (PAUSE_FIRST, false);
                    self.note(None);
                    continue;
                }
                Ok(false) => {
                    self.note(None);
                    if resting { Duration::MAX } else { REST_AFTER }
                }
                Err(error) => {
                    self.note(Some(error.to_string()));
                    let longer = (pause * 2).min(PAUSE_MAX);
                    std::mem::replace(&mut pause, longer)
                }
            };
            tokio::select! {
                // Without a sender nobody could ever say stop.
                told = halted.changed() => if told.is_err() { break },
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(wait) => resting = self.rest(resting).await,
            }
        }
        self.rest(false).await;
    }

    /// Does what there is to do and returns; [`Search::run`] may run beside it.
    ///
    /// # Errors
    /// [`SearchError`] of the step that failed; it can be tried again.
    pub async fn catch_up(&self, db: &Db) -> Result<(), SearchError> {
        while self.step(db).await? {}
        Ok(())
    }

    /// Waits until a document is in the word index and, if a model serves, has its vectors, or is
    /// gone. Needs [`Search::run`].
    ///
    /// # Errors
    /// [`SearchError::Storage`] when the store fails.
    pub async fn indexed(&self, db: &Db, document: &DocumentKey) -> Result<(), SearchError> {
        let mut progress = self.inner.progress.subscribe();
        while !self.is_indexed(db, document)? {
            progress.changed().await.map_err(|_| SearchError::Stopped)?;
        }
        Ok(())
    }

    /// Throws the word index away and fills it from the stored passages; nothing is embedded.
    pub fn reindex(&self) {
        self.inner.rebuild.store(true, Memory::SeqCst);
        self.inner.wake.notify_one();
    }

    /// How far the indexes are behind.
    pub fn lag(&self) -> Lag {
        let inner = &self.inner;
        let applied = inner.applied.load(Memory::SeqCst);
        let changes = inner.written.load(Memory::SeqCst).saturating_sub(applied);
        let live = inner.catalogue.live();
        let vectors = self.models().serving.map_or(0, |model| model.pending(&live).len());
        Lag { changes, vectors }
    }

    /// How search stands. It always answers queries; this says how well.
    pub fn ready(&self) -> State {
        let models = self.models();
        let id = |model: &Arc<Model>| model.id().to_owned();
        State {
            model: models.serving.as_ref().map_or_else(|| "lexical".to_owned(), id),
            next_model: models.next.as_ref().map(id),
            vectors_loaded: models.serving.is_some_and(|model| model.loaded()),
            rebuilding: self.inner.rebuild.load(Memory::SeqCst),
            lag: self.lag(),
            passages: self.inner.catalogue.len(),
            trouble: self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn is_indexed(&self, db: &Db, document: &DocumentKey) -> Result<bool, SearchError> {
        let row = db.read(|tx| tx.get::<DocumentRow>(document))?;
        let Some(row) = row else { return Ok(true) };
        let words = row.sequence <= self.inner.applied.load(Memory::SeqCst);
        let ordinals = row.ordinals().collect();
        let vectors = self.models().serving.is_none_or(|model| model.pending(&ordinals).is_empty());
        Ok(words && vectors)
    }

    /// One step; answers whether there was something to do.
    async fn step(&self, db: &Db) -> Result<bool, SearchError> {
        let _turn = self.inner.turn.lock().await;
        if self.inner.text.is_damaged() {
            self.inner.rebuild.store(true, Memory::SeqCst);
        }
        let done = if self.inner.rebuild.load(Memory::SeqCst) {
            self.rebuild(db).await?;
            true
        } else {
            let words = self.apply_words(db).await?;
            let vectors = self.apply_vectors(db).await?;
            words || vectors
        };
        if done {
            self.inner.progress.send_modify(|step| *step += 1);
        }
        Ok(done)
    }

    async fn rest(&self, resting: bool) -> bool {
        if !resting {
            let text = self.inner.text.clone();
            if let Err(error) = blocking(move || Ok(text.rest()?)).await {
                tracing::warn!(%error, "the word index could not come to rest");
            }
        }
        true
    }

    fn note(&self, trouble: Option<String>) {
        let mut kept = self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = trouble.as_ref().filter(|_| kept.is_none()) {
            tracing::error!(error, "indexing failed and will be tried again");
        }
        *kept = trouble;
    }

    /// Gives the next changes to the word index, then forgets them.
    async fn apply_words(&self, db: &Db) -> Result<bool, SearchError> {
        let applied = self.inner.applied.load(Memory::SeqCst);
        let batch = db.read(|tx| Batch::read(tx, applied))?;
        let Some(sequence) = batch.sequence else { return Ok(false) };
        let (text, changes) = (self.inner.text.clone(), batch.changes);
        blocking(move || Ok(text.apply(&changes, sequence)?)).await?;
        self.remove_vectors(&batch.removed);
        self.inner.applied.store(sequence, Memory::SeqCst);
        trim(db, sequence).await?;
        Ok(true)
    }

    /// Takes the passages that these changes removed out of the memory of every model.
    pub(super) fn remove_vectors(&self, removed: &[OutboxRow]) {
        let models = self.models();
        for row in removed {
            for model in models.each() {
                model.remove(&row.collection, row.ordinals());
            }
        }
    }

    /// Loads, embeds or cleans up for one model, a batch at a time.
    async fn apply_vectors(&self, db: &Db) -> Result<bool, SearchError> {
        let models = self.models();
        for model in models.each() {
            if !model.loaded() {
                let (db, inner, model) = (db.clone(), Arc::clone(&self.inner), Arc::clone(model));
                blocking(move || db.read(|tx| model.load(tx, &inner.catalogue))).await?;
                return Ok(true);
            }
            if self.embed(db, model).await? {
                return Ok(true);
            }
        }
        let Models { serving, next } = models;
        if let Some(next) = next {
            tracing::info!(model = next.id(), "another model serves from now on");
            self.models_mut(|models| *models = Models { serving: Some(next), next: None });
            return Ok(true);
        }
        match serving.filter(|model| model.foreign() > 0) {
            Some(model) => forget_foreign(db, &model).await,
            None => Ok(false),
        }
    }

    /// Embeds the newest passages that wait for this model.
    async fn embed(&self, db: &Db, model: &Model) -> Result<bool, SearchError> {
        let pending = model.pending(&self.inner.catalogue.live());
        let ordinals: Vec<u32> = pending.iter().rev().take(EMBED_CHUNKS_MAX).collect();
        if ordinals.is_empty() {
            return Ok(false);
        }
        let passages = db.read(|tx| Passage::read(tx, &ordinals))?;
        for ordinal in ordinals {
            // Its row went before its turn; an ordinal never comes back.
            if !passages.iter().any(|passage| passage.ordinal.0 == ordinal) {
                model.skip(ordinal);
            }
        }
        let vectors = embed_each(model, &passages).await?;
        let rows: Vec<(VectorRow, String)> = passages
            .into_iter()
            .zip(vectors)
            .filter_map(|(passage, vector)| {
                let model_id = model.id().to_owned();
                let row = VectorRow { ordinal: passage.ordinal, model_id, vector: vector? };
                Some((row, passage.collection))
            })
            .collect();
        let store = Arc::new(rows);
        let rows = Arc::clone(&store);
        let kept = move |tx: &Write<'_>| -> Result<Vec<bool>, SearchError> {
            let mut kept = Vec::with_capacity(rows.len());
            for (row, _) in rows.iter() {
                let lives = tx.contains::<ChunkRow>(&row.ordinal)?;
                if lives {
                    tx.put(row)?;
                }
                kept.push(lives);
            }
            Ok(kept)
        };
        let kept = db.write(kept).await?;
        for ((row, collection), _) in store.iter().zip(kept).filter(|(_, kept)| *kept) {
            model.insert(collection, row.ordinal.0, &row.vector)?;
        }
        Ok(true)
    }
}

/// Forgets the changes up to `sequence`: every index holds them.
pub(super) async fn trim(db: &Db, sequence: u64) -> Result<(), SearchError> {
    let trim = move |tx: &Write<'_>| -> Result<(), SearchError> {
        let mut old = Vec::new();
        tx.each_row(&Span::all().before(&key().u64(sequence + 1)), |row: OutboxRow| {
            old.push(row.sequence);
            ControlFlow::Continue(())
        })?;
        for sequence in old {
            tx.delete::<OutboxRow>(&sequence)?;
        }
        Ok(tx.set_mark(TRIMMED, &sequence.to_be_bytes())?)
    };
    db.write(trim).await
}

/// Deletes some stored vectors of former models; answers whether there were any.
async fn forget_foreign(db: &Db, model: &Model) -> Result<bool, SearchError> {
    let (store, keep, after) = (db.clone(), model.id().to_owned(), model.foreign_after());
    let find = move || store.read(|tx| foreign_keys(tx, &keep, after.as_ref(), FOREIGN_MAX));
    let keys = blocking(find).await?;
    let Some(last) = keys.last().cloned() else {
        model.no_foreign();
        return Ok(false);
    };
    let delete = move |tx: &Write<'_>| -> Result<(), SearchError> {
        for key in &keys {
            tx.delete::<VectorName>(key)?;
        }
        Ok(())
    };
    db.write(delete).await?;
    model.foreign_deleted(last);
    Ok(true)
}

/// Changes to apply together.
struct Batch {
    changes: Vec<Change>,
    removed: Vec<OutboxRow>,
    sequence: Option<u64>,
}

impl Batch {
    fn read(tx: &impl View, applied: u64) -> Result<Self, SearchError> {
        let mut rows = Vec::new();
        let mut chunks = 0;
        tx.each_row(&Span::all().after(&key().u64(applied)), |row: OutboxRow| {
            chunks += row.count as usize;
            rows.push(row);
            let full = rows.len() == OUTBOX_ROWS_MAX || chunks >= OUTBOX_CHUNKS_MAX;
            if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let sequence = rows.last().map(|row| row.sequence);
        let mut changes = Vec::with_capacity(chunks);
        for row in rows.iter() {
            if row.removed {
                changes.extend(row.ordinals().map(|ordinal| Change::Delete { ordinal }));
            } else {
                // Passages that a later change removed have no row any more.
                let ordinals: Vec<u32> = row.ordinals().collect();
                changes.extend(Passage::read(tx, &ordinals)?.into_iter().map(Passage::into_put));
            }
        }
        rows.retain(|row| row.removed);
        Ok(Self { changes, removed: rows, sequence })
    }
}

/// A chunk with what its document adds to it.
pub(super) struct Passage {
    ordinal: Ordinal,
    document: DocumentKey,
    collection: String,
    title: String,
    heading: String,
    text: String,
}

impl Passage {
    /// The chunks with these ordinals that exist.
    pub(super) fn read(tx: &impl View, ordinals: &[u32]) -> Result<Vec<Self>, SearchError> {
        let mut documents: HashMap<DocumentKey, DocumentRow> = HashMap::new();
        let mut passages = Vec::with_capacity(ordinals.len());
        for ordinal in ordinals {
            let Some(chunk) = tx.get::<ChunkRow>(&Ordinal(*ordinal))? else { continue };
            if !documents.contains_key(&chunk.document)
                && let Some(row) = tx.get::<DocumentRow>(&chunk.document)?
            {
                documents.insert(chunk.document, row);
            }
            if let Some(document) = documents.get(&chunk.document) {
                passages.push(Self {
                    ordinal: chunk.ordinal,
                    document: chunk.document,
                    collection: document.collection.clone(),
                    title: document.title.clone(),
                    heading: chunk.heading,
                    text: chunk.text,
                });
            }
        }
        Ok(passages)
    }

    /// As the word index takes it: the headings above the passage count like its own words.
    pub(super) fn into_put(self) -> Change {
        let text = format!("{}\n{}", self.heading, self.text);
        let (ordinal, document) = (self.ordinal.0, self.document);
        Change::Put { ordinal, document, title: self.title, text }
    }

    /// As the model reads it: a passage torn from its page needs to say what it is about.
    fn input(&self) -> String {
        let mut input = self.title.clone();
        if !self.heading.is_empty() && self.heading != self.title {
            input.push_str(" > ");
            input.push_str(&self.heading);
        }
        shorten(&mut input, PREFIX_BYTES_MAX);
        input.push('\n');
        input.push_str(&self.text);
        input
    }
}

/// A vector for each passage; none for one that the model fails on.
async fn embed_each(
    model: &Model,
    passages: &[Passage],
) -> Result<Vec<Option<Vec<f32>>>, SearchError> {
    let inputs: Vec<String> = passages.iter().map(Passage::input).collect();
    let failure = match model.pool().batch(inputs.clone()).await {
        Ok(vectors) => return Ok(vectors.into_iter().map(Some).collect()),
        Err(error) => error,
    };
    if !of_the_text(&failure) {
        return Err(failure.into());
    }
    let mut vectors = Vec::with_capacity(inputs.len());
    for (input, passage) in inputs.into_iter().zip(passages) {
        match model.pool().batch(vec![input]).await {
            Ok(vector) => vectors.push(vector.into_iter().next()),
            Err(error) if of_the_text(&error) => {
                let ordinal = passage.ordinal.0;
                tracing::warn!(ordinal, %error, "a passage cannot be embedded; words will find it");
                model.skip(ordinal);
                vectors.push(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(vectors)
}

/// Whether the failure belongs to a text, so that other texts may do better.
fn of_the_text(error: &EmbedError) -> bool {
    matches!(error, EmbedError::Tokenize(_) | EmbedError::TooLong { .. } | EmbedError::Panicked)
}
