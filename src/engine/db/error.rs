//! What can go wrong in the store.

use super::pages::is_full;
use crate::base::{Class, Classify};
use std::io;
use std::sync::Arc;

/// A failure of the transactional store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// Another row already has this unique index key.
    #[error("another row has the same {index}")]
    Unique {
        /// Name of the index.
        index: &'static str,
    },
    /// The row refers to a parent that does not exist.
    #[error("a row of {table} refers to a missing row of {parent}")]
    Orphan {
        /// Table of the refused row.
        table: &'static str,
        /// Table in which the parent is missing.
        parent: &'static str,
    },
    /// Stored bytes do not decode.
    #[error("a row of {table} does not decode: {detail}")]
    Decode {
        /// Table of the row.
        table: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// Another process has the store open.
    #[error("another process has the store open")]
    InUse,
    /// The storage engine failed.
    #[error("storage failed: {0}")]
    Storage(Arc<redb::Error>),
    /// A commit failed earlier; writes are refused until the store is opened again.
    #[error("the store is read-only since a commit failed: {0}")]
    Poisoned(String),
    /// The disk is full: nothing was stored, and deletes still work.
    #[error("the disk is full")]
    Full,
    /// The change is on disk, but the store file has no room to show it: it appears with the first
    /// write after there is space again, or when the store is opened again.
    #[error("the change is stored and will be seen once the disk has space again")]
    Unseen,
    /// The log reached its limit because the archive does not keep up: nothing was stored.
    #[error("the change log is full: the archive does not keep up with it")]
    LogFull,
    /// Changes asked for are in the log no more.
    #[error("the change log begins at change {oldest}")]
    LogGone {
        /// Sequence of the first change that can be had.
        oldest: u64,
    },
    /// What is stored is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The closure panicked; nothing of it was stored.
    #[error("a write panicked: {0}")]
    Panicked(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl Classify for DbError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Unique { .. } => (Class::Conflict, "already_exists"),
            Self::Orphan { .. } => (Class::Missing, "parent_missing"),
            Self::Decode { .. } | Self::Storage(_) | Self::Panicked(_) => {
                (Class::Broken, "storage")
            }
            Self::Damaged(_) => (Class::Broken, "store_damaged"),
            Self::Full => (Class::Full, "disk_full"),
            Self::LogFull => (Class::Full, "change_log_full"),
            Self::LogGone { .. } => (Class::Gone, "changes_gone"),
            Self::Poisoned(_) => (Class::Unavailable, "store_read_only"),
            Self::Unseen => (Class::Unavailable, "stored_not_shown"),
            Self::Closed => (Class::Unavailable, "shutting_down"),
            Self::InUse => (Class::Unavailable, "store_in_use"),
        }
    }
}

impl DbError {
    /// A failure of the operating system.
    pub(super) fn io(error: io::Error) -> Self {
        Self::Storage(Arc::new(redb::Error::Io(error)))
    }

    /// As [`DbError::io`], for a step that leaves nothing behind when the disk is full.
    pub(super) fn full_or_io(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::io(error) }
    }
}

macro_rules! from_redb {
    ($($kind:ty),*) => {$(
        impl From<$kind> for DbError {
            fn from(error: $kind) -> Self {
                Self::Storage(Arc::new(error.into()))
            }
        }
    )*};
}

impl From<redb::DatabaseError> for DbError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Storage(Arc::new(error.into())),
        }
    }
}

from_redb!(
    redb::Error,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError
);
