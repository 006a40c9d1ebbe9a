//! What is findable right now, in memory: which chunks live, and in which collection.
//!
//! Derived from the document rows at start and kept in step by hooks that run after a commit and
//! before its caller is answered. A search starts from here, so a removed document is unfindable
//! at the next read whatever the indexes still hold.

use super::tables::{DocumentKey, DocumentRow};
use crate::engine::db::{DbError, Span, View};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};
use std::sync::{PoisonError, RwLock};

/// Which chunks a search may see.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Collections that the caller may see, resolved by the room that owns them.
    pub collections: Vec<String>,
    /// Only these documents of them; all when none.
    pub documents: Option<Vec<DocumentKey>>,
}

/// One document as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    collection: String,
    ordinals: Range<u32>,
}

#[derive(Debug, Default, PartialEq)]
struct State {
    live: RoaringBitmap,
    collections: HashMap<String, RoaringBitmap>,
    documents: HashMap<DocumentKey, Entry>,
    /// First ordinal of each document.
    starts: BTreeMap<u32, DocumentKey>,
}

/// The catalogue. About 100 bytes a document.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    state: RwLock<State>,
}

impl Catalogue {
    /// Reads every document row.
    ///
    /// # Errors
    /// [`DbError`] when the store fails.
    pub(super) fn load(tx: &impl View) -> Result<Self, DbError> {
        let mut state = State::default();
        tx.each_row(&Span::all(), |row: DocumentRow| {
            state.put(row);
            ControlFlow::Continue(())
        })?;
        Ok(Self { state: RwLock::new(state) })
    }

    /// Makes a document findable, in place of an older version of it.
    pub(super) fn put(&self, row: DocumentRow) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).put(row);
    }

    /// Makes a document unfindable.
    pub(super) fn remove(&self, document: &DocumentKey) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).remove(document);
    }

    /// The live ordinals of a scope.
    pub(super) fn allowed(&self, scope: &Scope) -> RoaringBitmap {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut allowed = RoaringBitmap::new();
        match &scope.documents {
            None => {
                for name in &scope.collections {
                    if let Some(live) = state.collections.get(name) {
                        allowed |= live;
                    }
                }
            }
            Some(documents) => {
                for entry in documents.iter().filter_map(|key| state.documents.get(key)) {
                    if scope.collections.contains(&entry.collection) {
                        allowed.insert_range(entry.ordinals.clone());
                    }
                }
            }
        }
        allowed
    }

    /// All live ordinals.
    pub(super) fn live(&self) -> RoaringBitmap {
        self.state.read().unwrap_or_else(PoisonError::into_inner).live.clone()
    }

    /// Number of live chunks.
    pub(super) fn len(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).live.len()
    }

    /// The documents of those of these chunks that live.
    pub(super) fn documents(
        &self,
        ordinals: impl Iterator<Item = u32>,
    ) -> HashMap<u32, DocumentKey> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let document = |ordinal| Some((ordinal, *state.entry(ordinal)?.0));
        ordinals.filter_map(document).collect()
    }

    /// The collection of a live chunk.
    pub(super) fn place(&self, ordinal: u32) -> Option<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.entry(ordinal).map(|(_, entry)| entry.collection.clone())
    }

    /// Whether it says exactly what the rows say.
    ///
    /// # Errors
    /// [`DbError`] when the store fails.
    pub(super) fn agrees_with(&self, tx: &impl View) -> Result<bool, DbError> {
        let rows = Self::load(tx)?;
        let rows = rows.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(*self.state.read().unwrap_or_else(PoisonError::into_inner) == rows)
    }
}

impl State {
    fn entry(&self, ordinal: u32) -> Option<(&DocumentKey, &Entry)> {
        let (_, document) = self.starts.range(..=ordinal).next_back()?;
        let entry = self.documents.get(document)?;
        entry.ordinals.contains(&ordinal).then_some((document, entry))
    }

    fn put(&mut self, row: DocumentRow) {
        self.remove(&row.document);
        let ordinals = row.ordinals();
        if !ordinals.is_empty() {
            self.live.insert_range(ordinals.clone());
            let collection = self.collections.entry(row.collection.clone()).or_default();
            collection.insert_range(ordinals.clone());
            self.starts.insert(row.first, row.document);
        }
        self.documents.insert(row.document, Entry { collection: row.collection, ordinals });
    }

    fn remove(&mut self, document: &DocumentKey) {
        let Some(entry) = self.documents.remove(document) else { return };
        if entry.ordinals.is_empty() {
            return;
        }
        self.live.remove_range(entry.ordinals.clone());
        self.starts.remove(&entry.ordinals.start);
        if let Some(live) = self.collections.get_mut(&entry.collection) {
            live.remove_range(entry.ordinals);
            if live.is_empty() {
                self.collections.remove(&entry.collection);
            }
        }
    }
}
