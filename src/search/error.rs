//! What can go wrong in search, and what a caller may be told.

use super::chunk::{CHUNKS_MAX, DOCUMENT_BYTES_MAX};
use crate::base::{Class, Classify};
use crate::engine::db::DbError;
use crate::engine::embed::EmbedError;
use crate::engine::text::TextError;
use crate::engine::vector::VectorError;

/// A failure of search.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The document would make too many chunks.
    #[error(
        "a document of {bytes} bytes is too long to index; {DOCUMENT_BYTES_MAX} bytes and \
         {CHUNKS_MAX} passages are possible"
    )]
    DocumentTooLong {
        /// Size of the document.
        bytes: usize,
    },
    /// Every ordinal has been used.
    #[error("no further passage can be stored in this index")]
    Full,
    /// The query has no words, or too many.
    #[error("a query has 1 to {QUERY_BYTES_MAX} bytes")]
    Query,
    /// More hits are asked for than one answer holds.
    #[error("k is 1 to {K_MAX}")]
    TooManyHits,
    /// Sparse search needs a model that makes lexical weights.
    #[error("mode sparse needs the model bge-m3; possible here: {0}")]
    NoSparse(&'static str),
    /// Dense search needs a model, and none is loaded.
    #[error("mode dense needs an embedding model and none is loaded; possible here: lexical")]
    NoModel,
    /// The model failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The vector engine refused a vector.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// The text engine failed.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
    /// A blocking task was lost: the runtime is shutting down.
    #[error("the search workers have stopped")]
    Stopped,
}

/// Longest query in bytes; clients send at most 1,000 characters.
pub const QUERY_BYTES_MAX: usize = 4096;
/// Most hits of one answer.
pub const K_MAX: usize = 100;

impl Classify for SearchError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::DocumentTooLong { .. } => (Class::TooLarge, "document_too_long"),
            Self::Full => (Class::Full, "index_full"),
            Self::Query => (Class::Invalid, "query_length"),
            Self::TooManyHits => (Class::Invalid, "k_out_of_range"),
            Self::NoSparse(_) => (Class::Invalid, "mode_unavailable"),
            Self::NoModel => (Class::Unavailable, "model_not_loaded"),
            Self::Embed(error) => error.class(),
            Self::Vector(error) => error.class(),
            Self::Text(error) => error.class(),
            Self::Storage(error) => error.class(),
            Self::Stopped => (Class::Unavailable, "shutting_down"),
        }
    }
}
