//! The archive: what happened since the last backup, written out as it happens, so that a store can
//! be restored to any time.
//!
//! ```text
//! archive/STORE_ID/log/FIRST-LAST-MS.fma   changes FIRST to LAST, archived at MS: a sealed zstd
//!                                          stream of records, each behind its length
//! archive/STORE_ID/blobs/KEY               blobs, as they lie in the store (hard links where the
//!                                          file system can)
//! archive/STORE_ID/keyring.json            the wrapped data keys, when the store is encrypted
//! ```
//! A restored store gets another id, so that two histories never meet in one directory.

use super::error::BackupError;
use super::file::{NewFile, make_private, replace, sync_names};
use super::segment::{SegmentName, names, write};
use super::source::{RingText, Source};
use crate::base::{Clock, Time};
use crate::engine::blob::{BlobKey, BlobPin, Blobs};
use crate::engine::db::{Db, DbError, Hold};
use crate::engine::key::Seal;
use futures_util::TryStreamExt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Name under which the log is kept for the archive, for `Options::holders`.
pub const ARCHIVE_HOLDER: &str = "archive";
/// Between two looks at how much waits for the archive.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between a failed step and the next.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// Blobs that are archived in one go.
const BATCH_BLOBS: usize = 256;

/// When the archive is written, and how much at a time.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Longest time that a change waits, in milliseconds: what a lost disk costs.
    pub every_ms: i64,
    /// Changes of about this many bytes are archived at once, however short they waited.
    pub segment_bytes: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { every_ms: 60_000, segment_bytes: 16 << 20 }
    }
}

/// How the archive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveFigures {
    /// What would be lost with the disk now, in milliseconds of changes.
    pub rpo_ms: i64,
    /// The last change that is archived.
    pub sequence: u64,
    /// Segments written since the start.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Blobs archived since the start.
    pub blobs: u64,
    /// Changes since the start that are in no archive: the log was given up before they were
    /// written. A time among them cannot be restored.
    pub skipped: u64,
}

/// The last change of a store that is in `archive`, 0 when none is: where the log must begin when
/// the store is opened.
///
/// # Errors
/// [`BackupError::File`].
pub fn archived_until(archive: &Path, store_id: &str) -> Result<u64, BackupError> {
    let log = archive.join(store_id).join("log");
    Ok(names(&log)?.last().map_or(0, |name| name.last))
}

/// Writes the archive of one store.
pub struct Archiver {
    db: Db,
    blobs: Blobs,
    seal: Seal,
    archive: PathBuf,
    home: PathBuf,
    keyring: Option<RingText>,
    limits: ArchiveLimits,
    state: Mutex<State>,
    /// One step at a time. Holds what was deleted since the last one: a time in between needs it.
    turn: tokio::sync::Mutex<Option<BlobPin>>,
}

struct State {
    figures: ArchiveFigures,
    /// When nothing waited for the archive.
    caught_up_at: Time,
    /// The end of a gap in the archive that no backup follows yet, and since when.
    gap: Option<(u64, Time)>,
    /// Whether the finished blobs are known from here on.
    walked: bool,
    /// The key ring that is in the archive.
    keyring: String,
}

impl Archiver {
    /// Goes on where the archive of this store in `archive` ends, and has the log kept from there.
    ///
    /// # Errors
    /// [`BackupError`] when the archive cannot be read or the log cannot be kept.
    pub fn open(
        source: &Source,
        archive: &Path,
        seal: Seal,
        limits: ArchiveLimits,
        now: Time,
    ) -> Result<Self, BackupError> {
        let home = archive.join(&source.store_id);
        make_private(&home.join("log"))?;
        make_private(&home.join("blobs"))?;
        let sequence = archived_until(archive, &source.store_id)?;
        source.db.keep_log(ARCHIVE_HOLDER, sequence, Hold::Firm);
        let figures =
            ArchiveFigures { rpo_ms: 0, sequence, segments: 0, bytes: 0, blobs: 0, skipped: 0 };
        Ok(Self {
            db: source.db.clone(),
            blobs: source.blobs.clone(),
            seal,
            archive: archive.to_owned(),
            home,
            keyring: source.keyring.clone(),
            limits,
            state: Mutex::new(State {
                figures,
                caught_up_at: now,
                gap: None,
                walked: false,
                keyring: String::new(),
            }),
            turn: tokio::sync::Mutex::new(Some(source.blobs.pin())),
        })
    }

    /// How the archive stands.
    pub fn figures(&self, now: Time) -> ArchiveFigures {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = self.db.sequence() > state.figures.sequence;
        // What follows a gap is worth nothing without a backup after it.
        let gap_since = state.gap.map(|(_, since)| since);
        let since = gap_since.or(behind.then_some(state.caught_up_at));
        let rpo_ms = since.map_or(0, |since| now.since_ms(since).max(0));
        ArchiveFigures { rpo_ms, ..state.figures }
    }

