//! The store can be asked whether it is sane.

use super::codec::decode;
use super::error::DbError;
use super::table::{Row, encoded};
use super::tx::{Read, Span, View};
use serde::Serialize;
use std::ops::ControlFlow;

/// Faults reported per table; a broken table need not be listed in full.
const FAULTS_PER_TABLE_MAX: usize = 100;

/// Something that is not as it must be, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Table or index.
    pub place: &'static str,
    /// What is wrong, with the key in hexadecimal.
    pub detail: String,
}

/// Checks one table: every row decodes under its own key, has its index entries and its parents,
/// and no index entry is left over. Answers the number of rows.
pub(super) fn check_table<R: Row>(tx: &Read, faults: &mut Vec<Fault>) -> Result<u64, DbError> {
    let mut found = Vec::new();
    let mut rows = 0u64;
    let mut entries = vec![0usize; R::INDEXES.len()];
    tx.walk(R::TABLE, &Span::all(), &mut |key, bytes| {
        rows += 1;
        match decode::<R>(bytes) {
            Ok(row) => check_row(tx, key, &row, &mut entries, &mut found)?,
            Err(error) => report(&mut found, R::TABLE, key, &error.to_string()),
        }
        let full = found.len() >= FAULTS_PER_TABLE_MAX;
        Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if found.is_empty() {
        for (index, expected) in R::INDEXES.iter().zip(entries) {
            let stored = tx.count(index, &Span::all())?;
            if stored != expected {
                let detail = format!("{stored} entries stored, {expected} expected");
                found.push(Fault { place: index.name, detail });
            }
        }
    }
    faults.append(&mut found);
    Ok(rows)
}

fn check_row<R: Row>(
    tx: &Read,
    key: &[u8],
    row: &R,
    entries: &mut [usize],
    found: &mut Vec<Fault>,
) -> Result<(), DbError> {
    if encoded(&row.key()).as_slice() != key {
        report(found, R::TABLE, key, "the row says it has another key");
    }
    for (index, count) in R::INDEXES.iter().zip(entries) {
        let Some(entry) = index.stored_key(row) else { continue };
        *count += 1;
        match tx.value(index.name, &entry, |primary| Ok(primary == key))? {
            Some(true) => {}
            Some(false) => report(found, index.name, key, "the entry points to another row"),
            None => report(found, index.name, key, "the entry is missing"),
        }
    }
    for parent in R::PARENTS {
        let Some(parent_key) = (parent.parent_key)(row) else { continue };
        if tx.value(parent.table, parent_key.as_slice(), |_| Ok(()))?.is_none() {
            report(found, R::TABLE, key, &format!("the row of {} is missing", parent.table));
        }
    }
    Ok(())
}

fn report(found: &mut Vec<Fault>, place: &'static str, key: &[u8], what: &str) {
    let hex: String = key.iter().take(48).map(|byte| format!("{byte:02x}")).collect();
    found.push(Fault { place, detail: format!("{what} (key {hex})") });
}
