//! The row of an uploaded file: what came in, how far its processing is, what it said.
//!
//! The bytes lie elsewhere; the room that keeps them calls these operations.

use super::access::{Reader, Writer};
use super::error::CaseError;
use super::field::{Fields, same_version};
use super::tables::words::{FileSource, ProcessingStatus};
use super::tables::{FILES_BY_CASE, FILES_BY_HASH, FileAnalysisRow, FileRow};
use super::{case, evidence};
use crate::base::id::FileId;
use crate::base::{Page, PageRequest, Time};
use crate::engine::db::{Span, View, Write, key};
use serde_json::value::RawValue;

/// Longest file name, in characters (reference facts 1.3).
pub const NAME_CHARS_MAX: usize = 255;
/// Longest media type, in characters (reference facts 1.3).
pub const TYPE_CHARS_MAX: usize = 100;
/// Longest storage key, in characters (reference facts 1.3).
pub const KEY_CHARS_MAX: usize = 1000;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 2000;
/// Longest summary, in characters (ruling 16).
pub const SUMMARY_CHARS_MAX: usize = 500;
/// Longest processing error, in characters.
pub const ERROR_CHARS_MAX: usize = 2000;
/// Largest analysis, in bytes of JSON: the findings of a 10 MiB file with room to spare.
pub const ANALYSIS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A file that came in.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Its id.
    pub file_id: FileId,
    /// Name as uploaded.
    pub filename: String,
    /// Size as uploaded, in bytes.
    pub size_bytes: u64,
    /// Media type as uploaded.
    pub content_type: Option<String>,
    /// SHA-256 of the bytes as uploaded.
    pub sha256: [u8; 32],
    /// Type of the content, where the uploader says so.
    pub data_type: Option<String>,
    /// What the uploader says about it.
    pub description: Option<String>,
    /// Where the raw bytes lie.
    pub storage_key: String,
    /// How it came in.
    pub source_type: FileSource,
}

/// What became of a file that came in (ruling 15).
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// The case has a new file.
    New(FileRow),
    /// The case has this content already; nothing was stored.
    Duplicate(FileRow),
}

/// What processing found in a file.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Type of the content.
    pub data_type: String,
    /// The content in a few sentences.
    pub summary: Option<String>,
    /// The whole analysis: text of a JSON object of at most [`ANALYSIS_BYTES_MAX`] bytes.
    pub analysis: String,
}

/// Enters a file, unless the case has its content already.
///
/// # Errors
/// [`CaseError::Ended`] when the case has ended, [`CaseError::Fields`].
pub fn add(tx: &Write<'_>, may: &Writer, new: &NewFile, now: Time) -> Result<Added, CaseError> {
    let owner = case::get(tx, may)?;
    case::takes_evidence(&owner, may)?;
    if let Some(same) = with_content(tx, may, &new.sha256)? {
        return Ok(Added::Duplicate(same));
    }
    let mut fields = Fields::default();
    let row = FileRow {
        file_id: new.file_id,
        case_id: may.case_id(),
        filename: fields.text("filename", &new.filename, NAME_CHARS_MAX),
        size_bytes: new.size_bytes,
        content_type: fields.optional("content_type", new.content_type.as_deref(), TYPE_CHARS_MAX),
        sha256: new.sha256,
        data_type: fields.optional(
            "data_type",
            new.data_type.as_deref(),
            evidence::DATA_TYPE_CHARS_MAX,
        ),
        description: fields.optional(
            "description",
            new.description.as_deref(),
            DESCRIPTION_CHARS_MAX,
        ),
        storage_key: fields.text("storage_key", &new.storage_key, KEY_CHARS_MAX),
        source_type: new.source_type,
        uploaded_at_turn: owner.current_turn,
        uploaded_by: may.by().to_owned(),
        processing_status: ProcessingStatus::Pending,
        processing_error: None,
        summary: None,
        analysis_bytes: None,
        uploaded_at: now,
        processed_at: None,
        version: 1,
    };
    fields.done()?;
    tx.insert(&row)?;
    case::touch(tx, may, now)?;
    Ok(Added::New(row))
}

/// The file of the case with this content, if processing did not fail on it.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn with_content(
    tx: &impl View,
    may: &Reader,
    sha256: &[u8; 32],
) -> Result<Option<FileRow>, CaseError> {
    Ok(tx.find(&FILES_BY_HASH, &key().id(&may.case_id()).raw(sha256))?)
}

