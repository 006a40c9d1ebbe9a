//! What a backup file looks like.
//!
//! A backup is a tar file in one zstd frame. The members, in this order:
//!
//! ```text
//! manifest.json       which store, when, up to which change
//! rows/TABLE/N        rows of a table in key order: length and key, length and value (u32, little
//!                     endian); at most 4 MiB a member, or one row if that is longer
//! blobs/KEY           the content of a blob
//! models/NAME/FILE    the files of an embedding model; scheduled backups leave them out, the
//!                     manifest has their names and hashes
//! config.toml         the configuration
//! sums/N              SHA-256 and name of each blob and file since the last of these, as
//!                     `sha256sum -c` reads them
//! summary.json        rows and SHA-256 of each table, counts, SHA-256 of all sums, recall probe
//! ```
//!
//! **Plain** (`.tar.zst`): the frame carries zstd's own checksum and is followed by a skippable
//! frame with the SHA-256 of everything before it. Standard tools skip that and unpack the file.
//!
//! **Encrypted** (`.fmb`): a line of JSON (manifest and wrapped data keys), a line with its SHA-256,
//! then the same zstd frame in a sealed container. The master key alone opens it, on any machine.
//! The manifest inside must be the one outside, so that the clear line cannot be exchanged.

use super::error::BackupError;
use crate::base::Time;
use crate::search::Probe;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Format of the files that this version writes.
pub(super) const FORMAT: u32 = 1;
/// Rows are cut into members of about this size.
pub(super) const CHUNK_BYTES: usize = 4 << 20;
/// Largest member that a reader takes into memory: a chunk that ends with the longest row.
pub(super) const MEMBER_BYTES_MAX: u64 = (CHUNK_BYTES as u64) + (65 << 20);
/// Sums are written when this many bytes of them have come together: some thousand files.
pub(super) const SUMS_BYTES: usize = 512 << 10;
/// Longest clear header of an encrypted backup.
pub(super) const HEADER_BYTES_MAX: usize = 256 << 10;
/// What every zstd frame starts with.
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// A skippable frame of zstd (RFC 8878, 3.1.2) with 40 bytes of content: a name and a SHA-256.
pub(super) const FOOTER_HEAD: [u8; 16] =
    [0x5A, 0x2A, 0x4D, 0x18, 40, 0, 0, 0, b'F', b'M', b'S', b'H', b'A', b'2', b'5', b'6'];
/// Length of the skippable frame.
pub(super) const FOOTER_BYTES: usize = FOOTER_HEAD.len() + 32;

/// First member: which store, when, and up to which change.
pub(super) const MANIFEST: &str = "manifest.json";
/// Last member.
pub(super) const SUMMARY: &str = "summary.json";
/// The configuration.
pub(super) const CONFIG: &str = "config.toml";
/// Rows.
pub(super) const ROWS: &str = "rows/";
/// Blobs.
pub(super) const BLOBS: &str = "blobs/";
/// Embedding models.
pub(super) const MODELS: &str = "models/";
/// Sums of blobs and files.
pub(super) const SUMS: &str = "sums/";

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the file.
    pub format: u32,
    /// The store.
    pub store_id: String,
    /// Version of the program.
    pub created_by: String,
    /// When the backup was begun.
    pub created_at: Time,
    /// The last change that is in it.
    pub sequence: u64,
    /// When that change was made.
    pub last_change_at: Time,
    /// SHA-256 of the wrapped data keys, when it is encrypted.
    pub keyring_sha256: Option<String>,
    /// The files of the embedding models in use, whether or not they are in the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelFile>,
}

/// A file of an embedding model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// `MODEL/FILE`.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// The clear header of an encrypted backup.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    /// Always 1; tells the file apart from other JSON.
    pub(super) faultmaven_backup: u32,
    /// The manifest, as it is inside.
    pub(super) manifest: Manifest,
    /// The data keys, wrapped by the master key.
    pub(super) keyring: Box<RawValue>,
}

