//! From an earlier format to this one, in one step: the new content is made and verified beside
//! the old, then swapped in; the old is kept.

use super::config::Config;
use super::data_dir::{DataDir, FORMAT, Found};
use super::store::{self, BLOB_PURPOSE, OpenError};
use super::swap;
use crate::base::{Clock, Ids};
use crate::engine::blob::{BlobError, BlobKey, Blobs};
use crate::engine::db::{Db, DbError, Loader, Options, read_format_1};
use crate::engine::disk::{Directory, Disk, free_bytes};
use crate::engine::key::Keys;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A blob is copied in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// Between two reports of progress.
const TELL_EVERY_ROWS: u64 = 10_000;
/// What the copy may need beyond the size of the old content: headers, checksums, the log.
const MARGIN_BYTES: u64 = 64 << 20;

/// A store cannot be brought to this format; the old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be read or written.
    #[error("the migration failed and nothing was changed: {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The old rows cannot be read or the new ones written.
    #[error("the migration failed and nothing was changed: {0}")]
    Rows(#[from] DbError),
    /// A blob cannot be written.
    #[error("the migration failed and nothing was changed: {0}")]
    Blobs(#[from] BlobError),
    /// What was written is not what was read.
    #[error("the migration failed and nothing was changed: {0} differs from the old store")]
    Differs(String),
    /// The old content and the new do not fit side by side.
    #[error(
        "the migration needs {needed_bytes} bytes beside the old store, and {free_bytes} are free: \
         nothing was changed"
    )]
    NoSpace {
        /// What it needs.
        needed_bytes: u64,
        /// What the disk has.
        free_bytes: u64,
    },
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Rows and index entries copied.
    pub(super) entries: u64,
    /// Blobs copied.
    pub(super) blobs: u64,
    /// Blobs there are.
    pub(super) blobs_total: u64,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { entries, blobs, blobs_total } = self;
        write!(f, "{blobs} of {blobs_total} files and {entries} entries are copied")
    }
}

/// Hears how far a migration is.
pub(super) type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a migration did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Migrated {
    /// Format of the store as it was.
    pub(super) from: u32,
    /// Format it has now.
    pub(super) to: u32,
    /// Rows and index entries.
    pub(super) entries: u64,
    /// Blobs.
    pub(super) blobs: u64,
    /// Bytes of the old content.
    pub(super) bytes: u64,
    /// Whether the new content is encrypted.
    pub(super) encrypted: bool,
    /// Where the old content is kept; none before it is done.
    pub(super) before: Option<PathBuf>,
}

/// What there is to migrate.
struct Old {
    blobs: Vec<(PathBuf, BlobKey)>,
    bytes: u64,
}

/// Number and hash of the entries of one table.
#[derive(Debug, Clone, Default)]
struct Sum {
    entries: u64,
    hash: Sha256,
}

impl Sum {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        for part in [key, value] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
    }
}

type Sums = BTreeMap<String, Sum>;

/// Says what a migration would do; `None` when there is nothing to do. Changes nothing.
///
/// # Errors
/// [`MigrateError`], also when the old store cannot be read.
pub(super) fn plan(config: &Config) -> Result<Option<Migrated>, MigrateError> {
    let (dir, _lock) = store::take(config)?;
    if !is_old(&dir, config)? {
        return Ok(None);
    }
    let old = survey(&dir)?;
    room_for(&dir, &old)?;
    let mut entries = 0;
    read_rows(&dir, |_, entry| {
        entries += u64::from(entry.is_some());
        Ok(())
    })?;
    Ok(Some(Migrated {
        from: 1,
        to: FORMAT,
        entries,
        blobs: old.blobs.len() as u64,
        bytes: old.bytes,
        encrypted: config.names_key(),
        before: None,
    }))
}

/// Brings the store to this format; `None` when it has it already.
///
/// # Errors
/// [`MigrateError`]; the old store is as it was then.
pub(super) async fn run(
    config: &Config,
    clock: &Clock,
    ids: &Ids,
    tell: Tell,
) -> Result<Option<Migrated>, MigrateError> {
    let (dir, lock) = store::take(config)?;
    if !is_old(&dir, config)? {
        return Ok(None);
    }
    let old = survey(&dir)?;
    room_for(&dir, &old)?;
    let new = swap::prepare(&dir).map_err(failed(dir.path()))?;
    let (format, keys) = store::begin(&new, config, ids)?;
    let seal = store::seal(keys.as_ref(), BLOB_PURPOSE);
    let blobs = Blobs::open(&new.blobs(), &seal)?;
    let mut progress = Progress { blobs_total: old.blobs.len() as u64, ..Progress::default() };
    for (path, key) in &old.blobs {
        copy_blob(&blobs, path, key).await?;
        progress.blobs += 1;
        tell(progress);
    }
    let rows = {
        let (dir, new, clock) = (dir.clone(), new.clone(), clock.clone());
        let told = (progress, Arc::clone(&tell));
        // Reads and writes files for as long as it takes: not for an async thread.
        tokio::task::spawn_blocking(move || copy_rows(&dir, &new, keys, &clock, told))
    };
    let entries = rows.await.map_err(|e| DbError::Panicked(e.to_string()))??;
    let before = swap::commit(&dir, "migration", clock.now()).map_err(failed(dir.path()))?;
    drop(lock);
    Ok(Some(Migrated {
        from: 1,
        to: FORMAT,
        entries,
        blobs: progress.blobs,
        bytes: old.bytes,
        encrypted: format.encrypted,
        before,
    }))
}

