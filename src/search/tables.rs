//! Rows of search: documents, their chunks, their vectors and the outbox.
//!
//! The chunks of a document have consecutive ordinals, given out once and never again, so that a
//! range stands for a document everywhere: in a bitmap, in the outbox, in the text index.

use super::chunk::CHUNKS_MAX;
use super::error::SearchError;
use crate::base::id::ChunkId;
use crate::engine::db::{Index, Key, KeyBuf, Row, Schema, View, Write};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A document of any room: its 16-byte id without its kind.
pub type DocumentKey = [u8; 16];

/// Named number: the next free ordinal.
pub(super) const NEXT_ORDINAL: &str = "search_next_ordinal";
/// Named number: the last change written to the outbox.
pub(super) const SEQUENCE: &str = "search_sequence";
/// Named number: the last change trimmed from the outbox, because the text index holds it.
pub(super) const TRIMMED: &str = "search_trimmed";

/// Position of a chunk in every index; as a key it sorts by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Ordinal(pub(super) u32);

impl Key for Ordinal {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.raw(&self.0.to_be_bytes())
    }
}

/// An indexed document. About 100 bytes; one per document of any room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DocumentRow {
    /// The document.
    pub(super) document: DocumentKey,
    /// The collection that it is found in, such as `kb_private_{user}`.
    pub(super) collection: String,
    /// Its title, redacted.
    pub(super) title: String,
    /// Ordinal of its first chunk.
    pub(super) first: u32,
    /// Number of its chunks.
    pub(super) count: u32,
    /// The outbox change that brought it.
    pub(super) sequence: u64,
}

impl DocumentRow {
    /// The ordinals of its chunks.
    pub(super) fn ordinals(&self) -> Range<u32> {
        self.first..self.first + self.count
    }
}

impl Row for DocumentRow {
    type Key = DocumentKey;
    const TABLE: &'static str = "search_documents";

    fn key(&self) -> DocumentKey {
        self.document
    }
}

/// A chunk. About 1 KiB; a page of text has three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkRow {
    /// Its place in every index.
    pub(super) ordinal: Ordinal,
    /// Its public id.
    pub(super) chunk_id: ChunkId,
    /// The document it is part of.
    pub(super) document: DocumentKey,
    /// The headings above it.
    pub(super) heading: String,
    /// The passage, redacted.
    pub(super) text: String,
    /// First byte in the document as its room stores it.
    pub(super) offset_start: u64,
    /// Byte after the last one.
    pub(super) offset_end: u64,
}

impl Row for ChunkRow {
    type Key = Ordinal;
    const TABLE: &'static str = "search_chunks";

    fn key(&self) -> Ordinal {
        self.ordinal
    }
}

/// What one model makes of one chunk. 1.5 KiB at 384 dimensions; stored so that no start and no
/// rebuild embeds anything twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct VectorRow {
    /// The chunk.
    pub(super) ordinal: Ordinal,
    /// The model, such as `all-minilm-l6-v2`.
    pub(super) model_id: String,
    /// Its unit vector.
    pub(super) vector: Vec<f32>,
}

impl Row for VectorRow {
    type Key = (Ordinal, String);
    const TABLE: &'static str = "search_vectors";

    fn key(&self) -> (Ordinal, String) {
        (self.ordinal, self.model_id.clone())
    }
}

/// A change that the indexes may not know yet. 20 bytes; gone once they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutboxRow {
    /// Order of the change, without gaps.
    pub(super) sequence: u64,
    /// First ordinal concerned.
    pub(super) first: u32,
    /// Number of ordinals concerned.
    pub(super) count: u32,
    /// The collection they are or were in.
    pub(super) collection: String,
    /// Whether the chunks went rather than came.
    pub(super) removed: bool,
}

impl OutboxRow {
    /// The ordinals concerned.
    pub(super) fn ordinals(&self) -> Range<u32> {
        self.first..self.first + self.count
    }
}

impl Row for OutboxRow {
    type Key = u64;
    const TABLE: &'static str = "search_outbox";
    const INDEXES: &'static [Index<Self>] = &[];

    fn key(&self) -> u64 {
        self.sequence
    }
}

/// Adds this room's tables.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<DocumentRow>().with::<ChunkRow>().with::<VectorRow>().with::<OutboxRow>()
}

/// Takes `count` consecutive ordinals; answers the first.
pub(super) fn take_ordinals(tx: &Write<'_>, count: usize) -> Result<u32, SearchError> {
    let next = tx.counter(NEXT_ORDINAL)?;
    let count = u64::try_from(count.min(CHUNKS_MAX)).map_err(|_| SearchError::Full)?;
    let first = u32::try_from(next).map_err(|_| SearchError::Full)?;
    let after = next + count;
    // The last ordinal stays free, so that a range end is always an ordinal too.
    if after > u64::from(u32::MAX) {
        return Err(SearchError::Full);
    }
    tx.set_mark(NEXT_ORDINAL, &after.to_be_bytes())?;
    Ok(first)
}
