//! Backups of a running server: one at a time, proven, kept for their time, made by the clock.

use super::archive::Archiver;
use super::create::create;
use super::error::BackupError;
use super::file::make_private;
use super::format::Summary;
use super::read::Unlock;
use super::shelf::{self, Listed, admit, expiry, free_name, retain, sweep};
use super::source::{RingText, Source};
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
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a scheduled backup failed, the next attempt.
const AGAIN_MS: i64 = 15 * 60 * 1000;
/// Between two looks for what is too old.
const TIDY_EVERY_MS: i64 = 60 * 60 * 1000;
/// Blobs written this long before a backup are in it for certain: an upload may take its time
/// between its last byte and its end.
const BLOB_SLACK_MS: i64 = 24 * 60 * 60 * 1000;
/// The same while the disk is full.
const BLOB_SLACK_FULL_MS: i64 = 60 * 60 * 1000;
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
    proofs: Proofs,
}

/// Which files were read from end to end, and whether they were good: reading them takes minutes.
#[derive(Clone, Default)]
struct Proofs(Arc<Mutex<BTreeMap<Known, bool>>>);

/// A file as it was when it was read: path, length and time of the last write.
type Known = (PathBuf, u64, SystemTime);

impl Proofs {
    fn is_good(&self, path: &Path, keys: Option<&Keys>) -> bool {
        let known = known(path);
        let proofs = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(good) = known.as_ref().and_then(|known| proofs().get(known).copied()) {
            return good;
        }
        let good = verify(path, keys.map_or(Unlock::Nothing, Unlock::Keys), &quiet()).is_ok();
        if let Some(known) = known {
            proofs().insert(known, good);
        }
        good
    }

    fn good(&self, path: &Path) {
        let mut proofs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.retain(|(path, ..), _| path.exists());
        proofs.extend(known(path).map(|known| (known, true)));
    }
}

