//! The store file: redb over checked pages, brought up to date by log records and checkpoints.

use super::error::DbError;
use super::pages::{Failure, Health, Pages};
use super::record;
use super::tx::{Definition, META};
use crate::base::Time;
use crate::engine::disk::Disk;
use crate::engine::key::Keys;
use redb::{Durability, ReadableDatabase, Table, TableDefinition};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The store file's name.
pub(super) const STORE: &str = "store.db";
/// A store file in the making; worthless until it is renamed.
pub(super) const INCOMING: &str = "store.new";
/// What the keys of the store file are derived for.
const STORE_PURPOSE: &str = "store file";
/// Last sequence that the file holds durably.
const APPLIED: &[u8] = b"log.applied";
/// Time of that commit, in microseconds.
const APPLIED_AT: &[u8] = b"log.applied_at";
/// Bytes of all keys and values.
const LIVE: &[u8] = b"store.live_bytes";

/// Whether a named number is the file's own: not part of what is stored.
pub(super) fn is_own(table: &str, key: &[u8]) -> bool {
    table == META && [APPLIED, APPLIED_AT, LIVE].contains(&key)
}

/// How far a store file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Last commit in it.
    pub(super) sequence: u64,
    /// When that was.
    pub(super) time: Time,
    /// Bytes of all keys and values.
    pub(super) live_bytes: u64,
}

/// An open store file.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) db: redb::Database,
    pub(super) health: Arc<Health>,
}

impl StoreFile {
    /// Opens the file called `name`, or makes it.
    ///
    /// # Errors
    /// [`DbError::Damaged`] naming what cannot be read, or [`DbError::Storage`].
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        name: &str,
        keys: Option<&Keys>,
        cache_bytes: usize,
    ) -> Result<Self, DbError> {
        let xts = keys.map(|keys| keys.xts(STORE_PURPOSE));
        let (pages, health) = Pages::open(disk, name, xts).map_err(DbError::full_or_io)?;
        let mut builder = redb::Database::builder();
        builder.set_cache_size(cache_bytes);
        // A damaged header can lead redb to what it holds impossible: a panic there is damage too.
        let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(pages)));
        let opened = opened.map_err(|_| DbError::Damaged(format!("{name}: its header is damaged")));
        let db = opened?.map_err(|error| damaged_or(name, &health, error.into()))?;
        Ok(Self { db, health })
    }

    /// Makes the tables that are missing.
    pub(super) fn ensure(&self, names: impl Iterator<Item = &'static str>) -> Result<(), DbError> {
        let read = self.db.begin_read()?;
        let there: Vec<String> =
            read.list_tables()?.map(|table| redb::TableHandle::name(&table).to_owned()).collect();
        drop(read);
        let missing: Vec<_> =
            names.chain([META]).filter(|name| !there.iter().any(|t| t == name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin_write()?;
        tx.set_quick_repair(true);
        for name in missing {
            tx.open_table(Definition::new(name))?;
        }
        Ok(tx.commit()?)
    }

    /// How far the file is.
    pub(super) fn mark(&self) -> Result<Mark, DbError> {
        let read = self.db.begin_read()?;
        let meta = read.open_table(Definition::new(META))?;
        let number = |key: &[u8]| -> Result<u64, DbError> {
            let found = meta.get(key)?;
            let bytes = found.and_then(|guard| guard.value().try_into().ok());
            Ok(bytes.map_or(0, u64::from_be_bytes))
        };
        let time = Time::from_unix_us(number(APPLIED_AT)? as i64);
        Ok(Mark { sequence: number(APPLIED)?, time, live_bytes: number(LIVE)? })
    }

    /// Commits without waiting for the disk.
    pub(super) fn begin(&self) -> Result<redb::WriteTransaction, DbError> {
        let mut tx = self.db.begin_write()?;
        tx.set_durability(Durability::None).map_err(|e| DbError::io(io::Error::other(e)))?;
        Ok(tx)
    }

    /// Makes everything committed so far durable, with its mark.
    pub(super) fn checkpoint(&self, mark: Mark) -> Result<(), DbError> {
        let mut tx = self.db.begin_write()?;
        // Opening after a crash then reads the allocator's state instead of walking every page.
        tx.set_quick_repair(true);
        {
            let mut meta = tx.open_table(Definition::new(META))?;
            meta.insert(APPLIED, mark.sequence.to_be_bytes().as_slice())?;
            meta.insert(APPLIED_AT, (mark.time.unix_us() as u64).to_be_bytes().as_slice())?;
            meta.insert(LIVE, mark.live_bytes.to_be_bytes().as_slice())?;
        }
        Ok(tx.commit()?)
    }
}

type BytesTable<'tx> = Table<'tx, &'static [u8], &'static [u8]>;

/// Applies the changes of one record; answers by how many bytes what is stored grew.
pub(super) fn apply(tx: &redb::WriteTransaction, body: &[u8]) -> Result<i64, DbError> {
    let mut open: Option<(&str, BytesTable<'_>)> = None;
    let mut grown = 0;
    record::each(body, |name, key, value| {
        if open.as_ref().is_none_or(|(opened, _)| *opened != name) {
            // One table can be open once only: the last one is closed first.
            open = None;
            open = Some((name, tx.open_table(TableDefinition::new(name))?));
        }
        if let Some((_, table)) = &mut open {
            grown += change(table, key, value)?;
        }
        Ok(())
    })?;
    Ok(grown)
}

/// Stores or deletes one value; answers by how many bytes what is stored grew.
pub(super) fn change(
    table: &mut BytesTable<'_>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<i64, DbError> {
    let old = match value {
        Some(value) => table.insert(key, value)?,
        None => table.remove(key)?,
    };
    let old = old.map_or(0, |old| key.len() + old.value().len());
    let new = value.map_or(0, |value| key.len() + value.len());
    Ok(new as i64 - old as i64)
}

fn damaged_or(name: &str, health: &Health, error: redb::Error) -> DbError {
    match (health.failure(), error) {
        (Some(Failure::Full), _) => DbError::Full,
        (Some(Failure::Damaged(what)), _) => DbError::Damaged(what),
        (_, redb::Error::Corrupted(what)) => DbError::Damaged(format!("{name}: {what}")),
        (_, redb::Error::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            DbError::Damaged(format!("{name}: {error}"))
        }
        (_, error) => DbError::Storage(Arc::new(error)),
    }
}
