//! What the backup room works with: the parts of a store, and where its backups and archive lie.

use super::config::Config;
use super::data_dir::{DataDir, Format};
use super::store::{OpenError, seal};
use crate::backup::{
    ARCHIVE_PURPOSE, ArchiveLimits, Archiver, BACKUP_PURPOSE, BackupError, Backups, Model,
    RingText, Rules, Shelf, Source,
};
use crate::base::Time;
use crate::engine::blob::Blobs;
use crate::engine::db::Db;
use crate::engine::key::Keys;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Where backups are kept.
pub(super) fn shelf_of(config: &Config, dir: &DataDir) -> PathBuf {
    Some(config.backup.dir.clone()).filter(|p| !p.as_os_str().is_empty()).unwrap_or(dir.backups())
}

/// Where the archive is kept.
pub(super) fn archive_of(config: &Config, dir: &DataDir) -> PathBuf {
    Some(config.archive.dir.clone()).filter(|p| !p.as_os_str().is_empty()).unwrap_or(dir.archive())
}

/// An open store, as far as backups need it.
pub(super) struct StoreParts<'a> {
    pub(super) dir: &'a DataDir,
    pub(super) format: &'a Format,
    pub(super) keys: Option<&'a Keys>,
    pub(super) db: &'a Db,
    pub(super) blobs: &'a Blobs,
}

impl StoreParts<'_> {
    fn source(&self, config: &Config) -> Result<Source, OpenError> {
        let keyring = match self.keys {
            Some(_) => {
                let path = self.dir.keyring();
                let damaged = |e| OpenError::Damaged(format!("{}: {e}", path.display()));
                Some(RingText::new(std::fs::read_to_string(&path).map_err(damaged)?))
            }
            None => None,
        };
        let name = config.search.model.clone();
        let path = config.search.models_dir.join(&name);
        let model = path.is_dir().then_some(Model { name, path, carried: true });
        Ok(Source {
            db: self.db.clone(),
            blobs: self.blobs.clone(),
            keyring,
            seal: seal(self.keys, BACKUP_PURPOSE),
            store_id: self.format.store_id.clone(),
            // The master key is no part of what is written.
            config_toml: toml::to_string(config).unwrap_or_default(),
            models: model.into_iter().collect(),
        })
    }

    /// The backups of the store without its archive: for one backup of a closed store.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] when the wrapped keys cannot be read.
    pub(super) fn backups(&self, config: &Config) -> Result<Backups, OpenError> {
        Ok(Backups::new(self.source(config)?, self.shelf(config), None))
    }

    /// The backups of the store and its archive, when one is to be written.
    ///
    /// # Errors
    /// [`BackupError`] when the archive cannot be read, [`OpenError`] as [`StoreParts::backups`].
    pub(super) fn with_archive(&self, config: &Config, now: Time) -> Result<Backups, ArchiveError> {
        let source = self.source(config)?;
        let archiver = if config.archive.every_seconds == 0 {
            None
        } else {
            let limits = ArchiveLimits {
                every_ms: i64::from(config.archive.every_seconds) * 1000,
                segment_bytes: usize::from(config.archive.segment_mib.max(1)) << 20,
            };
            let (place, seal) = (archive_of(config, self.dir), seal(self.keys, ARCHIVE_PURPOSE));
            Some(Arc::new(Archiver::open(&source, &place, seal, limits, now)?))
        };
        Ok(Backups::new(source, self.shelf(config), archiver))
    }

    fn shelf(&self, config: &Config) -> Shelf {
        let every_hours = i64::from(config.backup.every_hours);
        let rules = Rules {
            every_ms: (every_hours > 0).then_some(every_hours * HOUR_MS),
            keep_days: config.backup.keep_days.into(),
            floor_bytes: config.disk.floor_bytes(),
        };
        Shelf { directory: shelf_of(config, self.dir), keys: self.keys.cloned(), rules }
    }
}

/// The archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store says so.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The archive says so.
    #[error("the archive cannot be used: {0}")]
    Archive(#[from] BackupError),
}

/// How old the newest backup is, and how far the archive is behind.
#[derive(Clone)]
pub(super) struct Safety {
    backups: Backups,
    store_id: String,
    /// When the newest backup was made, in microseconds; [`NONE`] when there is none.
    newest_us: Arc<AtomicI64>,
}

/// Stands for "no backup".
const NONE: i64 = i64::MIN;
/// Between two looks at the backups there are.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Safety {
    /// Knows of no backup until [`Safety::watch`] has looked.
    pub(super) fn new(backups: Backups, store_id: String) -> Self {
        Self { backups, store_id, newest_us: Arc::new(AtomicI64::new(NONE)) }
    }

    /// Milliseconds of commits that the archive lacks; `None` without an archive.
    pub(super) fn archive_lag_ms(&self, now: Time) -> Option<i64> {
        Some(self.backups.archiver()?.figures(now).rpo_ms)
    }

    /// Changes that the archive had to leave out.
    pub(super) fn archive_skipped(&self, now: Time) -> u64 {
        self.backups.archiver().map_or(0, |archiver| archiver.figures(now).skipped)
    }

    /// When the newest backup of this store was made.
    pub(super) fn newest_backup(&self) -> Option<Time> {
        let us = self.newest_us.load(Ordering::SeqCst);
        (us != NONE).then(|| Time::from_unix_us(us))
    }

    /// Looks at the backups there are until told to stop: each scrape would read all their heads.
    pub(super) async fn watch(self, mut halted: watch::Receiver<bool>) {
        while !*halted.borrow() {
            self.look().await;
            tokio::select! {
                // Without a sender nobody could ever say stop.
                told = halted.changed() => if told.is_err() { return },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Looks once.
    pub(super) async fn look(&self) {
        match self.backups.list().await {
            Ok(listed) => {
                let manifests = listed.into_iter().filter_map(|listed| listed.manifest);
                let ours = manifests.filter(|manifest| manifest.store_id == self.store_id);
                let newest = ours.map(|manifest| manifest.created_at.unix_us()).max();
                self.newest_us.store(newest.unwrap_or(NONE), Ordering::SeqCst);
            }
            Err(error) => tracing::warn!(%error, "the backups cannot be listed"),
        }
    }
}
