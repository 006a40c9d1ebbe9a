//! What a case remembers of its redactions, so that a placeholder means the same in every file.

use crate::base::id::CaseId;
use crate::cases::CaseRow;
use crate::engine::db::{Index, Parent, Row, Schema, key};
use crate::privacy::Numbers;
use serde::{Deserialize, Serialize};

/// The placeholders of one case: 16 bytes per distinct value found, at most 1 MiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PlaceholdersRow {
    /// The case.
    pub(super) case_id: CaseId,
    /// Keys the fingerprints of this case.
    pub(super) salt: [u8; 32],
    /// Fingerprints in order of first appearance.
    pub(super) numbers: Numbers,
    /// Counts changes, so that two analyses cannot give one number twice.
    pub(super) version: u64,
}

const BY_CASE: Index<PlaceholdersRow> =
    Index::many("placeholders_by_case", |p| Some(key().id(&p.case_id)));

impl Row for PlaceholdersRow {
    type Key = CaseId;
    const TABLE: &'static str = "placeholders";
    const INDEXES: &'static [Index<Self>] = &[BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(BY_CASE, |p| Some(key().id(&p.case_id)))];

    fn key(&self) -> CaseId {
        self.case_id
    }
}

/// Adds this room's tables.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<PlaceholdersRow>()
}
