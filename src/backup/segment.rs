//! One file of the archive's log: some consecutive changes.

use super::error::BackupError;
use super::file::NewFile;
use super::format::MEMBER_BYTES_MAX;
use crate::base::Time;
use crate::engine::db::Record;
use crate::engine::key::{Seal, SealedReader, SealedWriter};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::str::FromStr;

/// Ends the name of a segment.
const END: &str = ".fma";
/// Fast; changes compress well at any level.
const ZSTD_LEVEL: i32 = 1;

/// What a segment holds: its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    /// First change.
    pub(super) first: u64,
    /// Last change.
    pub(super) last: u64,
    /// Everything committed until then is in this segment or one before: when it was archived, or,
    /// when more followed in the same step, just before its last change.
    pub(super) at: Time,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}-{:015}{END}", self.first, self.last, self.at.unix_ms())
    }
}

impl FromStr for SegmentName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.strip_suffix(END).ok_or(())?.split('-').map(u64::from_str);
        let mut next = || parts.next().and_then(Result::ok).ok_or(());
        let (first, last, ms) = (next()?, next()?, next()?);
        let at = Time::default().plus_ms(i64::try_from(ms).map_err(|_| ())?);
        Ok(Self { first, last, at })
    }
}

/// The segments in a directory in order of their changes; other files are passed over.
///
/// # Errors
/// [`BackupError::File`]; a directory that is missing is empty.
pub(super) fn names(directory: &Path) -> Result<Vec<SegmentName>, BackupError> {
    let entries = match directory.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(BackupError::file(directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(BackupError::file(directory))?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<SegmentName>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a segment whole and on disk; answers its size in bytes.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn write(
    directory: &Path,
    name: SegmentName,
    seal: &Seal,
    records: &[Record],
) -> Result<u64, BackupError> {
    let path = directory.join(name.to_string());
    if path.exists() {
        // It was written and the process ended before it could say so.
        std::fs::remove_file(&path).map_err(BackupError::file(&path))?;
    }
    let (new, file) = NewFile::create(&path)?;
    let to = SealedWriter::new(BufWriter::new(file), seal);
    let mut to = zstd::Encoder::new(to, ZSTD_LEVEL).map_err(BackupError::file(&path))?;
    let mut bytes = Vec::new();
    for record in records {
        bytes.clear();
        record.encode(&mut bytes)?;
        let length = (bytes.len() as u64).to_le_bytes();
        let written = to.write_all(&length).and_then(|()| to.write_all(&bytes));
        written.map_err(BackupError::file(&path))?;
    }
    let file = to
        .finish()
        .and_then(SealedWriter::finish)
        .and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error));
    new.finish(file.map_err(BackupError::file(&path))?)
}

/// Visits the changes of a segment in order; they are consecutive and those its name says. All of
/// them are proven only when it answers.
///
/// # Errors
/// [`BackupError::Archive`] when it is not as it was written, or what `visit` answers.
pub(super) fn read(
    directory: &Path,
    name: SegmentName,
    seal: &Seal,
    visit: &mut dyn FnMut(Record) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let path = directory.join(name.to_string());
    let damaged = |cause: &dyn fmt::Display| BackupError::Archive(format!("{name}: {cause}"));
    let decoding = |error: io::Error| match error.raw_os_error() {
        Some(_) => BackupError::file(&path)(error),
        None => damaged(&error),
    };
    let file = File::open(&path).map_err(BackupError::file(&path))?;
    let sealed = SealedReader::new(BufReader::new(file), seal);
    let mut from = zstd::Decoder::new(sealed).map_err(decoding)?;
    for sequence in name.first..=name.last {
        let mut length = [0; 8];
        from.read_exact(&mut length).map_err(decoding)?;
        let length = u64::from_le_bytes(length);
        // A commit joins many writes: it may be as large as many rows.
        if length > MEMBER_BYTES_MAX * 64 {
            return Err(damaged(&"a change is too long"));
        }
        let mut bytes = Vec::new();
        (&mut from).take(length).read_to_end(&mut bytes).map_err(decoding)?;
        let record = Record::decode(&bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 != length || record.sequence != sequence {
            return Err(damaged(&"a change is not the one it should be"));
        }
        visit(record)?;
    }
    match from.read(&mut [0]).map_err(decoding)? {
        0 => Ok(()),
        _ => Err(damaged(&"something follows its end")),
    }
}
