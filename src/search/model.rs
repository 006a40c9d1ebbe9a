//! One embedding model at work: its worker pool, and its vectors in memory.
//!
//! While a model takes over from another, both have vectors: the old set serves until the new one
//! is complete.

use super::catalogue::Catalogue;
use super::error::SearchError;
use super::tables::{Ordinal, VectorRow};
use crate::engine::db::{Key, Row, Span, View, Write, key};
use crate::engine::embed::Pool;
use crate::engine::vector::{Found, Vectors};
use roaring::RoaringBitmap;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A model that serves, or will.
pub(super) struct Model {
    id: String,
    pool: Pool,
    vectors: Vectors,
    /// Ordinals that need no embedding (any more).
    settled: RwLock<Settled>,
    loaded: AtomicBool,
    /// Stored vectors of other models, as counted while loading.
    foreign: AtomicU64,
    /// Key of the last one deleted; none is stored before it.
    foreign_after: Mutex<Option<(Ordinal, String)>>,
}

#[derive(Default)]
struct Settled {
    /// Have a vector, stored and in memory.
    have: RoaringBitmap,
    /// The model failed on them, or they went before their turn: found by words only.
    skipped: RoaringBitmap,
}

impl Model {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            id: pool.model().model_id().to_owned(),
            pool,
            vectors: Vectors::new(),
            settled: RwLock::default(),
            loaded: AtomicBool::new(false),
            foreign: AtomicU64::new(0),
            foreign_after: Mutex::default(),
        }
    }

    /// The name stored next to every vector.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The workers that run it.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether its stored vectors are in memory.
    pub(super) fn loaded(&self) -> bool {
        self.loaded.load(Ordering::SeqCst)
    }

    /// Stored vectors of other models that wait for deletion.
    pub(super) fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::SeqCst)
    }

    /// Notes that no vector of another model is stored any more.
    pub(super) fn no_foreign(&self) {
        self.foreign.store(0, Ordering::SeqCst);
    }

    /// Where the next deletion of other models' vectors goes on; none at the start.
    pub(super) fn foreign_after(&self) -> Option<(Ordinal, String)> {
        self.foreign_after.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that other models' vectors are deleted up to this key.
    pub(super) fn foreign_deleted(&self, last: (Ordinal, String)) {
        *self.foreign_after.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Reads its stored vectors into memory; thousands a millisecond, so not for a request.
    ///
    /// # Errors
    /// [`SearchError`] when the store fails.
    pub(super) fn load(&self, tx: &impl View, catalogue: &Catalogue) -> Result<(), SearchError> {
        let dimensions = self.pool.model().dimensions();
        let mut foreign = 0;
        let mut failed = None;
        tx.each_row(&Span::all(), |row: VectorRow| {
            if row.model_id != self.id {
                foreign += 1;
            } else if row.vector.len() == dimensions
                && let Some(collection) = catalogue.place(row.ordinal.0)
                && let Err(error) = self.insert(&collection, row.ordinal.0, &row.vector)
            {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.foreign.store(foreign, Ordering::SeqCst);
        self.loaded.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Makes a stored vector findable.
    ///
    /// # Errors
    /// [`SearchError::Vector`] when it is not a vector.
    pub(super) fn insert(
        &self,
        collection: &str,
        ordinal: u32,
        vector: &[f32],
    ) -> Result<(), SearchError> {
        self.vectors.insert(collection, ordinal, vector)?;
        self.write().have.insert(ordinal);
        Ok(())
    }

    /// Frees the memory of chunks that went.
    pub(super) fn remove(&self, collection: &str, ordinals: Range<u32>) {
        for ordinal in ordinals.clone() {
            self.vectors.remove(collection, ordinal);
        }
        if self.vectors.is_empty(collection) {
            self.vectors.drop_collection(collection);
        }
        let mut settled = self.write();
        settled.have.remove_range(ordinals.clone());
        settled.skipped.remove_range(ordinals);
    }

    /// Gives up on a chunk: it is found by words only until the next start.
    pub(super) fn skip(&self, ordinal: u32) {
        self.write().skipped.insert(ordinal);
    }

    /// Ordinals of `among` that still wait for their vector.
    pub(super) fn pending(&self, among: &RoaringBitmap) -> RoaringBitmap {
        let settled = self.read();
        let mut pending = among - &settled.have;
        pending -= &settled.skipped;
        pending
    }

    /// Ordinals of `among` that have a vector.
    pub(super) fn embedded(&self, among: &RoaringBitmap) -> u64 {
        self.read().have.intersection_len(among)
    }

    /// The nearest `k` of the allowed chunks.
    ///
    /// # Errors
    /// [`SearchError::Vector`] when the query is not a vector of this model.
    pub(super) fn search(
        &self,
        collections: &[String],
        query: &[f32],
        k: usize,
        allowed: &RoaringBitmap,
    ) -> Result<Found, SearchError> {
        let names: Vec<&str> = collections.iter().map(String::as_str).collect();
        Ok(self.vectors.search(&names, query, k, Some(allowed))?)
    }

    fn read(&self) -> RwLockReadGuard<'_, Settled> {
        self.settled.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Settled> {
        self.settled.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The model that answers, and the one that will.
#[derive(Default, Clone)]
pub(super) struct Models {
    pub(super) serving: Option<Arc<Model>>,
    pub(super) next: Option<Arc<Model>>,
}

impl Models {
    /// Both, the serving one first.
    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.serving.iter().chain(&self.next)
    }

    /// Lets a model in: it serves at once if none does, otherwise once its set is complete.
    pub(super) fn admit(&mut self, model: Arc<Model>) {
        match &self.serving {
            Some(serving) if serving.loaded() => self.next = Some(model),
            _ => *self = Self { serving: Some(model), next: None },
        }
    }
}

/// A stored vector by name only: a [`VectorRow`] read without keeping its numbers. Never written.
#[derive(Serialize, Deserialize)]
pub(super) struct VectorName {
    /// The chunk.
    pub(super) ordinal: Ordinal,
    /// The model.
    pub(super) model_id: String,
    #[serde(deserialize_with = "passed_over", skip_serializing)]
    _vector: (),
}

impl Row for VectorName {
    type Key = (Ordinal, String);
    const TABLE: &'static str = VectorRow::TABLE;

    fn key(&self) -> (Ordinal, String) {
        (self.ordinal, self.model_id.clone())
    }
}

/// Reads the numbers of a vector without making one.
fn passed_over<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    struct Numbers;
    impl<'de> Visitor<'de> for Numbers {
        type Value = ();

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("the numbers of a vector")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<(), A::Error> {
            while numbers.next_element::<f32>()?.is_some() {}
            Ok(())
        }
    }
    from.deserialize_seq(Numbers)
}

/// Keys of at most `limit` stored vectors of models other than `keep`, those behind `after`: each
/// batch goes on where the one before ended, so that the table is walked once.
///
/// # Errors
/// [`SearchError`] when the store fails.
pub(super) fn foreign_keys(
    tx: &impl View,
    keep: &str,
    after: Option<&(Ordinal, String)>,
    limit: usize,
) -> Result<Vec<(Ordinal, String)>, SearchError> {
    let span = after.map_or_else(Span::all, |last| Span::all().after(&last.append(key())));
    let mut keys = Vec::new();
    tx.each_row(&span, |row: VectorName| {
        if row.model_id != keep {
            keys.push((row.ordinal, row.model_id));
        }
        if keys.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(keys)
}

/// Deletes the vectors that any model made of a chunk.
///
/// # Errors
/// [`SearchError`] when the store fails.
pub(super) fn delete_vectors(tx: &Write<'_>, ordinal: Ordinal) -> Result<(), SearchError> {
    let span = Span::prefix(&ordinal.append(key()));
    let mut keys = Vec::new();
    tx.each_row(&span, |row: VectorName| {
        keys.push((row.ordinal, row.model_id));
        ControlFlow::Continue(())
    })?;
    for key in &keys {
        tx.delete::<VectorName>(key)?;
    }
    Ok(())
}
