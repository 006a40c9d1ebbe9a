//! Rows, keys and indexes on disk.

use super::words::{ReportStatus, ReportType};
use crate::base::Time;
use crate::base::id::{CaseId, JobId, ReportId};
use crate::cases::{CaseRow, Status};
use crate::engine::db::{Index, Parent, Row, Schema, key};
use serde::{Deserialize, Serialize};

/// One version of a report without its text. About 400 bytes; at most five per case and type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportRow {
    /// The report.
    pub report_id: ReportId,
    /// The case.
    pub case_id: CaseId,
    /// What it is.
    pub report_type: ReportType,
    /// Number within case and type, from 1; never given twice.
    pub version: u64,
    /// Where it stands.
    pub status: ReportStatus,
    /// Title, redacted.
    pub title: String,
    /// The report in at most 500 characters, redacted.
    pub summary: String,
    /// Size of the text, in bytes.
    pub content_bytes: u64,
    /// Status of the case when it was generated.
    pub case_status: Status,
    /// The job that generated it.
    pub job_id: JobId,
    /// Who asked for it.
    pub created_by: String,
    /// When it was generated.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// Earliest instant at which it may have outlived its time.
    pub(super) due_at: Time,
    /// Counts changes, for `If-Match`.
    pub revision: u64,
}

/// `(case, newest first)`.
pub(super) const BY_CASE: Index<ReportRow> =
    Index::many("reports_by_case", |r| Some(key().id(&r.case_id).time_desc(r.created_at)));
/// `(case, type, version)`: one report each.
pub(super) const VERSIONS: Index<ReportRow> = Index::unique("reports_by_version", |r| {
    Some(key().id(&r.case_id).u8(r.report_type.place()).u64(r.version))
});
/// Reports that end with time, by when to look at them.
pub(super) const DUE: Index<ReportRow> = Index::many("reports_due", |r| {
    (r.report_type != ReportType::Runbook).then(|| key().time(r.due_at))
});

impl Row for ReportRow {
    type Key = ReportId;
    const TABLE: &'static str = "reports";
    const INDEXES: &'static [Index<Self>] = &[BY_CASE, VERSIONS, DUE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(BY_CASE, |r| Some(key().id(&r.case_id)))];

    fn key(&self) -> ReportId {
        self.report_id
    }
}

/// The text of a report, apart from the row because lists do not need it. 2 to 300 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ContentRow {
    pub(super) report_id: ReportId,
    /// Markdown.
    pub(super) body: String,
}

const CONTENT_BY_REPORT: Index<ContentRow> =
    Index::many("report_contents_by_report", |c| Some(key().id(&c.report_id)));

impl Row for ContentRow {
    type Key = ReportId;
    const TABLE: &'static str = "report_contents";
    const INDEXES: &'static [Index<Self>] = &[CONTENT_BY_REPORT];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<ReportRow>(CONTENT_BY_REPORT, |c| Some(key().id(&c.report_id)))];

    fn key(&self) -> ReportId {
        self.report_id
    }
}

/// What a case remembers of one type of report after versions are gone. About 50 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ShelfRow {
    pub(super) case_id: CaseId,
    pub(super) report_type: ReportType,
    /// The highest version ever given.
    pub(super) last_version: u64,
    /// The version that counts.
    pub(super) current: Option<ReportId>,
}

const SHELVES_BY_CASE: Index<ShelfRow> =
    Index::many("report_shelves_by_case", |s| Some(key().id(&s.case_id)));

impl Row for ShelfRow {
    type Key = (CaseId, ReportType);
    const TABLE: &'static str = "report_shelves";
    const INDEXES: &'static [Index<Self>] = &[SHELVES_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(SHELVES_BY_CASE, |s| Some(key().id(&s.case_id)))];

    fn key(&self) -> Self::Key {
        (self.case_id, self.report_type)
    }
}

/// Adds the tables of this room.
#[must_use]
pub fn schema(schema: Schema) -> Schema {
    schema.with::<ReportRow>().with::<ContentRow>().with::<ShelfRow>()
}
