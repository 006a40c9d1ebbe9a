//! Backups of a running server: one at a time, proven, kept for their time, made by the clock.

use super::archive::Archiver;
use super::create::create;
use super::error::BackupError;
use super::format::Summary;
use super::read::Unlock;
use super::shelf::{self, Listed, admit, expiry, free_name, retain, sweep};
use super::source::Source;
use super::verify::verify;
use super::{Tell, quiet};
use crate::base::id::EventId;
use crate::base::{Actor, Clock, Ids, Json, Time};
use crate::engine::blob::BlobInfo;
use crate::engine::db::{DbError, Write};
use crate::engine::key::Keys;
use crate::ops::{audit, event};
use futures_util::TryStreamExt;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a scheduled backup failed, the next attempt.
const AGAIN_MS: i64 = 15 * 60 * 1000;
/// How scheduled backups show in the audit trail.
const SCHEDULE: Actor = Actor::System("backup schedule");

/// When backups are made, and how long they stay.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Milliseconds between two scheduled backups; none makes no scheduled ones.
    pub every_ms: Option<i64>,
    /// How long a backup stays.
    pub keep_days: u32,
    /// Bytes that a backup leaves free.
    pub floor_bytes: u64,
}

impl Default for Rules {
    /// Daily, for 30 days, leaving 1 GiB free.
    fn default() -> Self {
        Self { every_ms: Some(24 * 60 * 60 * 1000), keep_days: 30, floor_bytes: 1 << 30 }
    }
}

/// Where the backups of a server lie, and what opens them.
#[derive(Clone)]
pub struct Shelf {
    /// The directory.
    pub directory: PathBuf,
    /// The data keys of an encrypted store.
    pub keys: Option<Keys>,
    /// When and how long.
    pub rules: Rules,
}

/// What the routes, the job and the schedule work with; cheap to clone.
#[derive(Clone)]
pub struct Backups {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    shelf: Shelf,
    archiver: Option<Arc<Archiver>>,
    /// One backup at a time.
    turn: tokio::sync::Mutex<()>,
}

/// A backup that was made and read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// What it holds.
    pub summary: Summary,
}

impl Made {
    /// Name of the file.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Backups {
    /// Joins a store, a place for its backups, and its archive.
    pub fn new(source: Source, shelf: Shelf, archiver: Option<Arc<Archiver>>) -> Self {
        let turn = tokio::sync::Mutex::default();
        Self { inner: Arc::new(Inner { source, shelf, archiver, turn }) }
    }

