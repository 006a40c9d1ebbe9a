//! Filling a fresh store from a backup and, for a point in time, from the archive; nothing in use is
//! touched.

use super::create::{Hashing, Pieces, hash_table};
use super::error::BackupError;
use super::file::{make_private, replace, sync_names};
use super::format::{BLOBS, CONFIG, MODELS, Manifest, Summary, hex, take_row};
use super::read::{Sink, Unlock, open};
use super::replay::{NamedBlobs, Replay, replay};
use super::{Progress, Stage, Tell};
use crate::base::Time;
use crate::engine::blob::{BlobKey, Blobs};
use crate::engine::db::{Loader, Options, Snapshot, peek};
use crate::engine::disk::{Directory, Disk};
use crate::engine::key::{Keys, Seal};
use crate::search;
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

/// What is read of a blob at a time.
const PIECE_BYTES: usize = 512 << 10;

/// Where a backup is restored to: none of these may exist, or be more than an empty directory.
#[derive(Debug, Clone)]
pub struct Target {
    /// Directory of the database.
    pub db: PathBuf,
    /// Directory of the blobs.
    pub blobs: PathBuf,
    /// File of the wrapped data keys; written for an encrypted backup.
    pub keyring: PathBuf,
    /// Directory of the models; left out when none.
    pub models: Option<PathBuf>,
    /// File of the configuration; left out when none.
    pub config: Option<PathBuf>,
    /// What a backup that is not encrypted is encrypted with on the way; it stays plain when none.
    pub encrypt_with: Option<Access>,
    /// Purpose of the seal of blobs, for `Keys::seal`.
    pub blobs_purpose: &'static str,
    /// Which blobs the rows name: after a replay all of them must be there.
    pub named_blobs: NamedBlobs,
    /// Bytes of the page cache while the database is filled.
    pub cache_bytes: usize,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The backup.
    pub summary: Summary,
    /// The last change that the restored store holds.
    pub sequence: u64,
    /// When that change was made: the time that was reached.
    pub reached: Time,
    /// Whether nothing can be missing up to the time asked for: the archive goes on behind it. True
    /// also when no time was asked for.
    pub complete: bool,
    /// Changes that came from the archive.
    pub replayed: u64,
    /// Blobs that came from the archive.
    pub archived_blobs: u64,
}

/// Fills `target` from the backup at `path` and reads everything back: rows and blobs must have the
/// sums of the backup, and an exact search must find the same. With an `archive`, the changes after
/// the backup are replayed up to `at`, or all of them when none. The restored store is another
/// history: the caller gives it a new store id and puts it in its place.
///
/// # Errors
/// [`BackupError::Occupied`] when something is there already. Otherwise whatever is wrong with the
/// backup, the key or the archive; then everything that was written is removed.
pub async fn restore(
    path: &Path,
    unlock: Unlock<'_>,
    target: &Target,
    archive: Option<&Path>,
    at: Option<Time>,
    tell: &Tell,
) -> Result<Restored, BackupError> {
    let opened = open(path)?;
    let base = opened.access(unlock)?;
    let plan = Plan {
        path: path.to_owned(),
        archived: archive.map(|archive| (archive.to_owned(), Owned::of(unlock))),
        base,
        target: target.clone(),
        at,
        tell: Arc::clone(tell),
        handle: Handle::current(),
    };
    let done = tokio::task::spawn_blocking(move || plan.restore(opened));
    done.await.map_err(|_| BackupError::Stopped)?
}

/// Data keys, and the ring that they come from; neither of what is not encrypted.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The data keys.
    pub keys: Option<Keys>,
    /// The ring as JSON.
    pub keyring: Option<String>,
}

/// An [`Unlock`] that can go to another thread.
pub(super) enum Owned {
    Nothing,
    /// Also of [`Unlock::Store`]: an archive has the newest ring beside it.
    Master(Zeroizing<String>),
    Keys(Keys),
}

impl Owned {
    fn of(unlock: Unlock<'_>) -> Self {
        match unlock {
            Unlock::Nothing => Self::Nothing,
            Unlock::Master(master) | Unlock::Store { master, .. } => {
                Self::Master(Zeroizing::new(master.to_text()))
            }
            Unlock::Keys(keys) => Self::Keys(keys.clone()),
        }
    }
}

struct Plan {
    path: PathBuf,
    archived: Option<(PathBuf, Owned)>,
    base: Access,
    target: Target,
    at: Option<Time>,
    tell: Tell,
    handle: Handle,
}

