//! Transactions: what a closure can see ([`View`]) and change ([`Write`]).

use super::codec::{decode, encode};
use super::error::DbError;
use super::file::{self, StoreFile};
use super::key::KeyBuf;
use super::record;
use super::table::{Index, Row, Schema, encoded};
use crate::base::page::{Page, PageRequest};
use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;
use std::sync::Arc;

/// How every table looks to redb.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, DbError> + 'a;

/// Numbers and marks that belong to no row type.
pub(super) const META: &str = "meta";

/// A contiguous part of an index.
#[derive(Debug, Clone)]
pub struct Span {
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
}

impl Span {
    /// Every entry.
    pub fn all() -> Self {
        Self { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false }
    }

    /// Entries that start with `key`.
    pub fn prefix(key: &KeyBuf) -> Self {
        Self {
            lower: Bound::Included(key.as_slice().to_vec()),
            upper: key.after_prefix().map_or(Bound::Unbounded, Bound::Excluded),
            reverse: false,
        }
    }

    /// Drops the entries that start with `key` and all before them (the place of a cursor).
    #[must_use]
    pub fn after(mut self, key: &KeyBuf) -> Self {
        self.lower = key.after_prefix().map_or(Bound::Unbounded, Bound::Included);
        self
    }

    /// Drops the entries that start with `key` and all after them.
    #[must_use]
    pub fn before(mut self, key: &KeyBuf) -> Self {
        self.upper = Bound::Excluded(key.as_slice().to_vec());
        self
    }

    /// Walks from the last entry to the first.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    fn range(&self) -> Option<Range<'_>> {
        let range = (as_slice(&self.lower), as_slice(&self.upper));
        let empty = match range {
            (Bound::Included(a), Bound::Excluded(b)) => a >= b,
            _ => false,
        };
        (!empty).then_some(range)
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// One consistent view of the store: a [`Read`] snapshot, or a [`Write`] with its own changes.
pub trait View {
    /// Reads one stored value in place; answers `None` when there is none.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine fails.
    fn value<T>(
        &self,
        table: &'static str,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError>;

    /// Walks a part of a table or index in order until the visitor breaks.
    ///
    /// # Errors
    /// [`DbError::Storage`] when the engine fails, or what the visitor answers.
    fn walk(&self, table: &'static str, span: &Span, visit: &mut Visit<'_>) -> Result<(), DbError>;

    /// The row with this primary key.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or the row does not decode.
    fn get<R: Row>(&self, key: &R::Key) -> Result<Option<R>, DbError> {
        self.value(R::TABLE, encoded(key).as_slice(), decode::<R>)
    }

    /// Whether a row with this primary key exists.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    fn contains<R: Row>(&self, key: &R::Key) -> Result<bool, DbError> {
        Ok(self.value(R::TABLE, encoded(key).as_slice(), |_| Ok(()))?.is_some())
    }

    /// The row under a key of a unique index.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or the row does not decode.
    fn find<R: Row>(&self, index: &Index<R>, key: &KeyBuf) -> Result<Option<R>, DbError> {
        match self.value(index.name, key.as_slice(), |primary| Ok(primary.to_vec()))? {
            Some(primary) => self.value(R::TABLE, &primary, decode::<R>),
            None => Ok(None),
        }
    }

