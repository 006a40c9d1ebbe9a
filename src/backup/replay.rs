//! From a backup to a point in time: the archived changes that follow it.

use super::error::BackupError;
use super::restore::{Access, Owned, go_on, put_blob};
use super::segment::{SegmentName, names, read};
use super::source::ARCHIVE_PURPOSE;
use super::{Stage, Tell};
use crate::base::Time;
use crate::cases::FileRow;
use crate::engine::blob::{BlobKey, Blobs};
use crate::engine::db::{DbError, Loader, Options, Read, Span, View, peek};
use crate::engine::disk::Disk;
use crate::engine::key::{KeyRing, MasterKey, Seal, SealedReader};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What a replay works with.
pub(super) struct Replay<'a> {
    /// The archive of one store.
    pub(super) home: &'a Path,
    /// What opens its key ring.
    pub(super) unlock: &'a Owned,
    /// Last time that is wanted.
    pub(super) at: Option<Time>,
    /// The restored database.
    pub(super) disk: &'a Arc<dyn Disk>,
    /// How it is opened.
    pub(super) options: &'a Options,
    /// The restored blobs.
    pub(super) blobs: &'a Blobs,
    /// Purpose of the seal of blobs.
    pub(super) blobs_purpose: &'static str,
    /// Which blobs must be there in the end.
    pub(super) named_blobs: NamedBlobs,
    /// The runtime.
    pub(super) handle: &'a Handle,
    /// Hears of progress.
    pub(super) tell: &'a Tell,
}

/// How far a replay came.
pub(super) struct Replayed {
    /// The last change.
    pub(super) sequence: u64,
    /// Its time.
    pub(super) reached: Time,
    /// Whether nothing can be missing up to the time asked for.
    pub(super) complete: bool,
    /// Changes applied.
    pub(super) changes: u64,
    /// Blobs added.
    pub(super) blobs: u64,
}

/// Applies what follows change `sequence`, made at `reached`, to the restored store.
///
/// # Errors
/// [`BackupError::Gap`], [`BackupError::Archive`], or a failure of the restored store.
pub(super) fn replay(
    with: &Replay<'_>,
    access: &mut Access,
    sequence: u64,
    reached: Time,
) -> Result<Replayed, BackupError> {
    renew(with, access)?;
    let keys = access.keys.as_ref();
    let seal = |purpose| keys.map_or_else(Seal::checked, |keys| keys.seal(purpose));
    let log = with.home.join("log");
    let segments = names(&log)?;
    let mut done = Replayed {
        sequence,
        reached,
        complete: with.at.is_none(),
        changes: 0,
        blobs: add_blobs(with, &seal(with.blobs_purpose))?,
    };
    let mut loader = Loader::resume(Arc::clone(with.disk), with.options)?;
    let mut bytes = 0;
    for name in segments {
        if name.last <= done.sequence {
            done.complete |= with.at.is_some_and(|at| at <= name.at);
            continue;
        }
        if name.first > done.sequence + 1 {
            // What is missing came after the time asked for.
            if with.at.is_some() && done.complete {
                break;
            }
            return Err(gap(&done, name));
        }
        let mut beyond = false;
        read(&log, name, &seal(ARCHIVE_PURPOSE), &mut |record| {
            beyond |= with.at.is_some_and(|at| record.time > at);
            if beyond || record.sequence <= done.sequence {
                return Ok(());
            }
            loader.apply(&record)?;
            bytes += record.size_bytes() as u64;
            (done.sequence, done.reached) = (record.sequence, record.time);
            done.changes += 1;
            go_on(with.tell, Stage::Replaying, bytes)
        })?;
        done.complete |= beyond || with.at.is_some_and(|at| at <= name.at);
        if beyond {
            break;
        }
    }
    loader.finish(done.sequence, done.reached)?;
    walk(with)?;
    Ok(done)
}

fn gap(done: &Replayed, next: SegmentName) -> BackupError {
    BackupError::Gap { from: done.sequence + 1, until: next.first - 1, reachable: done.reached }
}

/// Visits the key of each blob that a row of `view` names.
pub type NamedBlobs = fn(&Read, &mut dyn FnMut(&str)) -> Result<(), DbError>;