    /// Archives everything that was committed so far: blobs first, because changes name them.
    ///
    /// # Errors
    /// [`BackupError`] when something cannot be read or written; the next step goes on from there.
    pub async fn step(&self, now: Time) -> Result<ArchiveFigures, BackupError> {
        let mut turn = self.turn.lock().await;
        // Before anything is looked at: what is deleted from here on waits for the next step.
        let pin = self.blobs.pin();
        self.archive_keyring().await?;
        let until = self.db.sequence();
        loop {
            let after = self.figures(now).sequence;
            if after >= until {
                break;
            }
            let (db, limit) = (self.db.clone(), self.limits.segment_bytes);
            let read = tokio::task::spawn_blocking(move || db.log_since(after, limit));
            let records = match read.await.map_err(|_| BackupError::Stopped)? {
                Ok(records) => records,
                Err(DbError::LogGone { oldest }) => {
                    self.skip_to(oldest.saturating_sub(1), after);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let (Some(first), Some(last)) = (records.first(), records.last()) else { break };
            // Only what reaches `until` is all that was committed by now.
            let at = if last.sequence >= until { now } else { last.time.plus_ms(-1) };
            let name = SegmentName { first: first.sequence, last: last.sequence, at };
            self.archive_blobs().await?;
            let (directory, seal) = (self.home.join("log"), self.seal.clone());
            let bytes = blocking(move || write(&directory, name, &seal, &records)).await?;
            self.db.keep_log(ARCHIVE_HOLDER, name.last, Hold::Firm);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.figures.sequence = name.last;
            state.figures.segments += 1;
            state.figures.bytes += bytes;
        }
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.caught_up_at = state.caught_up_at.max(now);
        }
        let waited = turn.replace(pin);
        drop(turn);
        // It removes files.
        let gone = tokio::task::spawn_blocking(move || drop(waited));
        gone.await.map_err(|_| BackupError::Stopped)?;
        Ok(self.figures(now))
    }

    /// Keeps the key ring up to date: the archive opens with the master key of its last step.
    async fn archive_keyring(&self) -> Result<(), BackupError> {
        let Some(keyring) = self.keyring.as_ref().map(RingText::get) else { return Ok(()) };
        if self.state.lock().unwrap_or_else(PoisonError::into_inner).keyring == keyring {
            return Ok(());
        }
        let (path, text) = (self.home.join("keyring.json"), keyring.clone());
        blocking(move || replace(&path, text.as_bytes())).await?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).keyring = keyring;
        Ok(())
    }

    /// The log does not reach back to the end of the archive.
    pub(super) fn skip_to(&self, sequence: u64, after: u64) {
        if after > 0 {
            tracing::warn!(
                after,
                sequence,
                "changes between these are in no archive; a time in between cannot be restored"
            );
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.figures.sequence = sequence;
        if after > 0 {
            state.figures.skipped += sequence.saturating_sub(after);
        }
        let since = state.gap.map_or(state.caught_up_at, |(_, since)| since);
        state.gap = Some((sequence, since));
    }

    /// Whether the archive has a gap that no backup follows yet: until then nothing archived after
    /// it can be restored.
    pub fn needs_backup(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).gap.is_some()
    }

    /// A backup that ends with change `sequence` is there.
    pub(super) fn follows(&self, sequence: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gap = state.gap.filter(|(end, _)| sequence < *end);
    }

    /// Archives until told to stop, and once more then.
    pub async fn run(self: Arc<Self>, clock: Clock, mut halted: watch::Receiver<bool>) {
        // The first step is due at once: a server that is started again and again must get to it.
        let mut last = clock.now().plus_ms(-self.limits.every_ms);
        let log_bytes = || self.db.space().map_or(0, |space| space.log_bytes);
        // Part of the log is kept for others, or not yet given back: only its growth counts.
        let mut floor = log_bytes();
        while !*halted.borrow() {
            let now = clock.now();
            let held = log_bytes();
            floor = floor.min(held);
            let full = held - floor >= self.limits.segment_bytes as u64;
            let mut pause = LOOK_EVERY;
            if full || now.since_ms(last) >= self.limits.every_ms {
                match self.step(now).await {
                    Ok(_) => (last, floor) = (now, log_bytes()),
                    Err(error) => {
                        tracing::warn!(%error, "the archive cannot be written; it is tried again");
                        pause = TROUBLE_PAUSE;
                    }
                }
            }
            tokio::select! {
                // Without a sender nobody could ever say stop.
                told = halted.changed() => if told.is_err() { break },
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Err(error) = self.step(clock.now()).await {
            tracing::warn!(%error, "the last changes are not archived yet");
        }
        // No step follows that could let go of what is deleted.
        let waited = self.turn.lock().await.take();
        drop(waited);
    }

    /// Archives the blobs finished since the last call; all that are missing when that is not known.
    async fn archive_blobs(&self) -> Result<(), BackupError> {
        let finished = self.blobs.finished();
        // Its keys are told once: after a failure on the way only a walk finds them again.
        let known = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut state.walked, false)
        };
        if known && !finished.overflowed {
            self.archive_these(finished.keys).await?;
        } else {
            let keys = self.blobs.walk(None).map_ok(|info| info.key);
            let mut batches = keys.try_chunks(BATCH_BLOBS);
            while let Some(keys) = batches.try_next().await.map_err(|error| error.1)? {
                self.archive_these(keys).await?;
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).walked = true;
        Ok(())
    }

    async fn archive_these(&self, keys: Vec<BlobKey>) -> Result<(), BackupError> {
        let (home, blobs) = (self.home.clone(), self.blobs.clone());
        let archived = blocking(move || archive_files(&home, &blobs, &keys)).await?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).figures.blobs += archived;
        Ok(())
    }