    /// Rows in index order, at most `limit` of them after `offset`.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    fn list<R: Row>(
        &self,
        index: &Index<R>,
        span: &Span,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<R>, DbError> {
        let mut keys = Vec::new();
        let mut at = 0;
        self.walk(index.name, span, &mut |_, primary| {
            if at >= offset && keys.len() < limit {
                keys.push(primary.to_vec());
            }
            at += 1;
            Ok(if keys.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.rows_at(&keys)
    }

    /// One page in index order with the number of rows in the whole span.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    fn page<R: Row>(
        &self,
        index: &Index<R>,
        span: &Span,
        request: PageRequest,
    ) -> Result<Page<R>, DbError> {
        let mut keys = Vec::with_capacity(request.limit);
        let mut total_count = 0;
        self.walk(index.name, span, &mut |_, primary| {
            if total_count >= request.offset && keys.len() < request.limit {
                keys.push(primary.to_vec());
            }
            total_count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Page { items: self.rows_at(&keys)?, total_count, request })
    }

    /// Number of entries in a part of an index; reads no row.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    fn count<R: Row>(&self, index: &Index<R>, span: &Span) -> Result<usize, DbError> {
        let mut count = 0;
        self.walk(index.name, span, &mut |_, _| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// Visits rows in index order until the visitor breaks.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    fn each<R: Row>(
        &self,
        index: &Index<R>,
        span: &Span,
        mut visit: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), DbError> {
        self.walk(index.name, span, &mut |_, primary| match self.value(
            R::TABLE,
            primary,
            decode::<R>,
        )? {
            Some(row) => Ok(visit(row)),
            None => Ok(ControlFlow::Continue(())),
        })
    }

    /// Visits every row of a table in primary key order until the visitor breaks.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    fn each_row<R: Row>(
        &self,
        span: &Span,
        mut visit: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), DbError> {
        self.walk(R::TABLE, span, &mut |_, bytes| Ok(visit(decode::<R>(bytes)?)))
    }

    /// A named number kept outside any row, 0 when never set.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    fn counter(&self, name: &str) -> Result<u64, DbError> {
        let found = self.value(META, name.as_bytes(), |bytes| {
            let bytes = bytes.try_into().map_err(|_| DbError::Decode {
                table: META,
                detail: format!("counter {name} has {} bytes", bytes.len()),
            })?;
            Ok(u64::from_be_bytes(bytes))
        })?;
        Ok(found.unwrap_or(0))
    }

    /// A named value kept outside any row.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    fn mark(&self, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        self.value(META, name.as_bytes(), |bytes| Ok(bytes.to_vec()))
    }

    /// The rows with these encoded primary keys, in the order given.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    #[doc(hidden)]
    fn rows_at<R: Row>(&self, keys: &[Vec<u8>]) -> Result<Vec<R>, DbError> {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            rows.extend(self.value(R::TABLE, key, decode::<R>)?);
        }
        Ok(rows)
    }
}

/// A read snapshot: sees the last commit at its start, however long it lives.
pub struct Read {
    tables: RefCell<HashMap<&'static str, Rc<OpenTable>>>,
    tx: Arc<redb::ReadTransaction>,
    /// The file stays open as long as somebody reads it, also when a compaction replaced it.
    _file: Arc<StoreFile>,
}

type OpenTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Read {
    pub(super) fn begin(file: Arc<StoreFile>) -> Result<Self, DbError> {
        let tx = Arc::new(file.db.begin_read()?);
        Ok(Self::on(tx, file))
    }

    /// As an earlier snapshot sees it.
    pub(super) fn on(tx: Arc<redb::ReadTransaction>, file: Arc<StoreFile>) -> Self {
        Self { tables: RefCell::default(), tx, _file: file }
    }

    /// The table, opened once per snapshot. Shared, because a visitor may read other tables.
    fn table(&self, name: &'static str) -> Result<Rc<OpenTable>, DbError> {
        if let Some(table) = self.tables.borrow().get(name) {
            return Ok(Rc::clone(table));
        }
        let table = Rc::new(self.tx.open_table(Definition::new(name))?);
        self.tables.borrow_mut().insert(name, Rc::clone(&table));
        Ok(table)
    }
}

impl View for Read {
    fn value<T>(
        &self,
        table: &'static str,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        match self.table(table)?.get(key)? {
            Some(guard) => read(guard.value()).map(Some),
            None => Ok(None),
        }
    }

    fn walk(&self, table: &'static str, span: &Span, visit: &mut Visit<'_>) -> Result<(), DbError> {
        walk_table(&*self.table(table)?, span, visit)
    }
}

fn walk_table(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    span: &Span,
    visit: &mut Visit<'_>,
) -> Result<(), DbError> {
    let Some(range) = span.range() else { return Ok(()) };
    let mut entries = table.range::<&[u8]>(range)?;
    loop {
        let next = if span.reverse { entries.next_back() } else { entries.next() };
        let Some(entry) = next else { return Ok(()) };
        let (key, value) = entry?;
        if visit(key.value(), value.value())?.is_break() {
            return Ok(());
        }
    }
}

pub(super) type Hook = Box<dyn FnOnce() + Send>;
type ChangedTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// A write transaction as one closure sees it.
pub struct Write<'t> {
    tx: &'t redb::WriteTransaction,
    tables: RefCell<HashMap<&'static str, ChangedTable<'t>>>,
    schema: &'t Schema,
    changes: Cell<u64>,
    /// What the batch changed, as the log will hold it.
    body: RefCell<Vec<u8>>,
    /// Bytes by which what is stored grew.
    grown: Cell<i64>,
    hooks: RefCell<Vec<Hook>>,
}