/// Notes that a worker took the file up, for the first time or again.
///
/// # Errors
/// [`CaseError::FileMissing`]; [`CaseError::Storage`] naming the content index when the case has
/// got the content of a failed file a second time.
pub fn start(tx: &Write<'_>, may: &Writer, file_id: FileId) -> Result<FileRow, CaseError> {
    let mut row = get(tx, may, file_id)?;
    row.processing_status = ProcessingStatus::Processing;
    row.processing_error = None;
    row.version += 1;
    tx.put(&row)?;
    Ok(row)
}

/// Stores what processing found; an earlier analysis is replaced.
///
/// # Errors
/// [`CaseError::FileMissing`], [`CaseError::Fields`] when the analysis is too large or no object, or
/// the summary too long.
pub fn finish(
    tx: &Write<'_>,
    may: &Writer,
    file_id: FileId,
    found: &Finished,
    now: Time,
) -> Result<FileRow, CaseError> {
    let mut row = get(tx, may, file_id)?;
    let mut fields = Fields::default();
    let body = fields.content("analysis", &found.analysis, ANALYSIS_BYTES_MAX);
    if !is_object(&body) {
        fields.wrong("analysis", "must be a JSON object");
    }
    let type_max = evidence::DATA_TYPE_CHARS_MAX;
    row.data_type = Some(fields.text("data_type", &found.data_type, type_max));
    row.summary = fields.optional("summary", found.summary.as_deref(), SUMMARY_CHARS_MAX);
    fields.done()?;
    row.processing_status = ProcessingStatus::Completed;
    row.processing_error = None;
    row.analysis_bytes = Some(body.len() as u64);
    row.processed_at = Some(now);
    row.version += 1;
    tx.put(&row)?;
    tx.put(&FileAnalysisRow { file_id, body })?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn is_object(body: &str) -> bool {
    let raw: Result<&RawValue, _> = serde_json::from_str(body);
    raw.is_ok_and(|raw| raw.get().starts_with('{'))
}

/// Notes that processing failed for good; the reason is cut where it is too long.
///
/// # Errors
/// [`CaseError::FileMissing`].
pub fn fail(
    tx: &Write<'_>,
    may: &Writer,
    file_id: FileId,
    error: &str,
    now: Time,
) -> Result<FileRow, CaseError> {
    let mut row = get(tx, may, file_id)?;
    row.processing_status = ProcessingStatus::Failed;
    row.processing_error = Some(error.chars().take(ERROR_CHARS_MAX).collect());
    row.processed_at = Some(now);
    row.version += 1;
    tx.put(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

/// One file of the case.
///
/// # Errors
/// [`CaseError::FileMissing`].
pub fn get(tx: &impl View, may: &Reader, file_id: FileId) -> Result<FileRow, CaseError> {
    let found = tx.get::<FileRow>(&file_id)?.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::FileMissing(file_id))
}

/// The analysis of a file as JSON text, once there is one.
///
/// # Errors
/// [`CaseError::FileMissing`].
pub fn analysis(
    tx: &impl View,
    may: &Reader,
    file_id: FileId,
) -> Result<Option<String>, CaseError> {
    get(tx, may, file_id)?;
    Ok(tx.get::<FileAnalysisRow>(&file_id)?.map(|row| row.body))
}

/// One window of the files of a case, newest first.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    request: PageRequest,
) -> Result<Page<FileRow>, CaseError> {
    Ok(tx.page(&FILES_BY_CASE, &Span::prefix(&key().id(&may.case_id())), request)?)
}

/// Deletes a file's row, its analysis and the evidence made from it; answers the row, whose
/// storage key names the bytes that are to go too.
///
/// # Errors
/// [`CaseError::FileMissing`], [`CaseError::Version`].
pub fn remove(
    tx: &Write<'_>,
    may: &Writer,
    file_id: FileId,
    expected: Option<u64>,
    now: Time,
) -> Result<FileRow, CaseError> {
    let row = get(tx, may, file_id)?;
    same_version(expected, row.version)?;
    for derived in evidence::of_file(tx, may, file_id)? {
        evidence::remove(tx, may, derived.evidence_id, None, now)?;
    }
    tx.delete::<FileRow>(&file_id)?;
    case::touch(tx, may, now)?;
    Ok(row)
}