impl Plan {
    fn restore(self, opened: super::read::Opened) -> Result<Restored, BackupError> {
        let fresh = Fresh::claim(&self.target)?;
        let plain = self.base.keys.is_none();
        let sealing = self.target.encrypt_with.as_ref().filter(|_| plain).unwrap_or(&self.base);
        let disk: Arc<dyn Disk> =
            Arc::new(Directory::open(&self.target.db).map_err(BackupError::file(&self.target.db))?);
        let options = Options {
            cache_bytes: self.target.cache_bytes,
            keys: sealing.keys.clone(),
            ..Options::default()
        };
        let purpose = self.target.blobs_purpose;
        let seal = sealing.keys.as_ref().map_or_else(Seal::checked, |keys| keys.seal(purpose));
        let blobs = Blobs::open(&self.target.blobs, &seal)?;
        let mut filling = Filling {
            loader: Loader::create(Arc::clone(&disk), &options)?,
            table: String::new(),
            blobs: &blobs,
            target: &self.target,
            handle: &self.handle,
            base: &self.path,
            at: self.at.filter(|_| self.archived.is_some()),
        };
        let summary = opened.read(&self.path, self.base.keys.as_ref(), &self.tell, &mut filling)?;
        let Manifest { sequence, last_change_at, .. } = summary.manifest;
        for sum in &summary.tables {
            filling.loader.table(&sum.table)?;
        }
        filling.loader.finish(sequence, last_change_at)?;
        self.compare(&peek(&disk, &options)?, &blobs, &summary)?;
        let mut restored = Restored {
            summary,
            sequence,
            reached: last_change_at,
            complete: true,
            replayed: 0,
            archived_blobs: 0,
        };
        let mut access = self.base.clone();
        if let Some((archive, unlock)) = &self.archived {
            let home = archive.join(&restored.summary.manifest.store_id);
            let replay = Replay {
                home: &home,
                unlock,
                at: self.at,
                disk: &disk,
                options: &options,
                blobs: &blobs,
                blobs_purpose: purpose,
                named_blobs: self.target.named_blobs,
                handle: &self.handle,
                tell: &self.tell,
            };
            replay_into(&replay, &mut restored, &mut access)?;
        }
        let keyring = if plain { &sealing.keyring } else { &access.keyring };
        if let Some(keyring) = keyring {
            replace(&self.target.keyring, keyring.as_bytes())?;
        }
        fresh.keep()?;
        Ok(restored)
    }

    /// Compares what was stored with what the backup says.
    fn compare(
        &self,
        snapshot: &Snapshot,
        blobs: &Blobs,
        summary: &Summary,
    ) -> Result<(), BackupError> {
        let mut read = 0;
        let mut tables = Vec::new();
        for table in snapshot.tables()? {
            tables.push(hash_table(snapshot, &table, &mut |chunk| {
                read += chunk.len() as u64;
                go_on(&self.tell, Stage::Comparing, read)
            })?);
        }
        for (found, expected) in tables.iter().zip(&summary.tables) {
            if found != expected {
                let Manifest { sequence, .. } = summary.manifest;
                return Err(BackupError::Differs(format!(
                    "table {} has {} rows, the backup of change {sequence} has {} in table {}",
                    found.table, found.rows, expected.rows, expected.table
                )));
            }
        }
        if tables.len() != summary.tables.len() {
            return Err(BackupError::Differs("there are more or fewer tables".to_owned()));
        }
        let walked = blobs.walk(None).try_fold(0, |count, _| async move { Ok(count + 1) });
        let count: u64 = self.handle.block_on(walked)?;
        if count != summary.blobs {
            let expected = summary.blobs;
            return Err(BackupError::Differs(format!("{count} blobs instead of {expected}")));
        }
        if !search::probe(&snapshot.view())?.agrees_with(&summary.probe) {
            return Err(BackupError::Differs("a search finds something else".to_owned()));
        }
        Ok(())
    }
}

fn replay_into(
    replaying: &Replay<'_>,
    restored: &mut Restored,
    access: &mut Access,
) -> Result<(), BackupError> {
    let replayed = replay(replaying, access, restored.sequence, restored.reached)?;
    restored.sequence = replayed.sequence;
    restored.reached = replayed.reached;
    restored.complete = replayed.complete;
    restored.replayed = replayed.changes;
    restored.archived_blobs = replayed.blobs;
    Ok(())
}

/// Reports progress; an error when a stop is asked for.
pub(super) fn go_on(tell: &Tell, stage: Stage, bytes: u64) -> Result<(), BackupError> {
    let asked = tell(Progress { stage, bytes }).is_break();
    if asked { Err(BackupError::Stopped) } else { Ok(()) }
}

/// Takes a backup into the store that is being made.
struct Filling<'a> {
    loader: Loader,
    table: String,
    blobs: &'a Blobs,
    target: &'a Target,
    handle: &'a Handle,
    base: &'a Path,
    at: Option<Time>,
}

