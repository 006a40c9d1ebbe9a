//! What a backup is made of.

use crate::engine::blob::Blobs;
use crate::engine::db::Db;
use crate::engine::key::Seal;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Purpose of the seal of backup files, for `Keys::seal`.
pub const BACKUP_PURPOSE: &str = "backup";
/// Purpose of the seal of the archive's log, for `Keys::seal`.
pub const ARCHIVE_PURPOSE: &str = "archive";

/// The parts of a running store; cheap enough to clone.
#[derive(Clone)]
pub struct Source {
    /// The rows.
    pub db: Db,
    /// The blobs.
    pub blobs: Blobs,
    /// The wrapped data keys; none for a plain store.
    pub keyring: Option<RingText>,
    /// Seal of backups: `keys.seal(BACKUP_PURPOSE)`, or [`Seal::checked`] for a plain store.
    pub seal: Seal,
    /// The store.
    pub store_id: String,
    /// The configuration, as it is kept with the backup.
    pub config_toml: String,
    /// Models that the backup names or holds.
    pub models: Vec<Model>,
}

/// The wrapped data keys as `keyring.json` has them. Cloning gives another handle to the same text:
/// when the master key is rotated, what is made from then on opens with the new one.
#[derive(Debug, Clone)]
pub struct RingText(Arc<RwLock<String>>);

impl RingText {
    /// The JSON of a key ring.
    pub fn new(json: String) -> Self {
        Self(Arc::new(RwLock::new(json)))
    }

    /// Puts the JSON of the same data keys under another master key in its place.
    pub fn replace(&self, json: String) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = json;
    }

    /// The JSON.
    pub fn get(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A model on disk.
#[derive(Debug, Clone)]
pub struct Model {
    /// Name of its folder.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Whether its files go into the backup; otherwise only their names and hashes do.
    pub carried: bool,
}