impl<'t> Write<'t> {
    pub(super) fn new(tx: &'t redb::WriteTransaction, schema: &'t Schema) -> Self {
        Self {
            tx,
            tables: RefCell::default(),
            schema,
            changes: Cell::new(0),
            body: RefCell::default(),
            grown: Cell::new(0),
            hooks: RefCell::default(),
        }
    }

    /// Values put and deleted so far, by all closures of the batch.
    pub(super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn hooks_len(&self) -> usize {
        self.hooks.borrow().len()
    }

    pub(super) fn drop_hooks_from(&self, len: usize) {
        self.hooks.borrow_mut().truncate(len);
    }

    /// Closes the tables; answers the log's body, the growth in bytes and the hooks.
    pub(super) fn into_parts(self) -> (Vec<u8>, i64, Vec<Hook>) {
        (self.body.into_inner(), self.grown.get(), self.hooks.into_inner())
    }

    /// Runs `hook` once the change is on disk and before the caller is answered; on failure it is
    /// dropped. Hooks keep derived state (caches, indexes in memory, wake-ups) in step and must be
    /// quick.
    pub fn after_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.borrow_mut().push(Box::new(hook));
    }

    /// Stores a row, replacing one with the same key, and brings its indexes up to date.
    ///
    /// # Errors
    /// [`DbError::Unique`] or [`DbError::Orphan`] before anything is written, or
    /// [`DbError::Storage`].
    pub fn put<R: Row>(&self, row: &R) -> Result<(), DbError> {
        let primary = encoded(&row.key());
        let old = self.value(R::TABLE, primary.as_slice(), decode::<R>)?;
        self.store(&primary, old.as_ref(), row)
    }

    /// Stores a row whose key must be new.
    ///
    /// # Errors
    /// [`DbError::Unique`] naming the table when a row with the key exists; otherwise as
    /// [`Write::put`].
    pub fn insert<R: Row>(&self, row: &R) -> Result<(), DbError> {
        let primary = encoded(&row.key());
        if self.value(R::TABLE, primary.as_slice(), |_| Ok(()))?.is_some() {
            return Err(DbError::Unique { index: R::TABLE });
        }
        self.store(&primary, None, row)
    }

    fn store<R: Row>(&self, primary: &KeyBuf, old: Option<&R>, row: &R) -> Result<(), DbError> {
        let bytes = encode(row)?;
        for parent in R::PARENTS {
            if let Some(key) = (parent.parent_key)(row)
                && self.value(parent.table, key.as_slice(), |_| Ok(()))?.is_none()
            {
                return Err(DbError::Orphan { table: R::TABLE, parent: parent.table });
            }
        }
        let mut moves = Vec::with_capacity(R::INDEXES.len());
        for index in R::INDEXES {
            let (before, after) = (old.and_then(|o| index.stored_key(o)), index.stored_key(row));
            if before == after {
                continue;
            }
            if index.unique
                && let Some(key) = &after
                && self.value(index.name, key, |_| Ok(()))?.is_some()
            {
                return Err(DbError::Unique { index: index.name });
            }
            moves.push((index.name, before, after));
        }
        for (name, before, after) in moves {
            if let Some(key) = before {
                self.remove_value(name, &key)?;
            }
            if let Some(key) = after {
                self.put_value(name, &key, primary.as_slice())?;
            }
        }
        self.put_value(R::TABLE, primary.as_slice(), &bytes)
    }