    /// Removes what no kept backup needs: changes up to `sequence`, the last one of the oldest kept
    /// backup, and blobs written before `written_before`, which are in it. The newest segment stays:
    /// it says how far the archive reaches. Answers how many files went.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub async fn trim(&self, sequence: u64, written_before: Time) -> Result<usize, BackupError> {
        let _turn = self.turn.lock().await;
        let home = self.home.clone();
        let trimmed = blocking(move || {
            let (log, mut removed) = (home.join("log"), 0);
            let mut written = names(&log)?;
            written.pop();
            for name in written.into_iter().filter(|name| name.last <= sequence) {
                let path = log.join(name.to_string());
                fs::remove_file(&path).map_err(BackupError::file(&path))?;
                removed += 1;
            }
            Ok(removed + trim_blobs(&home.join("blobs"), written_before.unix_ms())?)
        });
        trimmed.await
    }
}

impl Archiver {
    /// Removes the archives of other histories of this store, which restores left behind, when no
    /// change in them is younger than `until` and none of `kept` stores has a backup. Answers how
    /// many went.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn trim_histories(&self, kept: &[String], until: Time) -> Result<usize, BackupError> {
        let mut removed = 0;
        for entry in self.archive.read_dir().map_err(BackupError::file(&self.archive))? {
            let path = entry.map_err(BackupError::file(&self.archive))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let log = path.join("log");
            if path == self.home || kept.contains(&name) || !log.is_dir() {
                continue;
            }
            if names(&log)?.iter().all(|name| name.at < until) {
                fs::remove_dir_all(&path).map_err(BackupError::file(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| BackupError::Stopped)?
}

/// Links or copies the blobs that the archive lacks; answers how many.
fn archive_files(home: &Path, blobs: &Blobs, keys: &[BlobKey]) -> Result<u64, BackupError> {
    let (mut touched, mut archived) = (Touched::default(), 0);
    for key in keys {
        let to = home.join("blobs").join(key.as_str());
        let Some(from) = blobs.sealed_path(key) else { continue };
        if to.exists() || !from.exists() {
            continue;
        }
        let directory = to.parent().unwrap_or(home);
        make_private(directory)?;
        if fs::hard_link(&from, &to).is_err() {
            copy(&from, &to)?;
        }
        touched.add(directory);
        archived += 1;
    }
    for directory in &touched.0 {
        sync_names(directory)?;
    }
    Ok(archived)
}

/// Directories with new names.
#[derive(Default)]
struct Touched(std::collections::BTreeSet<PathBuf>);

impl Touched {
    fn add(&mut self, directory: &Path) {
        self.0.insert(directory.to_owned());
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = fs::File::open(from).map_err(BackupError::file(from))?;
    let (new, mut file) = NewFile::create(to)?;
    std::io::copy(&mut source, &mut file).map_err(BackupError::file(to))?;
    let written_at = source.metadata().and_then(|metadata| metadata.modified());
    let kept = written_at.and_then(|at| file.set_modified(at));
    kept.map_err(BackupError::file(to))?;
    new.finish(file).map(drop)
}

fn trim_blobs(directory: &Path, before_ms: i64) -> Result<usize, BackupError> {
    let mut removed = 0;
    for entry in directory.read_dir().map_err(BackupError::file(directory))? {
        let path = entry.map_err(BackupError::file(directory))?.path();
        let metadata = path.metadata().map_err(BackupError::file(&path))?;
        if metadata.is_dir() {
            removed += trim_blobs(&path, before_ms)?;
            // It may hold others; then it stays.
            let _ = fs::remove_dir(&path);
            continue;
        }
        let written_at = metadata.modified().map_err(BackupError::file(&path))?;
        let since = written_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if i64::try_from(since.as_millis()).unwrap_or(i64::MAX) < before_ms {
            fs::remove_file(&path).map_err(BackupError::file(&path))?;
            removed += 1;
        }
    }
    Ok(removed)
}
