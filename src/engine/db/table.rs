//! Declarations of tables, indexes and references; they stand next to the row type.

use super::check::{self, Fault};
use super::error::DbError;
use super::key::{Key, KeyBuf, key};
use super::tx::{self, Read, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A stored row: its table, its key, its indexes and its parents.
pub trait Row: Serialize + DeserializeOwned + 'static {
    /// The primary key.
    type Key: Key;
    /// Name of the table on disk; never reused for another type.
    const TABLE: &'static str;
    /// Version byte of rows written now.
    const VERSION: u8 = 1;
    /// Secondary indexes, kept right by every put and delete.
    const INDEXES: &'static [Index<Self>] = &[];
    /// Rows this row cannot outlive.
    const PARENTS: &'static [Parent<Self>] = &[];

    /// The primary key of this row.
    fn key(&self) -> Self::Key;

    /// Reads a row written by an earlier version, without its version byte.
    fn upgrade(_version: u8, _body: &[u8]) -> Option<Self> {
        None
    }
}

/// A secondary index: unique or not, and partial where the key function answers `None`.
pub struct Index<R> {
    pub(super) name: &'static str,
    pub(super) unique: bool,
    pub(super) entry: fn(&R) -> Option<KeyBuf>,
}

impl<R: Row> Index<R> {
    /// An index under which several rows may stand; ties are in primary key order.
    pub const fn many(name: &'static str, entry: fn(&R) -> Option<KeyBuf>) -> Self {
        Self { name, unique: false, entry }
    }

    /// An index under which one row may stand; a second is refused with [`DbError::Unique`].
    pub const fn unique(name: &'static str, entry: fn(&R) -> Option<KeyBuf>) -> Self {
        Self { name, unique: true, entry }
    }

    /// The index's name on disk, as found in [`DbError::Unique`].
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The full stored key for a row: a non-unique entry ends with the primary key.
    pub(super) fn stored_key(&self, row: &R) -> Option<Vec<u8>> {
        let entry = (self.entry)(row)?;
        let full = if self.unique { entry } else { row.key().append(entry) };
        Some(full.as_slice().to_vec())
    }
}

/// A reference to a parent row. Putting a row without its parent is refused; deleting the parent
/// deletes the row.
pub struct Parent<R> {
    pub(super) table: &'static str,
    pub(super) index: Index<R>,
    pub(super) parent_key: fn(&R) -> Option<KeyBuf>,
}

impl<R: Row> Parent<R> {
    /// Refers to `P` by `parent_key`; `index` must start with that key, so that the children of a
    /// parent are one range of it. A row for which `parent_key` is `None` has no such parent.
    pub const fn of<P: Row>(index: Index<R>, parent_key: fn(&R) -> Option<KeyBuf>) -> Self {
        Self { table: P::TABLE, index, parent_key }
    }
}

/// What the store knows of one table without its type.
pub(super) struct TableEntry {
    pub(super) name: &'static str,
    pub(super) indexes: Vec<&'static str>,
    /// (parent table, child index that starts with the parent's key)
    pub(super) parents: Vec<(&'static str, &'static str)>,
    pub(super) delete: fn(&Write<'_>, &[u8]) -> Result<bool, DbError>,
    pub(super) check: fn(&Read, &mut Vec<Fault>) -> Result<u64, DbError>,
}

/// Every table of the store; rooms add theirs, `app` joins them.
#[derive(Default)]
pub struct Schema {
    pub(super) tables: Vec<TableEntry>,
}

impl Schema {
    /// A schema without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row type.
    ///
    /// # Panics
    /// When two row types claim one table or index name: a programming error, seen at start.
    #[must_use]
    pub fn with<R: Row>(mut self) -> Self {
        let indexes: Vec<_> = R::INDEXES.iter().map(|index| index.name).collect();
        for name in indexes.iter().chain([&R::TABLE]) {
            assert!(!self.names().any(|taken| taken == *name), "two tables are called {name}");
        }
        self.tables.push(TableEntry {
            name: R::TABLE,
            indexes,
            parents: R::PARENTS.iter().map(|p| (p.table, p.index.name)).collect(),
            delete: tx::delete_encoded::<R>,
            check: check::check_table::<R>,
        });
        self
    }

    /// Names of the tables that hold rows, without the indexes.
    pub fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().map(|table| table.name)
    }

    /// All names on disk: tables and indexes.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().flat_map(|t| t.indexes.iter().copied().chain([t.name]))
    }

    /// Tables whose rows fall with a row of `parent`, with the index that finds them.
    pub(super) fn children(
        &self,
        parent: &'static str,
    ) -> impl Iterator<Item = (&TableEntry, &'static str)> {
        self.tables.iter().flat_map(move |table| {
            let of_parent = table.parents.iter().filter(move |(p, _)| *p == parent);
            of_parent.map(move |(_, index)| (table, *index))
        })
    }
}

/// Encodes a primary key.
pub(super) fn encoded<K: Key>(primary: &K) -> KeyBuf {
    primary.append(key())
}
