//! What can go wrong with a document, and what a caller may be told.

use crate::base::{Class, Classify, FieldError};
use crate::engine::db::DbError;
use crate::jobs::JobsError;
use crate::search::SearchError;

/// A failure of the knowledge base.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// No such document for this caller.
    #[error("no such document")]
    Missing,
    /// Fields of the document are wrong.
    #[error("the document is not valid: {}", told(.0))]
    Invalid(Vec<FieldError>),
    /// The file is of a kind that cannot be read as text.
    #[error("{0}")]
    NotText(String),
    /// The document changed since the caller read it.
    #[error("version {expected} was expected and version {actual} was found")]
    Version {
        /// What the caller had.
        expected: u64,
        /// What is stored.
        actual: u64,
    },
    /// The person has as many documents as one may have.
    #[error("a knowledge base holds at most {0} documents")]
    TooMany(usize),
    /// Searching or indexing failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The job of indexing could not be queued.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

fn told(fields: &[FieldError]) -> String {
    let told = fields.iter().map(|field| format!("{} {}", field.field, field.message));
    told.collect::<Vec<_>>().join("; ")
}

impl Classify for KnowledgeError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Missing => (Class::Missing, "document_missing"),
            Self::Invalid(_) => (Class::Invalid, "invalid_document"),
            Self::NotText(_) => (Class::Unsupported, "document_not_text"),
            Self::Version { .. } => (Class::Precondition, "version_mismatch"),
            Self::TooMany(_) => (Class::Conflict, "too_many_documents"),
            Self::Search(error) => error.class(),
            Self::Jobs(error) => error.class(),
            Self::Storage(error) => error.class(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }
}
