//! Rows as bytes: one version byte, then bincode 2.
//!
//! bincode is called unmaintained (RUSTSEC-2025-0141), not vulnerable; it is named only here, and
//! the version byte allows a successor to be introduced row by row.

use super::error::DbError;
use super::table::Row;

/// Largest row accepted by the decoder, so that damaged lengths cannot exhaust memory.
const ROW_BYTES_MAX: usize = 64 * 1024 * 1024;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<ROW_BYTES_MAX>()
}

/// Encodes a row behind its current version byte.
pub(super) fn encode<R: Row>(row: &R) -> Result<Vec<u8>, DbError> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(R::VERSION);
    bincode::serde::encode_into_std_write(row, &mut bytes, config())
        .map_err(|e| DbError::Decode { table: R::TABLE, detail: e.to_string() })?;
    Ok(bytes)
}

/// Decodes a row of this or an earlier version.
pub(super) fn decode<R: Row>(bytes: &[u8]) -> Result<R, DbError> {
    let wrong = |detail: String| DbError::Decode { table: R::TABLE, detail };
    let (version, body) = bytes.split_first().ok_or_else(|| wrong("empty row".into()))?;
    if *version != R::VERSION {
        return R::upgrade(*version, body)
            .ok_or_else(|| wrong(format!("unknown row version {version}")));
    }
    let (row, used) = bincode::serde::decode_from_slice::<R, _>(body, config())
        .map_err(|e| wrong(e.to_string()))?;
    if used != body.len() {
        return Err(wrong(format!("{} bytes follow the row", body.len() - used)));
    }
    Ok(row)
}