    /// Deletes a row and every row that cannot outlive it; answers whether it existed.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    pub fn delete<R: Row>(&self, key: &R::Key) -> Result<bool, DbError> {
        delete_encoded::<R>(self, encoded(key).as_slice())
    }

    /// Deletes at most `limit` rows in index order; answers how many went.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails or a row does not decode.
    pub fn delete_span<R: Row>(
        &self,
        index: &Index<R>,
        span: &Span,
        limit: usize,
    ) -> Result<usize, DbError> {
        let keys = primaries(self, index.name, span, limit)?;
        for key in &keys {
            delete_encoded::<R>(self, key)?;
        }
        Ok(keys.len())
    }

    /// Adds one to a named number and answers the new value.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn next_counter(&self, name: &str) -> Result<u64, DbError> {
        let next = self.counter(name)? + 1;
        self.put_value(META, name.as_bytes(), &next.to_be_bytes())?;
        Ok(next)
    }

    /// Sets a named value kept outside any row.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn set_mark(&self, name: &str, value: &[u8]) -> Result<(), DbError> {
        self.put_value(META, name.as_bytes(), value)
    }

    /// Removes a named value kept outside any row.
    ///
    /// # Errors
    /// [`DbError`] when the engine fails.
    pub fn clear_mark(&self, name: &str) -> Result<(), DbError> {
        self.remove_value(META, name.as_bytes())
    }

    fn with<T>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut ChangedTable<'t>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.open(name)?;
        match self.tables.borrow_mut().get_mut(name) {
            Some(table) => act(table),
            None => Err(DbError::Closed),
        }
    }

    fn open(&self, name: &'static str) -> Result<(), DbError> {
        if !self.tables.borrow().contains_key(name) {
            let table = self.tx.open_table(Definition::new(name))?;
            self.tables.borrow_mut().insert(name, table);
        }
        Ok(())
    }

    fn put_value(&self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), DbError> {
        self.change(table, key, Some(value))
    }

    fn remove_value(&self, table: &'static str, key: &[u8]) -> Result<(), DbError> {
        self.change(table, key, None)
    }

    /// The one place where anything changes: in the transaction, and in what the log will say.
    fn change(&self, table: &'static str, key: &[u8], value: Option<&[u8]>) -> Result<(), DbError> {
        self.changes.set(self.changes.get() + 1);
        record::push(&mut self.body.borrow_mut(), table, key, value)?;
        let grown = self.with(table, |table| file::change(table, key, value))?;
        self.grown.set(self.grown.get() + grown);
        Ok(())
    }
}

impl View for Write<'_> {
    fn value<T>(
        &self,
        table: &'static str,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        self.open(table)?;
        match self.tables.borrow().get(table) {
            Some(table) => match table.get(key)? {
                Some(guard) => read(guard.value()).map(Some),
                None => Ok(None),
            },
            None => Err(DbError::Closed),
        }
    }

    fn walk(&self, table: &'static str, span: &Span, visit: &mut Visit<'_>) -> Result<(), DbError> {
        // Entries are copied out first: a visitor may open other tables of this transaction.
        let mut entries = Vec::new();
        let mut lower = span.clone();
        loop {
            self.open(table)?;
            if let Some(open) = self.tables.borrow().get(table) {
                walk_table(open, &lower, &mut |key, value| {
                    entries.push((key.to_vec(), value.to_vec()));
                    let full = entries.len() == WALK_BATCH;
                    Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })?;
            }
            let more = entries.len() == WALK_BATCH;
            for (key, value) in entries.drain(..) {
                if span.reverse {
                    lower.upper = Bound::Excluded(key.clone());
                } else {
                    lower.lower = Bound::Excluded(key.clone());
                }
                if visit(&key, &value)?.is_break() {
                    return Ok(());
                }
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// Entries copied at a time while a write transaction walks.
const WALK_BATCH: usize = 256;

fn primaries(
    tx: &Write<'_>,
    index: &'static str,
    span: &Span,
    limit: usize,
) -> Result<Vec<Vec<u8>>, DbError> {
    let mut keys = Vec::new();
    tx.walk(index, span, &mut |_, primary| {
        if keys.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        keys.push(primary.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(keys)
}

/// Deletes the row with this encoded key, its index entries and its children.
pub(super) fn delete_encoded<R: Row>(tx: &Write<'_>, primary: &[u8]) -> Result<bool, DbError> {
    let Some(row) = tx.value(R::TABLE, primary, decode::<R>)? else { return Ok(false) };
    for (child, index) in tx.schema.children(R::TABLE) {
        let span = Span::prefix(&encoded(&row.key()));
        for key in primaries(tx, index, &span, usize::MAX)? {
            (child.delete)(tx, &key)?;
        }
    }
    for index in R::INDEXES {
        if let Some(key) = index.stored_key(&row) {
            tx.remove_value(index.name, &key)?;
        }
    }
    tx.remove_value(R::TABLE, primary)?;
    Ok(true)
}
