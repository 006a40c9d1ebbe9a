//! The row of an uploaded file and the analysis of its content.

use super::case::CaseRow;
use super::words::{FileSource, ProcessingStatus};
use crate::base::Time;
use crate::base::id::{CaseId, FileId};
use crate::engine::db::{Index, Parent, Row, key};
use serde::{Deserialize, Serialize};

/// An uploaded file without its bytes. About 500 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRow {
    /// The file.
    pub file_id: FileId,
    /// The case.
    pub case_id: CaseId,
    /// Name as uploaded.
    pub filename: String,
    /// Size as uploaded, in bytes.
    pub size_bytes: u64,
    /// Media type as uploaded.
    pub content_type: Option<String>,
    /// SHA-256 of the bytes as uploaded.
    pub sha256: [u8; 32],
    /// Type of the content, in the words of the analysis.
    pub data_type: Option<String>,
    /// What the uploader says about it.
    pub description: Option<String>,
    /// Where the raw bytes lie.
    pub storage_key: String,
    /// How it came in.
    pub source_type: FileSource,
    /// Turn of the conversation in which it came in.
    pub uploaded_at_turn: u32,
    /// Who brought it.
    pub uploaded_by: String,
    /// Where the processing stands.
    pub processing_status: ProcessingStatus,
    /// Why the processing failed.
    pub processing_error: Option<String>,
    /// The content in a few sentences.
    pub summary: Option<String>,
    /// Size of the stored analysis in bytes; the analysis is there exactly when this is.
    pub analysis_bytes: Option<u64>,
    /// When it came in.
    pub uploaded_at: Time,
    /// When the processing ended.
    pub processed_at: Option<Time>,
    /// Version, for `If-Match`.
    pub version: u64,
}

/// `(case, newest first)`.
pub(in crate::cases) const FILES_BY_CASE: Index<FileRow> =
    Index::many("uploaded_files_by_case", |f| Some(key().id(&f.case_id).time_desc(f.uploaded_at)));
/// `(case, content)`: the same content is one file of a case (ruling 15), unless it failed.
pub(in crate::cases) const FILES_BY_HASH: Index<FileRow> =
    Index::unique("uploaded_files_by_content", |f| {
        (f.processing_status != ProcessingStatus::Failed)
            .then(|| key().id(&f.case_id).raw(&f.sha256))
    });

impl Row for FileRow {
    type Key = FileId;
    const TABLE: &'static str = "uploaded_files";
    const INDEXES: &'static [Index<Self>] = &[FILES_BY_CASE, FILES_BY_HASH];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(FILES_BY_CASE, |f| Some(key().id(&f.case_id)))];

    fn key(&self) -> FileId {
        self.file_id
    }
}

/// The analysis of a file as JSON text, apart from the row because it is a thousand times larger:
/// 20 KiB to 1 MiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileAnalysisRow {
    /// The file.
    pub file_id: FileId,
    /// A JSON object.
    pub body: String,
}

const ANALYSES_BY_FILE: Index<FileAnalysisRow> =
    Index::many("file_analyses_by_file", |a| Some(key().id(&a.file_id)));

impl Row for FileAnalysisRow {
    type Key = FileId;
    const TABLE: &'static str = "file_analyses";
    const INDEXES: &'static [Index<Self>] = &[ANALYSES_BY_FILE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<FileRow>(ANALYSES_BY_FILE, |a| Some(key().id(&a.file_id)))];

    fn key(&self) -> FileId {
        self.file_id
    }
}