impl Filling<'_> {
    /// Where a file of the backup goes; none when it is not wanted.
    fn place(&self, name: &str) -> Option<PathBuf> {
        match name.strip_prefix(MODELS) {
            Some(file) => Some(self.target.models.as_ref()?.join(file)),
            None if name == CONFIG => self.target.config.clone(),
            None => None,
        }
    }

    fn read_back(&self, member: &str) -> Result<Option<String>, BackupError> {
        let sum = |content: &mut dyn Read, place: &Path| {
            let mut hashed = Hashing::new(content);
            io::copy(&mut hashed, &mut io::sink()).map_err(BackupError::file(place))?;
            Ok(Some(hex(&sha2::Digest::finalize(hashed.digest))))
        };
        if let Some(key) = member.strip_prefix(BLOBS) {
            let key: BlobKey = key.parse().map_err(|_| BackupError::Damaged(member.to_owned()))?;
            let content = self.handle.block_on(self.blobs.stream(&key))?;
            let mut pieces = Pieces { handle: self.handle, content, piece: Bytes::new() };
            return sum(&mut pieces, Path::new(member));
        }
        let Some(place) = self.place(member) else { return Ok(None) };
        let mut file = fs::File::open(&place).map_err(BackupError::file(&place))?;
        sum(&mut file, &place)
    }
}

impl Sink for Filling<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<(), BackupError> {
        match self.at {
            Some(asked) if manifest.last_change_at > asked => {
                Err(BackupError::TooLate { holds: manifest.last_change_at, asked })
            }
            _ => Ok(()),
        }
    }

    fn rows(&mut self, table: &str, chunk: &[u8]) -> Result<(), BackupError> {
        if self.table != table {
            self.loader.table(table)?;
            table.clone_into(&mut self.table);
        }
        let mut rest = chunk;
        while let Some(row) = take_row(&mut rest) {
            let (key, value) = row?;
            self.loader.put(table, key, value)?;
        }
        Ok(())
    }

    fn blob(&mut self, key: &BlobKey, content: &mut dyn Read) -> Result<(), BackupError> {
        put_blob(self.handle, self.blobs, key, content, self.base)
    }

    fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<(), BackupError> {
        let Some(place) = self.place(name) else { return Ok(()) };
        let (new, mut file) = super::file::NewFile::create(&place)?;
        io::copy(content, &mut file).map_err(BackupError::decoding(self.base))?;
        new.finish(file).map(drop)
    }

    fn batch(&mut self, sums: &str) -> Result<(), BackupError> {
        for line in sums.lines() {
            let (expected, member) = line.split_once("  ").unwrap_or_default();
            if self.read_back(member)?.is_some_and(|found| found != expected) {
                return Err(BackupError::Differs(format!("{member} reads otherwise")));
            }
        }
        Ok(())
    }
}

/// Stores a blob whole or not at all.
pub(super) fn put_blob(
    handle: &Handle,
    blobs: &Blobs,
    key: &BlobKey,
    content: &mut dyn Read,
    from: &Path,
) -> Result<(), BackupError> {
    let mut writer = handle.block_on(blobs.begin(key))?;
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut limited = (&mut *content).take(PIECE_BYTES as u64);
        limited.read_to_end(&mut piece).map_err(BackupError::decoding(from))?;
        if piece.is_empty() {
            break;
        }
        handle.block_on(writer.write(piece.into()))?;
    }
    handle.block_on(writer.finish()).map(drop).map_err(BackupError::from)
}

/// A target that is removed again unless it is kept.
struct Fresh {
    target: Target,
    kept: bool,
}

impl Fresh {
    fn claim(target: &Target) -> Result<Self, BackupError> {
        let occupied = |path: &PathBuf| match path.read_dir() {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => path.symlink_metadata().is_ok(),
        };
        if let Some(path) = paths(target).into_iter().find(|path| occupied(path)) {
            return Err(BackupError::Occupied(path.display().to_string()));
        }
        let fresh = Self { target: target.clone(), kept: false };
        for directory in [&target.db, &target.blobs] {
            make_private(directory)?;
        }
        Ok(fresh)
    }

    /// Makes the names durable and leaves everything where it is.
    fn keep(mut self) -> Result<(), BackupError> {
        for path in paths(&self.target) {
            if path.is_dir() {
                sync_names(&path)?;
            }
            path.parent().filter(|parent| parent.is_dir()).map_or(Ok(()), sync_names)?;
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for path in paths(&self.target) {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, path = %path.display(), "half a restore is left behind");
            }
        }
    }
}

fn paths(target: &Target) -> Vec<PathBuf> {
    let Target { db, blobs, keyring, models, config, .. } = target;
    let optional = [models, config].into_iter().flatten();
    [db, blobs, keyring].into_iter().chain(optional).cloned().collect()
}
