//! Category 2: cases and everything inside one.
//!
//! Keeps: the case, its evidence, hypotheses, solutions, messages, uploaded-file rows, status
//! transitions, tags, agent tool calls and participants (the ten tables of seed 3).
//! How long: until the owner deletes the case; then every row of it goes in the same commit.
//! `closed_at` is stamped here and read by the rooms whose retention starts there.
//! Who may: owner and collaborators write, viewers read, a platform admin does both and an analyst
//! reads, each of the last two recorded as operator access. A case that the caller may not know
//! about is answered like one that does not exist.
//! Never: holds the bytes of a file, calls a model, or changes a status without a transition row.

pub mod access;
pub mod case;
pub mod evidence;
pub mod file;
pub mod http;
pub mod hypothesis;
pub mod message;
pub mod solution;
pub mod tag;
pub mod tool_call;
pub mod transition;

mod error;
mod field;
mod list;
mod load;
mod participant;
mod progress;
mod status;
mod tables;

#[cfg(test)]
mod tests;

pub use error::{CaseError, Illegal};
pub use list::{CaseFilter, Scope, Sort, list};
pub use load::{Counts, FullCase, Parts, ROWS_PER_KIND_MAX, load_full};
pub use progress::{MILESTONES_TOTAL, STUCK_TURNS};
pub use tables::words::{
    Category, ClosureReason, EvidenceCategory, EvidenceForm, EvidenceSource, FileSource,
    HypothesisCategory, HypothesisStatus, MessageKind, MessageRole, Milestone, ParticipantRole,
    Priority, ProcessingStatus, SolutionStatus, Stance, Status, Strategy, ToolCallStatus,
};
pub use tables::{
    CaseRow, ContextRow, EvidenceLink, EvidenceRow, FileAnalysisRow, FileRow, HypothesisRow,
    MessageRow, Milestones, OrgId, ParticipantRow, SolutionRow, TagRow, TeamId, ToolCallRow,
    TransitionRow, schema,
};
