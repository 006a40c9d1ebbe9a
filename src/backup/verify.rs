//! Proving a backup without restoring it.

use super::Tell;
use super::error::BackupError;
use super::format::{Manifest, Summary};
use super::read::{Sink, Unlock, open};
use crate::engine::blob::BlobKey;
use std::io::Read;
use std::path::Path;

/// What a good backup holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Its last member.
    pub summary: Summary,
    /// Length of the file in bytes.
    pub size_bytes: u64,
}

/// Reads a backup from its first byte to its last and compares everything with its sums. Takes as
/// long as reading the file and unpacking it; not for an async thread.
///
/// # Errors
/// [`BackupError::Damaged`] and whatever else keeps it from being restored.
pub fn verify(path: &Path, unlock: Unlock<'_>, tell: &Tell) -> Result<Verified, BackupError> {
    let opened = open(path)?;
    let keys = opened.access(unlock)?.keys;
    let summary = opened.read(path, keys.as_ref(), tell, &mut Nowhere)?;
    let size_bytes = path.metadata().map_err(BackupError::file(path))?.len();
    Ok(Verified { summary, size_bytes })
}

/// Takes nothing; the reader compares all the same.
struct Nowhere;

impl Sink for Nowhere {
    fn begin(&mut self, _: &Manifest) -> Result<(), BackupError> {
        Ok(())
    }

    fn rows(&mut self, _: &str, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn blob(&mut self, _: &BlobKey, _: &mut dyn Read) -> Result<(), BackupError> {
        Ok(())
    }

    fn file(&mut self, _: &str, _: &mut dyn Read) -> Result<(), BackupError> {
        Ok(())
    }

    fn batch(&mut self, _: &str) -> Result<(), BackupError> {
        Ok(())
    }
}