    /// The backups that there are, newest first.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub async fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let directory = self.inner.shelf.directory.clone();
        let listed = tokio::task::spawn_blocking(move || shelf::list(&directory));
        listed.await.map_err(|_| BackupError::Stopped)?
    }

    /// Makes a backup, reads it back, and removes what is too old.
    ///
    /// # Errors
    /// [`BackupError::NoSpace`] before anything is written, or what fails; a backup that could not
    /// be read back is removed.
    pub async fn make(&self, now: Time, tell: &Tell) -> Result<Made, BackupError> {
        let Inner { source, shelf, turn, .. } = &*self.inner;
        let _turn = turn.lock().await;
        let (place, encrypted) = (shelf.clone(), source.keyring.is_some());
        let first_bytes = self.content_bytes().await?;
        let path = blocking(move || {
            let path = free_name(&place.directory, now, encrypted)?;
            sweep(&place.directory)?;
            admit(&place.directory, first_bytes, place.rules.floor_bytes)?;
            Ok(path)
        });
        let path = path.await?;
        create(source, &path, now, tell).await?;
        let (place, made, tell) = (shelf.clone(), path.clone(), Arc::clone(tell));
        let verified = blocking(move || {
            let unlock = place.keys.as_ref().map_or(Unlock::Nothing, Unlock::Keys);
            verify(&made, unlock, &tell).inspect_err(|_| remove(&made))
        });
        let verified = verified.await?;
        if let Err(error) = self.tidy(&path, now).await {
            tracing::warn!(%error, "old backups could not be removed");
        }
        Ok(Made { path, size_bytes: verified.size_bytes, summary: verified.summary })
    }

    /// What a backup holds before compression, about.
    async fn content_bytes(&self) -> Result<u64, BackupError> {
        let source = &self.inner.source;
        let rows = source.db.space()?.live_bytes;
        let add = |sum: u64, blob: BlobInfo| async move { Ok(sum + blob.size_bytes) };
        Ok(source.blobs.walk(None).try_fold(rows, add).await?)
    }

    /// Removes what is too old; the backup just made is a good one.
    async fn tidy(&self, good: &Path, now: Time) -> Result<(), BackupError> {
        let Inner { source, shelf, archiver, .. } = &*self.inner;
        let (place, good, store_id) = (shelf.clone(), good.to_owned(), source.store_id.clone());
        let kept = blocking(move || {
            let Shelf { directory, keys, rules } = place;
            let mut is_good = |path: &Path| {
                let unlock = keys.as_ref().map_or(Unlock::Nothing, Unlock::Keys);
                path == good || verify(path, unlock, &quiet()).is_ok()
            };
            let removed = retain(&directory, rules.keep_days, now, &mut is_good)?;
            if removed > 0 {
                tracing::info!(removed, "backups that were too old are removed");
            }
            let kept = shelf::list(&directory)?.into_iter().filter_map(|listed| listed.manifest);
            Ok(kept.collect::<Vec<_>>())
        });
        let kept = kept.await?;
        let Some(archiver) = archiver else { return Ok(()) };
        let ours = kept.iter().filter(|manifest| manifest.store_id == store_id);
        let oldest = ours.map(|manifest| (manifest.sequence, manifest.created_at)).min();
        if let Some((sequence, created_at)) = oldest {
            archiver.trim(sequence, created_at).await?;
        }
        let ids: Vec<String> = kept.into_iter().map(|manifest| manifest.store_id).collect();
        let (archiver, until) = (Arc::clone(archiver), expiry(shelf.rules.keep_days, now));
        blocking(move || archiver.trim_histories(&ids, until).map(drop)).await
    }

    /// Makes a backup for the schedule, with its audit entry.
    async fn make_scheduled(&self, now: Time, event_id: EventId) -> Result<Made, BackupError> {
        let made = self.make(now, &quiet()).await?;
        let entry = entry(event_id, now, SCHEDULE.label(), &made.name(), Some(&made));
        let recorded = self.inner.source.db.write(move |tx: &Write<'_>| {
            audit::record(tx, entry.clone())?;
            Ok::<_, DbError>(())
        });
        recorded.await?;
        Ok(made)
    }

    /// When the next scheduled backup is due; none without a schedule.
    async fn due(&self) -> Result<Option<Time>, BackupError> {
        let Some(every_ms) = self.inner.shelf.rules.every_ms else { return Ok(None) };
        let ours = |manifest: &super::Manifest| manifest.store_id == self.inner.source.store_id;
        let manifests = self.list().await?.into_iter().filter_map(|listed| listed.manifest);
        let newest = manifests.filter(ours).map(|manifest| manifest.created_at).max();
        Ok(Some(newest.map_or(Time::default(), |newest| newest.plus_ms(every_ms))))
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::error!(%error, path = %path.display(), "a bad backup could not be removed");
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| BackupError::Stopped)?
}

/// Makes backups when they are due, until told to stop. One that fails is tried again later and
/// said in the log.
pub async fn schedule(backups: Backups, clock: Clock, ids: Ids, mut halted: watch::Receiver<bool>) {
    let mut not_before = Time::default();
    while !*halted.borrow() {
        let now = clock.now();
        let due = backups.due().await;
        if let Err(error) = &due {
            tracing::warn!(%error, "the backups cannot be listed");
        }
        if now >= not_before && due.ok().flatten().is_some_and(|due| due <= now) {
            let made = tokio::select! {
                made = backups.make_scheduled(now, ids.next(now)) => Some(made),
                () = told(&mut halted) => None,
            };
            match made {
                Some(Ok(made)) => {
                    let (name, size_bytes) = (made.name(), made.size_bytes);
                    tracing::info!(name, size_bytes, "a backup was made and read back");
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "no backup was made; it is tried again");
                    not_before = now.plus_ms(AGAIN_MS);
                }
                None => return,
            }
        }
        tokio::select! {
            () = told(&mut halted) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Waits until a stop is asked for, or nobody is left who could.
async fn told(halted: &mut watch::Receiver<bool>) {
    // An error is the same news.
    let _ = halted.wait_for(|halted| *halted).await;
}

/// What the audit trail says of a backup.
#[derive(Serialize)]
struct Details {
    sequence: Option<u64>,
    size_bytes: Option<u64>,
    rows: Option<u64>,
    blobs: Option<u64>,
}

/// An entry of the audit trail: a backup was made, or was to be made and was not.
pub(super) fn entry(
    event_id: EventId,
    at: Time,
    actor: String,
    resource_id: &str,
    made: Option<&Made>,
) -> audit::Entry {
    let details = Details {
        sequence: made.map(|made| made.summary.manifest.sequence),
        size_bytes: made.map(|made| made.size_bytes),
        rows: made.map(|made| made.summary.rows()),
        blobs: made.map(|made| made.summary.blobs),
    };
    audit::Entry {
        event_id,
        at,
        actor,
        event_type: event::BACKUP_CREATED,
        category: audit::Category::Administration,
        resource_type: "backup",
        resource_id: resource_id.to_owned(),
        details: Json::from_value(&details).unwrap_or_default(),
        address: None,
        success: made.is_some(),
    }
}
