//! What can go wrong with an upload.

use crate::base::{Class, Classify, FieldError};
use crate::cases::CaseError;
use crate::engine::blob::BlobError;
use crate::engine::db::DbError;
use crate::jobs::JobsError;

/// A failure of an upload or of reading one.
#[derive(Debug, thiserror::Error)]
pub enum UploadsError {
    /// The file is larger than the limit.
    #[error("the file is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The request is not `multipart/form-data`.
    #[error("send the file as multipart/form-data")]
    NotMultipart,
    /// The multipart body is damaged or ends early.
    #[error("the multipart body cannot be read: {0}")]
    Malformed(String),
    /// The body stopped coming, or took too long as a whole.
    #[error("the multipart body stopped coming")]
    Stalled,
    /// A field is missing, double or wrong.
    #[error("{message}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Too many uploads at the same time.
    #[error("too many uploads are in progress")]
    Busy,
    /// Another analysis of the case stored its findings first; this one must run again.
    #[error("another analysis of this case finished meanwhile")]
    Overtaken,
    /// The case refused.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The queue refused.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The bytes could not be stored or read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

impl Classify for UploadsError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::TooLarge { .. } => (Class::TooLarge, "file_too_large"),
            Self::NotMultipart => (Class::Unsupported, "multipart_required"),
            Self::Malformed(_) => (Class::Malformed, "multipart_malformed"),
            Self::Stalled => (Class::Malformed, "multipart_stalled"),
            Self::Field { .. } => (Class::Invalid, "invalid_field"),
            Self::Busy => (Class::Unavailable, "uploads_busy"),
            Self::Overtaken => (Class::Unavailable, "analysis_overtaken"),
            Self::Case(error) => error.class(),
            Self::Jobs(error) => error.class(),
            Self::Blob(error) => error.class(),
            Self::Storage(error) => error.class(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Field { field, message } => vec![FieldError::new(*field, message)],
            Self::Case(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}
