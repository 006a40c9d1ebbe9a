//! Rows, keys and indexes on disk. Rows are read by other rooms, written only by this one.

mod case;
mod file;
mod finding;
mod milestones;
mod thread;
pub(in crate::cases) mod words;

pub use case::{CaseRow, ContextRow, OrgId, ParticipantRow, TagRow, TeamId, TransitionRow};
pub use file::{FileAnalysisRow, FileRow};
pub use finding::{EvidenceLink, EvidenceRow, HypothesisRow, SolutionRow};
pub use milestones::Milestones;
pub use thread::{MessageRow, ToolCallRow};

pub(in crate::cases) use case::{
    LATEST, LATEST_BY_STATUS, OPENED, OWNED, OWNED_BY_STATUS, PARTICIPANTS_BY_CASE, SHARED_WITH,
    TAGS_BY_CASE, TRANSITIONS_BY_CASE,
};
pub(in crate::cases) use file::{FILES_BY_CASE, FILES_BY_HASH};
pub(in crate::cases) use finding::{
    EVIDENCE_BY_CASE, EVIDENCE_BY_DATA, EVIDENCE_BY_FILE, EVIDENCE_BY_FORM, EVIDENCE_BY_SOURCE,
    HYPOTHESES_BY_CASE, HYPOTHESES_BY_STATUS, SOLUTIONS_BY_CASE, SOLUTIONS_BY_HYPOTHESIS,
    SOLUTIONS_BY_STATUS,
};
pub(in crate::cases) use thread::{MESSAGES_BY_CASE, TOOL_CALLS_BY_CASE};

use crate::engine::db::Schema;

/// Adds the tables of this room.
pub fn schema(schema: Schema) -> Schema {
    schema
        .with::<CaseRow>()
        .with::<ContextRow>()
        .with::<TransitionRow>()
        .with::<TagRow>()
        .with::<ParticipantRow>()
        .with::<FileRow>()
        .with::<FileAnalysisRow>()
        .with::<EvidenceRow>()
        .with::<HypothesisRow>()
        .with::<SolutionRow>()
        .with::<MessageRow>()
        .with::<ToolCallRow>()
}
