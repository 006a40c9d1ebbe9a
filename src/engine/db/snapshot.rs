//! The whole store at one commit, as bytes.

use super::error::DbError;
use super::file::{StoreFile, is_own};
use super::tx::Read;
use crate::base::Time;
use redb::{TableDefinition, TableHandle};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// Shown keys and values until it breaks.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Every table and index as one commit left them, however long it is looked at.
pub struct Snapshot {
    /// Number of the commit.
    pub sequence: u64,
    /// When it was made.
    pub time: Time,
    tx: Arc<redb::ReadTransaction>,
    file: Arc<StoreFile>,
}

impl Snapshot {
    pub(super) fn take(file: Arc<StoreFile>, sequence: u64, time: Time) -> Result<Self, DbError> {
        use redb::ReadableDatabase;
        let tx = Arc::new(file.db.begin_read()?);
        Ok(Self { sequence, time, tx, file })
    }

    /// Names of all tables and indexes, in order.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn tables(&self) -> Result<Vec<String>, DbError> {
        let mut names: Vec<_> = self.tx.list_tables()?.map(|t| t.name().to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Visits the keys and values of a table after `after` (all when none) in order, until the
    /// visitor breaks.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or there is no such table.
    pub fn each(
        &self,
        table: &str,
        after: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), DbError> {
        let definition = TableDefinition::<&'static [u8], &'static [u8]>::new(table);
        let open = self.tx.open_table(definition)?;
        let lower = after.map_or(Bound::Unbounded, Bound::Excluded);
        for entry in open.range::<&[u8]>((lower, Bound::Unbounded))? {
            let (key, value) = entry?;
            if !is_own(table, key.value()) && visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The same moment, for typed reads.
    pub fn view(&self) -> Read {
        Read::on(Arc::clone(&self.tx), Arc::clone(&self.file))
    }
}
