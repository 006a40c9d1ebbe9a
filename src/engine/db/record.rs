//! One commit as the log and the archive hold it: the state after it of everything it changed.

use super::error::DbError;
use crate::base::Time;

/// Stands for "deleted" where a value's length would be.
const DELETED: u32 = u32::MAX;
/// How a record is called in errors.
const PLACE: &str = "log";

/// What one commit changed. Applying records again, in order, changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number of the commit; the next one has the next number.
    pub sequence: u64,
    /// When it was committed; never before an earlier record's.
    pub time: Time,
    /// Rows, index entries and numbers, in the order they were changed.
    pub changes: Vec<Change>,
}

/// One stored value as a commit left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Table or index.
    pub table: String,
    /// Encoded key.
    pub key: Vec<u8>,
    /// Encoded value; none when it was deleted.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// Appends the record as bytes: sequence, time in microseconds, changes.
    ///
    /// # Errors
    /// [`DbError::Decode`] when a change is larger than the format can say (4 GiB).
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.time.unix_us().to_le_bytes());
        for change in &self.changes {
            push(out, &change.table, &change.key, change.value.as_deref())?;
        }
        Ok(())
    }

    /// About how many bytes it takes in memory and encoded.
    pub fn size_bytes(&self) -> usize {
        let sizes = self.changes.iter().map(|change| {
            change.table.len() + change.key.len() + change.value.as_ref().map_or(0, Vec::len) + 9
        });
        16 + sizes.sum::<usize>()
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// [`DbError::Decode`] when the bytes are no record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DbError> {
        let (sequence, rest) = bytes.split_first_chunk().ok_or_else(torn)?;
        let (time, body) = rest.split_first_chunk().ok_or_else(torn)?;
        let time = Time::from_unix_us(i64::from_le_bytes(*time));
        Self::from_body(u64::from_le_bytes(*sequence), time, body)
    }

    /// A record from its changes as [`push`] wrote them.
    pub(super) fn from_body(sequence: u64, time: Time, body: &[u8]) -> Result<Self, DbError> {
        let mut changes = Vec::new();
        each(body, |table, key, value| {
            let (key, value) = (key.to_vec(), value.map(<[u8]>::to_vec));
            changes.push(Change { table: table.to_owned(), key, value });
            Ok(())
        })?;
        Ok(Self { sequence, time, changes })
    }
}

/// Appends one change: table, key and value, each behind its length.
pub(super) fn push(
    out: &mut Vec<u8>,
    table: &str,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), DbError> {
    let large = |_| too_large();
    let value_length = value.map_or(Ok(DELETED), |value| u32::try_from(value.len()));
    let value_length = value_length.map_err(large)?;
    if value.is_some() && value_length == DELETED {
        return Err(too_large());
    }
    let key_length = u32::try_from(key.len()).map_err(large)?;
    out.push(u8::try_from(table.len()).map_err(large)?);
    out.extend_from_slice(table.as_bytes());
    out.extend_from_slice(&key_length.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&value_length.to_le_bytes());
    out.extend_from_slice(value.unwrap_or_default());
    Ok(())
}

/// Visits the changes of a body without copying them.
pub(super) fn each<'a>(
    mut body: &'a [u8],
    mut visit: impl FnMut(&'a str, &'a [u8], Option<&'a [u8]>) -> Result<(), DbError>,
) -> Result<(), DbError> {
    while let Some((table_length, rest)) = body.split_first() {
        let (table, rest) = rest.split_at_checked(usize::from(*table_length)).ok_or_else(torn)?;
        let table = std::str::from_utf8(table).map_err(|_| torn())?;
        let (length, rest) = length(rest)?;
        let (key, rest) = rest.split_at_checked(length as usize).ok_or_else(torn)?;
        let (length, rest) = self::length(rest)?;
        if length == DELETED {
            visit(table, key, None)?;
            body = rest;
        } else {
            let (value, rest) = rest.split_at_checked(length as usize).ok_or_else(torn)?;
            visit(table, key, Some(value))?;
            body = rest;
        }
    }
    Ok(())
}

fn length(bytes: &[u8]) -> Result<(u32, &[u8]), DbError> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(torn)?;
    Ok((u32::from_le_bytes(*length), rest))
}

fn torn() -> DbError {
    DbError::Decode { table: PLACE, detail: "the record is cut off".into() }
}

/// A change or a commit is larger than the format can say.
pub(super) fn too_large() -> DbError {
    DbError::Decode { table: PLACE, detail: "a change is larger than 4 GiB".into() }
}