fn known(path: &Path) -> Option<Known> {
    let metadata = path.metadata().ok()?;
    Some((path.to_owned(), metadata.len(), metadata.modified().ok()?))
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
        Self { inner: Arc::new(Inner { source, shelf, archiver, turn, proofs: Proofs::default() }) }
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

    /// The archive, when one is written.
    pub fn archiver(&self) -> Option<&Arc<Archiver>> {
        self.inner.archiver.as_ref()
    }

    /// The wrapped data keys that go into the next backup; none for a plain store.
    pub fn keyring(&self) -> Option<&RingText> {
        self.inner.source.keyring.as_ref()
    }

    /// Makes a backup in a file of the caller's choice, which must not exist, and reads it back.
    /// Nothing is removed for it, and it is never removed by itself.
    ///
    /// # Errors
    /// [`BackupError::Occupied`], or what fails; a backup that could not be read back is removed.
    pub async fn make_at(
        &self,
        output: &Path,
        now: Time,
        tell: &Tell,
    ) -> Result<Made, BackupError> {
        let _turn = self.inner.turn.lock().await;
        self.write(&self.inner.source, output.to_owned(), now, tell).await
    }

    async fn write(
        &self,
        source: &Source,
        path: PathBuf,
        now: Time,
        tell: &Tell,
    ) -> Result<Made, BackupError> {
        create(source, &path, now, tell).await?;
        let (place, made, tell) = (self.inner.shelf.clone(), path.clone(), Arc::clone(tell));
        let verified = blocking(move || {
            let unlock = place.keys.as_ref().map_or(Unlock::Nothing, Unlock::Keys);
            verify(&made, unlock, &tell).inspect_err(|_| remove(&made))
        });
        let verified = verified.await?;
        Ok(Made { path, size_bytes: verified.size_bytes, summary: verified.summary })
    }

    /// Makes a backup, reads it back, and removes what is too old.
    ///
    /// # Errors
    /// [`BackupError::NoSpace`] before anything is written, or what fails; a backup that could not
    /// be read back is removed.
    pub async fn make(&self, now: Time, tell: &Tell) -> Result<Made, BackupError> {
        self.make_of(&self.inner.source, now, tell).await
    }

    async fn make_of(&self, source: &Source, now: Time, tell: &Tell) -> Result<Made, BackupError> {
        let Inner { shelf, turn, .. } = &*self.inner;
        let _turn = turn.lock().await;
        self.find_room(now).await?;
        let (place, encrypted) = (shelf.clone(), source.keyring.is_some());
        let path = blocking(move || free_name(&place.directory, now, encrypted)).await?;
        let made = self.write(source, path, now, tell).await?;
        self.inner.proofs.good(&made.path);
        if let Some(archiver) = &self.inner.archiver {
            archiver.follows(made.summary.manifest.sequence);
        }
        if let Err(error) = self.let_go(now, false).await {
            tracing::warn!(%error, "old backups could not be removed");
        }
        Ok(made)
    }

    /// Whether there is room for another backup; where there is none, what is too old goes first.
    async fn find_room(&self, now: Time) -> Result<(), BackupError> {
        let content_bytes = self.content_bytes().await?;
        let place = self.inner.shelf.clone();
        let admitted = move || {
            make_private(&place.directory)?;
            sweep(&place.directory)?;
            admit(&place.directory, content_bytes, place.rules.floor_bytes)
        };
        match blocking(admitted.clone()).await {
            Err(BackupError::NoSpace { .. }) => {
                self.let_go(now, self.inner.source.db.is_full()).await?;
                blocking(admitted).await
            }
            answer => answer,
        }
    }

    /// Removes what is too old without making a backup. On a `full` disk also half-written backups,
    /// and the archive up to the newest good backup: times before it can then be restored only as
    /// the backups have them.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub async fn tidy(&self, now: Time, full: bool) -> Result<(), BackupError> {
        let _turn = self.inner.turn.lock().await;
        if full {
            let directory = self.inner.shelf.directory.clone();
            blocking(move || sweep(&directory)).await?;
        }
        self.let_go(now, full).await
    }

    /// What a backup holds before compression, about.
    async fn content_bytes(&self) -> Result<u64, BackupError> {
        let source = &self.inner.source;
        let rows = source.db.space()?.live_bytes;
        let add = |sum: u64, blob: BlobInfo| async move { Ok(sum + blob.size_bytes) };
        Ok(source.blobs.walk(None).try_fold(rows, add).await?)
    }

    /// Removes what is too old, and on a `full` disk what is not needed after the newest good backup.
    async fn let_go(&self, now: Time, full: bool) -> Result<(), BackupError> {
        let Inner { source, shelf, archiver, proofs, .. } = &*self.inner;
        let (place, proofs, store_id) = (shelf.clone(), proofs.clone(), source.store_id.clone());
        let found = blocking(move || {
            let Shelf { directory, keys, rules } = place;
            let mut is_good = |path: &Path| proofs.is_good(path, keys.as_ref());
            let removed = retain(&directory, rules.keep_days, now, &mut is_good)?;
            if removed > 0 {
                tracing::info!(removed, "backups that were too old are removed");
            }
            let listed = shelf::list(&directory)?;
            let ours = |listed: &&Listed| {
                listed.manifest.as_ref().is_some_and(|manifest| manifest.store_id == store_id)
            };
            let mut ours = listed.iter().filter(ours);
            // Newest first.
            let base = if full { ours.find(|one| is_good(&one.path)) } else { ours.next_back() };
            let base = base.and_then(|listed| listed.manifest.clone());
            let kept = listed.into_iter().filter_map(|listed| listed.manifest);
            Ok((base, kept.collect::<Vec<_>>()))
        });
        let (base, kept) = found.await?;
        let Some(archiver) = archiver else { return Ok(()) };
        if let Some(base) = base {
            let slack_ms = if full { BLOB_SLACK_FULL_MS } else { BLOB_SLACK_MS };
            let removed = archiver.trim(base.sequence, base.created_at.plus_ms(-slack_ms)).await?;
            if full && removed > 0 {
                let since = base.created_at;
                tracing::warn!(removed, %since, "the disk is full: the archive begins here now");
            }
        }
        let ids: Vec<String> = kept.into_iter().map(|manifest| manifest.store_id).collect();
        let (archiver, until) = (Arc::clone(archiver), expiry(shelf.rules.keep_days, now));
        blocking(move || archiver.trim_histories(&ids, until).map(drop)).await
    }

    /// Makes a backup for the schedule, with its audit entry. Each day's would hold the same models:
    /// it only names them.
    pub(super) async fn make_scheduled(
        &self,
        now: Time,
        event_id: EventId,
    ) -> Result<Made, BackupError> {
        let mut source = self.inner.source.clone();
        source.models.iter_mut().for_each(|model| model.carried = false);
        let made = self.make_of(&source, now, &quiet()).await?;
        let entry = entry(event_id, now, SCHEDULE.label(), &made.name(), Some(&made));
        let recorded = self.inner.source.db.write(move |tx: &Write<'_>| {
            audit::record(tx, entry.clone())?;
            Ok::<_, DbError>(())
        });
        recorded.await?;
        Ok(made)
    }

    /// When the next scheduled backup is due; none without a schedule.
    pub(super) async fn due(&self) -> Result<Option<Time>, BackupError> {
        let Some(every_ms) = self.inner.shelf.rules.every_ms else { return Ok(None) };
        if self.inner.archiver.as_ref().is_some_and(|archiver| archiver.needs_backup()) {
            return Ok(Some(Time::default()));
        }
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
    let (mut not_before, mut tidy_at) = (Time::default(), Time::default());
    while !*halted.borrow() {
        let now = clock.now();
        let full = backups.inner.source.db.is_full();
        if full || now >= tidy_at {
            tidy_at = now.plus_ms(TIDY_EVERY_MS);
            let tidied = tokio::select! {
                tidied = backups.tidy(now, full) => tidied,
                () = told(&mut halted) => return,
            };
            if let Err(error) = tidied {
                tracing::warn!(%error, "what is too old could not be removed");
            }
        }
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