/// [`NamedBlobs`] of the rows of uploaded files.
///
/// # Errors
/// [`DbError`] when the rows cannot be read.
pub fn uploaded_blobs(view: &Read, visit: &mut dyn FnMut(&str)) -> Result<(), DbError> {
    view.each_row(&Span::all(), |row: FileRow| {
        visit(&row.storage_key);
        ControlFlow::Continue(())
    })
}

/// Most missing blobs that are named in an error.
const NAMED_MAX: usize = 5;

/// Looks for each blob that a row names.
fn find_blobs(with: &Replay<'_>, view: &Read) -> Result<(), BackupError> {
    let (mut missing, mut named, mut failed) = (0_u64, Vec::new(), None);
    (with.named_blobs)(view, &mut |name| {
        let found = match name.parse::<BlobKey>() {
            Ok(key) => with.handle.block_on(with.blobs.exists(&key)),
            Err(_) => Ok(false),
        };
        match found {
            Ok(true) => {}
            Ok(false) => {
                missing += 1;
                if named.len() < NAMED_MAX {
                    named.push(name.to_owned());
                }
            }
            Err(error) => failed = Some(error),
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    match missing {
        0 => Ok(()),
        _ => Err(BackupError::Archive(format!(
            "{missing} blobs that rows name are in neither backup nor archive: {}",
            named.join(", ")
        ))),
    }
}

/// Reads the whole store once more: every page proves itself, and every blob that is named is there.
fn walk(with: &Replay<'_>) -> Result<(), BackupError> {
    let snapshot = peek(with.disk, with.options)?;
    let mut read = 0;
    for table in snapshot.tables()? {
        super::create::hash_table(&snapshot, &table, &mut |chunk| {
            read += chunk.len() as u64;
            go_on(with.tell, Stage::Comparing, read)
        })?;
    }
    find_blobs(with, &snapshot.view())
}

/// Takes the key ring of the archive, which may hold newer data keys than that of the backup.
fn renew(with: &Replay<'_>, access: &mut Access) -> Result<(), BackupError> {
    let path = with.home.join("keyring.json");
    if access.keys.is_none() || !path.exists() {
        return Ok(());
    }
    let json = std::fs::read_to_string(&path).map_err(BackupError::file(&path))?;
    let keys = match with.unlock {
        Owned::Nothing => return Ok(()),
        Owned::Keys(keys) => Ok(keys.clone()),
        Owned::Master(master) => {
            KeyRing::parse(json.as_bytes())?.unlock(&MasterKey::parse(master)?)
        }
    };
    // Under another master key, what the backup's own ring opens is all that can be had.
    if let Ok(keys) = keys {
        *access = Access { keys: Some(keys), keyring: Some(json) };
    }
    Ok(())
}

/// Adds the archived blobs that the backup lacks. Those that no row names are swept later.
fn add_blobs(with: &Replay<'_>, seal: &Seal) -> Result<u64, BackupError> {
    let root = with.home.join("blobs");
    if root.is_dir() { add_blobs_of(with, seal, &root, &root) } else { Ok(0) }
}

fn add_blobs_of(
    with: &Replay<'_>,
    seal: &Seal,
    root: &Path,
    directory: &Path,
) -> Result<u64, BackupError> {
    let mut added = 0;
    for entry in directory.read_dir().map_err(BackupError::file(directory))? {
        let path = entry.map_err(BackupError::file(directory))?.path();
        if path.is_dir() {
            added += add_blobs_of(with, seal, root, &path)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        // A file that a crash left half-copied is not the blob.
        if name.ends_with(super::file::PARTIAL) {
            continue;
        }
        let Ok(key) = name.parse::<BlobKey>() else { continue };
        if with.handle.block_on(with.blobs.exists(&key))? {
            continue;
        }
        let file = File::open(&path).map_err(BackupError::file(&path))?;
        let mut content = SealedReader::new(BufReader::new(file), seal);
        let put = put_blob(with.handle, with.blobs, &key, &mut content, &path);
        put.map_err(|error| match error {
            BackupError::Damaged(cause) => BackupError::Archive(format!("blob {key}: {cause}")),
            error => error,
        })?;
        added += 1;
        go_on(with.tell, Stage::Replaying, added)?;
    }
    Ok(added)
}
