//! Filling the word index anew, and checking that everything here agrees.

use super::error::SearchError;
use super::indexer::{Passage, trim};
use super::model::VectorName;
use super::tables::{ChunkRow, DocumentKey, DocumentRow, OutboxRow};
use super::tables::{SEQUENCE, TRIMMED, VectorRow};
use super::{Search, blocking};
use crate::engine::db::{Db, Fault, Row, Span, View};
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::Ordering as Memory;

/// Passages put in one commit of the word index while it is filled: some MiB of text.
const REBUILD_CHUNKS_MAX: u32 = 2048;
/// Faults reported; a broken table need not be listed in full.
const FAULTS_MAX: usize = 100;

impl Search {
    /// Fills the word index from the stored passages of one snapshot. A crash on the way leaves the
    /// applied sequence at zero, so that the next start begins again or replays the whole outbox.
    pub(super) async fn rebuild(&self, db: &Db) -> Result<(), SearchError> {
        let (search, store) = (self.clone(), db.clone());
        let (sequence, removed) = blocking(move || search.fill(&store)).await?;
        // Nobody else will: trimming forgets these changes, and the word index never saw them.
        self.remove_vectors(&removed);
        self.inner.applied.store(sequence, Memory::SeqCst);
        self.inner.rebuild.store(false, Memory::SeqCst);
        trim(db, sequence).await
    }

    /// Answers the last change of the snapshot, and those up to it that removed passages and still
    /// wait in the outbox.
    fn fill(&self, db: &Db) -> Result<(u64, Vec<OutboxRow>), SearchError> {
        let inner = &self.inner;
        db.read(|tx| {
            let sequence = tx.counter(SEQUENCE)?;
            tracing::info!(sequence, "the word index is filled anew");
            inner.text.clear()?;
            let mut ranges = Vec::new();
            tx.each_row(&Span::all(), |row: DocumentRow| {
                ranges.push(row.ordinals());
                ControlFlow::Continue(())
            })?;
            let mut ordinals = Vec::new();
            for range in ranges {
                ordinals.extend(range);
                if ordinals.len() >= REBUILD_CHUNKS_MAX as usize {
                    self.fill_with(tx, &ordinals, 0)?;
                    ordinals.clear();
                }
            }
            self.fill_with(tx, &ordinals, sequence)?;
            let mut removed = Vec::new();
            tx.each_row(&Span::all(), |row: OutboxRow| {
                removed.extend(Some(row).filter(|row| row.removed));
                ControlFlow::Continue(())
            })?;
            Ok((sequence, removed))
        })
    }

    fn fill_with(
        &self,
        tx: &impl View,
        ordinals: &[u32],
        sequence: u64,
    ) -> Result<(), SearchError> {
        let passages = Passage::read(tx, ordinals)?;
        let changes: Vec<_> = passages.into_iter().map(Passage::into_put).collect();
        Ok(self.inner.text.apply(&changes, sequence)?)
    }

    /// Checks that every chunk has its document, every vector its chunk, and that the catalogue
    /// says what the rows say. Empty when all is well.
    ///
    /// # Errors
    /// [`SearchError::Storage`] when the store fails.
    pub fn check(&self, tx: &impl View) -> Result<Vec<Fault>, SearchError> {
        let mut faults = Faults::default();
        let mut missing = documents(tx)?;
        faults.chunks(tx, &mut missing)?;
        faults.vectors(tx)?;
        // The catalogue is newer than the snapshot where a commit came between.
        let (written, now) = (tx.counter(SEQUENCE)?, self.inner.written.load(Memory::SeqCst));
        if written == now && !self.inner.catalogue.agrees_with(tx)? {
            faults.add("search_catalogue", "differs from the document rows".to_owned());
        }
        if tx.counter(TRIMMED)? > written {
            faults.add(OutboxRow::TABLE, "is trimmed beyond its last change".to_owned());
        }
        Ok(faults.found)
    }
}

/// Chunks that a document should have and that have not been seen.
type Missing = HashMap<DocumentKey, (Range<u32>, u32)>;

fn documents(tx: &impl View) -> Result<Missing, SearchError> {
    let mut missing = Missing::new();
    tx.each_row(&Span::all(), |row: DocumentRow| {
        missing.insert(row.document, (row.ordinals(), row.count));
        ControlFlow::Continue(())
    })?;
    Ok(missing)
}

#[derive(Default)]
struct Faults {
    found: Vec<Fault>,
}

impl Faults {
    fn add(&mut self, place: &'static str, detail: String) {
        if self.found.len() < FAULTS_MAX {
            self.found.push(Fault { place, detail });
        }
    }

    fn chunks(&mut self, tx: &impl View, missing: &mut Missing) -> Result<(), SearchError> {
        tx.each_row(&Span::all(), |row: ChunkRow| {
            match missing.get_mut(&row.document) {
                Some((ordinals, left)) if ordinals.contains(&row.ordinal.0) => *left -= 1,
                _ => self.add(ChunkRow::TABLE, format!("{} has no document", row.chunk_id)),
            }
            ControlFlow::Continue(())
        })?;
        for (_, left) in missing.values().filter(|(_, left)| *left > 0) {
            self.add(DocumentRow::TABLE, format!("{left} passages of a document are missing"));
        }
        Ok(())
    }

    fn vectors(&mut self, tx: &impl View) -> Result<(), SearchError> {
        let mut orphans = Vec::new();
        tx.each_row(&Span::all(), |row: VectorName| {
            orphans.push(row.ordinal);
            ControlFlow::Continue(())
        })?;
        for ordinal in orphans {
            if !tx.contains::<ChunkRow>(&ordinal)? {
                self.add(VectorRow::TABLE, format!("the vector of {} has no chunk", ordinal.0));
            }
        }
        Ok(())
    }
}
