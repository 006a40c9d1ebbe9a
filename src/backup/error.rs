//! What can go wrong with a backup, an archive or a restore.

use crate::base::{Class, Classify, Time};
use crate::engine::blob::BlobError;
use crate::engine::db::DbError;
use crate::engine::key::KeyError;
use crate::jobs::JobsError;
use crate::search::SearchError;
use std::io;
use std::path::Path;

/// A failure of a backup, an archive or a restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is of another kind.
    #[error("{0} is not a backup")]
    NotABackup(String),
    /// The file is not as it was written.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// A later version of the program made the file.
    #[error("the backup has format {0}, which a later version of the program made")]
    Format(u32),
    /// The backup is encrypted and no key was given.
    #[error("the backup is encrypted; its master key is needed")]
    KeyNeeded,
    /// The key does not open the backup.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was restored is not what was backed up.
    #[error("the restored store differs from the backup: {0}")]
    Differs(String),
    /// The archive does not reach from the backup to the time asked for.
    #[error(
        "the archive lacks the changes {from} to {until}; the latest time that can be reached is \
         {reachable}"
    )]
    Gap {
        /// First change that is missing.
        from: u64,
        /// Last change that is missing.
        until: u64,
        /// Time of the last change before the gap.
        reachable: Time,
    },
    /// A file of the archive is not as it was written.
    #[error("the archive is damaged: {0}")]
    Archive(String),
    /// There is no backup that is old enough.
    #[error("no backup was made before {0}")]
    NoBase(Time),
    /// The backup holds changes that came after the time asked for.
    #[error("the backup holds changes until {holds}, which is after {asked}")]
    TooLate {
        /// Time of the last change in the backup.
        holds: Time,
        /// Time asked for.
        asked: Time,
    },
    /// Something is where the backup or the restored store should go.
    #[error("{0} exists already; nothing was overwritten")]
    Occupied(String),
    /// The disk has too little room for another backup.
    #[error(
        "a backup of about {needed_bytes} bytes would leave less than the floor of {floor_bytes} \
         bytes free; {free_bytes} are free"
    )]
    NoSpace {
        /// What the backup will take.
        needed_bytes: u64,
        /// What must stay free.
        floor_bytes: u64,
        /// What is free.
        free_bytes: u64,
    },
    /// The caller asked for a stop.
    #[error("the work was stopped")]
    Stopped,
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The blobs failed.
    #[error("blobs: {0}")]
    Blobs(#[from] BlobError),
    /// The search room failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The job could not be queued or completed.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

impl BackupError {
    /// A failure of the system on a file.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File { path: path.display().to_string(), cause }
    }

    /// A failure while a backup is decoded: of the system when it has a number, otherwise damage.
    pub(super) fn decoding(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.raw_os_error() {
            Some(_) => Self::file(path)(cause),
            None => Self::Damaged(cause.to_string()),
        }
    }
}

impl Classify for BackupError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::NotABackup(_) => (Class::Invalid, "backup_unknown"),
            Self::Damaged(_) => (Class::Broken, "backup_damaged"),
            Self::Format(_) => (Class::Invalid, "backup_format"),
            Self::KeyNeeded => (Class::Invalid, "backup_key_needed"),
            Self::Key(_) => (Class::Invalid, "backup_key"),
            Self::Differs(_) => (Class::Broken, "backup_differs"),
            Self::Gap { .. } => (Class::Conflict, "archive_gap"),
            Self::Archive(_) => (Class::Broken, "archive_damaged"),
            Self::NoBase(_) => (Class::Missing, "backup_missing"),
            Self::TooLate { .. } => (Class::Conflict, "backup_too_late"),
            Self::Occupied(_) => (Class::Conflict, "backup_occupied"),
            Self::NoSpace { .. } => (Class::Full, "backup_no_space"),
            Self::Stopped => (Class::Conflict, "backup_stopped"),
            Self::File { cause, .. }
                if matches!(
                    cause.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                (Class::Full, "backup_no_space")
            }
            Self::File { .. } => (Class::Broken, "backup_file"),
            Self::Blobs(error) => error.class(),
            Self::Search(error) => error.class(),
            Self::Jobs(error) => error.class(),
            Self::Storage(error) => error.class(),
        }
    }
}