/// Whether there is something to do. What is not even a store, or a damaged one, is refused.
fn is_old(dir: &DataDir, config: &Config) -> Result<bool, MigrateError> {
    let path = config.data_dir.display().to_string();
    match dir.found().map_err(failed(dir.path()))? {
        Found::One => Ok(true),
        Found::Nothing | Found::Current(_) => Ok(false),
        Found::Newer(format) => Err(OpenError::Newer { path, format }.into()),
        Found::Damaged(what) => Err(OpenError::Damaged(what).into()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> MigrateError + use<> {
    let path = path.display().to_string();
    move |cause| MigrateError::File { path: path.clone(), cause }
}

fn survey(dir: &DataDir) -> Result<Old, MigrateError> {
    let database = dir.database_1();
    let mut old =
        Old { blobs: Vec::new(), bytes: fs::metadata(&database).map_err(failed(&database))?.len() };
    let root = dir.blobs();
    if root.exists() {
        walk(&root, &root, &mut old).map_err(failed(&root))?;
    }
    Ok(old)
}

/// Gathers the blobs; what no key can name (an interrupted write) was no blob.
fn walk(root: &Path, at: &Path, old: &mut Old) -> io::Result<()> {
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, old)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        if let Ok(key) = name.parse() {
            old.bytes += entry.metadata()?.len();
            old.blobs.push((path, key));
        }
    }
    Ok(())
}

fn room_for(dir: &DataDir, old: &Old) -> Result<(), MigrateError> {
    let free_bytes = free_bytes(dir.path()).map_err(failed(dir.path()))?;
    let needed_bytes = old.bytes + old.bytes / 8 + MARGIN_BYTES;
    if free_bytes < needed_bytes {
        return Err(MigrateError::NoSpace { needed_bytes, free_bytes });
    }
    Ok(())
}

fn read_rows(
    dir: &DataDir,
    visit: impl FnMut(&str, Option<(&[u8], &[u8])>) -> Result<(), DbError>,
) -> Result<(), MigrateError> {
    read_format_1(&dir.database_1(), visit).map_err(|error| match error {
        DbError::InUse => OpenError::InUse { path: dir.path().display().to_string() }.into(),
        error => error.into(),
    })
}

fn copy_rows(
    dir: &DataDir,
    new: &DataDir,
    keys: Option<Keys>,
    clock: &Clock,
    (mut progress, tell): (Progress, Tell),
) -> Result<u64, MigrateError> {
    let path = new.db();
    fs::create_dir_all(&path).map_err(failed(&path))?;
    let disk: Arc<dyn Disk> = Arc::new(Directory::open(&path).map_err(failed(&path))?);
    let options = Options { keys, clock: clock.clone(), ..Options::default() };
    let mut loader = Loader::create(Arc::clone(&disk), &options)?;
    let mut sums = Sums::new();
    read_rows(dir, |table, entry| {
        let sum = sums.entry(table.to_owned()).or_default();
        let Some((key, value)) = entry else { return loader.table(table) };
        sum.add(key, value);
        progress.entries += 1;
        if progress.entries.is_multiple_of(TELL_EVERY_ROWS) {
            tell(progress);
        }
        loader.put(table, key, value)
    })?;
    loader.finish(0, clock.now())?;
    tell(progress);
    verify_rows(disk, options, &sums)?;
    Ok(progress.entries)
}

/// Reads everything back: a migration that lost something must not be swapped in.
fn verify_rows(disk: Arc<dyn Disk>, options: Options, old: &Sums) -> Result<(), MigrateError> {
    let (db, _) = Db::open(disk, options, store::schema())?;
    let snapshot = tokio::runtime::Handle::current().block_on(db.snapshot())?;
    for (table, old) in old {
        let mut new = Sum::default();
        snapshot.each(table, None, &mut |key, value| {
            new.add(key, value);
            ControlFlow::Continue(())
        })?;
        if new.entries != old.entries || new.hash.finalize() != old.hash.clone().finalize() {
            return Err(MigrateError::Differs(format!("table {table}")));
        }
    }
    Ok(())
}

async fn copy_blob(blobs: &Blobs, path: &Path, key: &BlobKey) -> Result<(), MigrateError> {
    let mut file = fs::File::open(path).map_err(failed(path))?;
    let mut writer = blobs.begin(key).await?;
    let mut old = Sha256::new();
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let taken = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        if taken.map_err(failed(path))? == 0 {
            break;
        }
        old.update(&piece);
        writer.write(Bytes::from(piece)).await?;
    }
    writer.finish().await?;
    let mut new = Sha256::new();
    let mut stored = blobs.stream(key).await?;
    while let Some(piece) = stored.pieces.try_next().await? {
        new.update(&piece);
    }
    if old.finalize() != new.finalize() {
        return Err(MigrateError::Differs(format!("blob {key}")));
    }
    Ok(())
}
