//! Building a store file apart from the one in use: for restores, migrations and compaction.

use super::error::DbError;
use super::file::{INCOMING, Mark, STORE, StoreFile, apply};
use super::record::{self, Record};
use super::snapshot::Snapshot;
use super::store::Options;
use crate::base::Time;
use crate::engine::disk::Disk;
use redb::TableDefinition;
use std::sync::Arc;

/// Bytes gathered before they go to the file: what a load holds in memory besides the page cache.
const PIECE_BYTES: usize = 4 << 20;

/// A store file being filled. Until it is finished there is no store, only a file to throw away.
pub struct Loader {
    disk: Arc<dyn Disk>,
    file: StoreFile,
    body: Vec<u8>,
    live_bytes: i64,
}

impl Loader {
    /// Starts a store file; what an earlier attempt left is thrown away.
    ///
    /// # Errors
    /// [`DbError::Full`] or [`DbError::Storage`] when the file cannot be made.
    pub fn create(disk: Arc<dyn Disk>, options: &Options) -> Result<Self, DbError> {
        discard(&*disk)?;
        let keys = options.keys.as_ref();
        let file = StoreFile::open(&disk, INCOMING, keys, options.cache_bytes)?;
        file.ensure(std::iter::empty())?;
        Ok(Self { disk, file, body: Vec::new(), live_bytes: 0 })
    }

    /// Goes on with the store of its disk, which nobody may have open: it is no store again until it
    /// is finished. Its log must be empty, as that of a loaded store is.
    ///
    /// # Errors
    /// [`DbError::Storage`] when there is no store, or it cannot be opened.
    pub fn resume(disk: Arc<dyn Disk>, options: &Options) -> Result<Self, DbError> {
        discard(&*disk)?;
        disk.rename(STORE, INCOMING).map_err(DbError::io)?;
        disk.sync_names().map_err(DbError::io)?;
        let keys = options.keys.as_ref();
        let file = StoreFile::open(&disk, INCOMING, keys, options.cache_bytes)?;
        let live_bytes = i64::try_from(file.mark()?.live_bytes).unwrap_or(i64::MAX);
        Ok(Self { disk, file, body: Vec::new(), live_bytes })
    }

    /// Makes a table that may stay empty.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn table(&self, name: &str) -> Result<(), DbError> {
        let tx = self.file.begin()?;
        tx.open_table(TableDefinition::<&'static [u8], &'static [u8]>::new(name))?;
        Ok(tx.commit()?)
    }

    /// Stores one encoded value.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn put(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<(), DbError> {
        record::push(&mut self.body, table, key, Some(value))?;
        if self.body.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Applies what one commit changed.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn apply(&mut self, record: &Record) -> Result<(), DbError> {
        for each in &record.changes {
            record::push(&mut self.body, &each.table, &each.key, each.value.as_deref())?;
        }
        if self.body.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), DbError> {
        let tx = self.file.begin()?;
        self.live_bytes += apply(&tx, &self.body)?;
        tx.commit()?;
        self.body.clear();
        Ok(())
    }

    /// Makes it the store of its disk: the state after commit `sequence`, made at `time`.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails; there is no store then.
    pub fn finish(self, sequence: u64, time: Time) -> Result<(), DbError> {
        let disk = Arc::clone(&self.disk);
        drop(self.durable(sequence, time)?);
        disk.rename(INCOMING, STORE).map_err(DbError::io)?;
        disk.sync_names().map_err(DbError::io)
    }

    /// Makes the content durable, under the name of a file in the making.
    pub(super) fn durable(
        mut self,
        sequence: u64,
        time: Time,
    ) -> Result<(StoreFile, Mark), DbError> {
        self.flush()?;
        let live_bytes = u64::try_from(self.live_bytes).unwrap_or(0);
        let mark = Mark { sequence, time, live_bytes };
        self.file.checkpoint(mark)?;
        Ok((self.file, mark))
    }
}

/// A look at the store of a disk, which nobody may have open; changes that only its log holds are
/// not seen.
///
/// # Errors
/// [`DbError::Damaged`] or [`DbError::Storage`] when it cannot be opened.
pub fn peek(disk: &Arc<dyn Disk>, options: &Options) -> Result<Snapshot, DbError> {
    disk.open(STORE).map_err(DbError::io)?;
    let keys = options.keys.as_ref();
    let file = Arc::new(StoreFile::open(disk, STORE, keys, options.cache_bytes)?);
    let Mark { sequence, time, .. } = file.mark()?;
    Snapshot::take(file, sequence, time)
}

/// Removes a store file that was never finished.
pub(super) fn discard(disk: &dyn Disk) -> Result<(), DbError> {
    match disk.remove(INCOMING) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(DbError::io(error)),
        _ => Ok(()),
    }
}

/// Visits every table of a store of format 1: a plain redb file.
///
/// # Errors
/// [`DbError::InUse`], [`DbError::Storage`] when it cannot be read, or what `visit` answers.
pub fn read_format_1<E: From<DbError>>(
    path: &std::path::Path,
    mut visit: impl FnMut(&str, Option<(&[u8], &[u8])>) -> Result<(), E>,
) -> Result<(), E> {
    use redb::{ReadableDatabase, ReadableTable, TableHandle};
    let db = redb::Database::open(path).map_err(DbError::from)?;
    let read = db.begin_read().map_err(DbError::from)?;
    let names: Vec<_> = read.list_tables().map_err(DbError::from)?.collect();
    for name in names {
        visit(name.name(), None)?;
        let definition = TableDefinition::<&'static [u8], &'static [u8]>::new(name.name());
        let table = read.open_table(definition).map_err(DbError::from)?;
        for entry in table.iter().map_err(DbError::from)? {
            let (key, value) = entry.map_err(DbError::from)?;
            visit(name.name(), Some((key.value(), value.value())))?;
        }
    }
    Ok(())
}
