//! Backups, the archive of changes, and restores from them.
//!
//! - **Keeps** backup files: everything of one store at one change, each file complete in itself;
//!   and the archive: every change since, so that any time in between can be restored.
//! - **How long**: `keep_days` (30), but never less than the newest good backup; the archive as long
//!   as a kept backup needs it.
//! - **Who may**: administrators have backups made and see which there are; whoever has a file, and
//!   for an encrypted one the master key, can restore it.
//! - **Never** calls a backup made before it was read back, restores a part, overwrites anything,
//!   passes over a gap in silence, or holds more of a store in memory than some chunks.
//!
//! The way of a backup: pin the blobs, take a snapshot of the rows, write both into one file
//! ([`create`]), read that file from end to end ([`verify`]), let go of what is too old. The way of
//! a restore: fill a fresh store beside, read it back, compare ([`restore`]); putting it in place is
//! the caller's.

mod archive;
mod create;
mod desk;
mod error;
mod file;
mod format;
mod http;
mod jobs;
mod read;
mod replay;
mod restore;
mod segment;
mod shelf;
mod source;
mod verify;

#[cfg(test)]
mod tests;

pub use archive::{ARCHIVE_HOLDER, ArchiveFigures, ArchiveLimits, Archiver, archived_until};
pub use create::create;
pub use desk::{Backups, Made, Rules, Shelf, schedule};
pub use error::BackupError;
pub use format::{Manifest, ModelFile, Summary, TableSum};
pub use http::{Doc, routes};
pub use jobs::BackupJob;
pub use read::Unlock;
pub use replay::{NamedBlobs, uploaded_blobs};
pub use restore::{Access, Restored, Target, restore};
pub use shelf::{Listed, list, newest_base, retain};
pub use source::{ARCHIVE_PURPOSE, BACKUP_PURPOSE, Model, RingText, Source};
pub use verify::{Verified, verify};

use std::ops::ControlFlow;
use std::sync::Arc;

/// How far a long step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes done in this stage (of a backup that is read: of the whole file), before compression.
    pub bytes: u64,
}

/// The stages of backups and restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Rows go or come.
    Rows,
    /// Blobs go or come.
    Blobs,
    /// Models and configuration go or come.
    Files,
    /// What was restored is read back.
    Comparing,
    /// Archived changes are applied.
    Replaying,
}

impl Stage {
    /// The stage in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Blobs => "blobs",
            Self::Files => "models and configuration",
            Self::Comparing => "comparing",
            Self::Replaying => "replaying changes",
        }
    }
}

/// Hears of progress, some times a second; a break stops the work, which then leaves nothing.
pub type Tell = Arc<dyn Fn(Progress) -> ControlFlow<()> + Send + Sync>;

/// Hears of progress and says nothing.
pub fn quiet() -> Tell {
    Arc::new(|_| ControlFlow::Continue(()))
}