impl Header {
    /// The two lines before the sealed container.
    pub(super) fn to_lines(manifest: &Manifest, keyring: &str) -> Result<String, BackupError> {
        let wrong = |error: serde_json::Error| BackupError::Damaged(format!("key ring: {error}"));
        let keyring = RawValue::from_string(compact(keyring)?).map_err(wrong)?;
        let header = Self { faultmaven_backup: 1, manifest: manifest.clone(), keyring };
        let line = serde_json::to_string(&header).map_err(wrong)?;
        let sum = hex(&Sha256::digest(line.as_bytes()));
        Ok(format!("{line}\n{sum}\n"))
    }

    /// Reads the two lines.
    pub(super) fn parse(line: &str, sum: &str) -> Result<Self, BackupError> {
        if sum != hex(&Sha256::digest(line.as_bytes())) {
            return Err(BackupError::Damaged("the header does not have its checksum".to_owned()));
        }
        let header: Self = serde_json::from_str(line)
            .map_err(|error| BackupError::Damaged(format!("header: {error}")))?;
        if header.manifest.keyring_sha256 != Some(keyring_sum(header.keyring.get())?) {
            return Err(BackupError::Damaged("the header has other data keys".to_owned()));
        }
        Ok(header)
    }
}

/// JSON on one line.
fn compact(json: &str) -> Result<String, BackupError> {
    let wrong = |error: serde_json::Error| BackupError::Damaged(format!("key ring: {error}"));
    let value: serde_json::Value = serde_json::from_str(json).map_err(wrong)?;
    serde_json::to_string(&value).map_err(wrong)
}

/// SHA-256 of a key ring, however it is spaced.
pub(super) fn keyring_sum(keyring: &str) -> Result<String, BackupError> {
    Ok(hex(&Sha256::digest(compact(keyring)?.as_bytes())))
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// Name of the table.
    pub table: String,
    /// Number of its rows.
    pub rows: u64,
    /// Bytes of its keys and values, with their lengths.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: String,
}

/// What a backup holds: its last member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The manifest once more.
    pub manifest: Manifest,
    /// Every table, in order.
    pub tables: Vec<TableSum>,
    /// Number of blobs.
    pub blobs: u64,
    /// Bytes of their content.
    pub blob_bytes: u64,
    /// Number of files of models, and of the configuration.
    pub files: u64,
    /// SHA-256 of all sums.
    pub sums_sha256: String,
    /// What an exact search for some stored vectors answers.
    pub probe: Probe,
}

impl Summary {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Bytes of rows and blobs, before compression.
    pub fn content_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum::<u64>() + self.blob_bytes
    }
}

/// Counts and hashes the rows of a table, in key order.
#[derive(Debug, Clone, Default)]
pub(super) struct TableHash {
    rows: u64,
    bytes: u64,
    digest: Sha256,
}

impl TableHash {
    /// Takes `rows` rows as they are written in a member.
    pub(super) fn update(&mut self, rows: u64, chunk: &[u8]) {
        self.rows += rows;
        self.bytes += chunk.len() as u64;
        self.digest.update(chunk);
    }

    /// The sum of everything taken.
    pub(super) fn finish(self, table: &str) -> TableSum {
        let Self { rows, bytes, digest } = self;
        TableSum { table: table.to_owned(), rows, bytes, sha256: hex(&digest.finalize()) }
    }
}

/// Appends a row as a member has it.
pub(super) fn put_row(chunk: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        chunk.extend_from_slice(&(part.len() as u32).to_le_bytes());
        chunk.extend_from_slice(part);
    }
}

/// Takes the next row off a member; none at its end.
pub(super) fn take_row<'a>(chunk: &mut &'a [u8]) -> Option<Result<Row<'a>, BackupError>> {
    if chunk.is_empty() {
        return None;
    }
    let mut part = || {
        let (length, rest) = chunk.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *chunk = rest;
        Some(part)
    };
    let row = part().zip(part());
    Some(row.ok_or_else(|| BackupError::Damaged("a member ends within a row".to_owned())))
}

/// A key and a value.
pub(super) type Row<'a> = (&'a [u8], &'a [u8]);

/// A line of sums.
pub(super) fn sum_line(sha256: &[u8], member: &str) -> String {
    format!("{}  {member}\n", hex(sha256))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
