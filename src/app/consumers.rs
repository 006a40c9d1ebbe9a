//! Who follows the change log, and how far each has come.
//!
//! The positions lie in a file of their own, not in the store: they are needed before the store
//! opens, which would otherwise shorten its log, and a position in the log would itself be a change.

use super::data_dir::{DataDir, write_private};
use crate::engine::db::{Db, Hold};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Consumers with a position. Each keeps the log from being shortened.
pub(super) const CONSUMERS_MAX: usize = 16;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A consumer and the last change it has done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) struct Consumer {
    /// Its name.
    pub(super) consumer: String,
    /// Sequence of the last change it has done with.
    pub(super) sequence: u64,
}

/// The positions of one store; survives a restart.
#[derive(Debug)]
pub(super) struct Consumers {
    path: PathBuf,
    positions: Mutex<BTreeMap<String, u64>>,
}

impl Consumers {
    /// Reads the positions. A file that does not read is put aside: what its consumers missed
    /// shows when they resume with the last change they know.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open(dir: &DataDir) -> io::Result<Self> {
        let path = dir.consumers();
        let positions = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(positions) => positions,
                Err(error) => {
                    tracing::warn!(%error, "the positions of change consumers are lost");
                    std::fs::rename(&path, path.with_extension("damaged"))?;
                    BTreeMap::new()
                }
            },
        };
        Ok(Self { path, positions: Mutex::new(positions) })
    }

    /// What must be kept of the log from the first moment on.
    pub(super) fn holders(&self) -> Vec<(String, u64, Hold)> {
        let positions = self.positions();
        positions.iter().map(|(name, at)| (holder(name), *at, Hold::Soft)).collect()
    }

    /// Every consumer, by name.
    pub(super) fn all(&self) -> Vec<Consumer> {
        let consumer = |(name, sequence): (&String, &u64)| Consumer {
            consumer: name.clone(),
            sequence: *sequence,
        };
        self.positions().iter().map(consumer).collect()
    }

    /// How far a consumer has come; `None` for one that is not known.
    pub(super) fn position(&self, name: &str) -> Option<u64> {
        self.positions().get(name).copied()
    }

    /// Moves a consumer, or makes it known, on disk; answers `false` when there are
    /// [`CONSUMERS_MAX`] others. Waits for the disk: not for an async thread.
    ///
    /// # Errors
    /// What the file system says; the position is as it was then.
    pub(super) fn set(&self, db: &Db, name: &str, sequence: u64) -> io::Result<bool> {
        let mut positions = self.positions();
        if positions.len() >= CONSUMERS_MAX && !positions.contains_key(name) {
            return Ok(false);
        }
        let mut moved = positions.clone();
        moved.insert(name.to_owned(), sequence);
        self.store(&moved)?;
        *positions = moved;
        db.keep_log(&holder(name), sequence, Hold::Soft);
        Ok(true)
    }

    /// Forgets a consumer; answers `false` when it was not known.
    ///
    /// # Errors
    /// What the file system says; the consumer is still known then.
    pub(super) fn forget(&self, db: &Db, name: &str) -> io::Result<bool> {
        let mut positions = self.positions();
        let mut left = positions.clone();
        if left.remove(name).is_none() {
            return Ok(false);
        }
        self.store(&left)?;
        *positions = left;
        db.release_log(&holder(name));
        Ok(true)
    }

    fn store(&self, positions: &BTreeMap<String, u64>) -> io::Result<()> {
        write_private(&self.path, &serde_json::to_vec_pretty(positions)?)
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a consumer may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

fn holder(name: &str) -> String {
    format!("consumer {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::db::Schema;

    #[test]
    fn positions_survive_and_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        let db = Db::in_memory(Schema::new()).unwrap();
        let consumers = Consumers::open(&dir).unwrap();
        for n in 0..CONSUMERS_MAX as u64 {
            assert!(consumers.set(&db, &format!("c{n:02}"), n).unwrap());
        }
        assert!(!consumers.set(&db, "one too many", 1).unwrap());
        assert!(consumers.set(&db, "c03", 30).unwrap());
        assert!(consumers.forget(&db, "c00").unwrap() && !consumers.forget(&db, "c00").unwrap());
        let again = Consumers::open(&dir).unwrap();
        assert_eq!(again.all(), consumers.all());
        assert_eq!((again.position("c03"), again.position("c00")), (Some(30), None));
        assert_eq!(again.holders().len(), CONSUMERS_MAX - 1);
    }

    #[test]
    fn damaged_positions_do_not_keep_a_store_shut() {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        std::fs::write(dir.consumers(), "{").unwrap();
        assert_eq!(Consumers::open(&dir).unwrap().all(), []);
        assert!(directory.path().join("consumers.damaged").exists());
    }

    #[test]
    fn names_are_short_words() {
        for name in ["warehouse", "a", "indexer-2.b_c"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "../x", "ü", &"n".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
