//! What can go wrong in a case, and what a caller may be told of it.

use crate::base::id::{
    CaseId, EvidenceId, FileId, HypothesisId, MessageId, SolutionId, ToolCallId,
};
use crate::base::{Class, Classify, FieldError};
use crate::engine::db::DbError;

/// A failure of an operation on a case or on something inside one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CaseError {
    /// Nobody is signed in.
    #[error("sign in to work on cases")]
    Anonymous,
    /// There is no such case, or the caller may not know that there is.
    #[error("there is no case {0}")]
    Missing(CaseId),
    /// The case has no such evidence.
    #[error("the case has no evidence {0}")]
    EvidenceMissing(EvidenceId),
    /// The case has no such hypothesis.
    #[error("the case has no hypothesis {0}")]
    HypothesisMissing(HypothesisId),
    /// The case has no such solution.
    #[error("the case has no solution {0}")]
    SolutionMissing(SolutionId),
    /// The case has no such message.
    #[error("the case has no message {0}")]
    MessageMissing(MessageId),
    /// The case has no such file.
    #[error("the case has no file {0}")]
    FileMissing(FileId),
    /// The case has no such tool call.
    #[error("the case has no tool call {0}")]
    ToolCallMissing(ToolCallId),
    /// The caller may read the case and not change it.
    #[error("this case is read-only for you")]
    ReadOnly,
    /// Only the owner may do this.
    #[error("only the owner of the case may do this")]
    OwnerOnly,
    /// The case has ended and takes no new evidence.
    #[error("the case has ended and takes no new evidence; its owner may reopen it")]
    Ended,
    /// The case may not go from one status to the other.
    #[error("a case may not go from {} to {}{}", .0.from, .0.to, next_states(.0))]
    CaseTransition(Illegal),
    /// The hypothesis may not go from one status to the other.
    #[error("a hypothesis may not go from {} to {}{}", .0.from, .0.to, next_states(.0))]
    HypothesisTransition(Illegal),
    /// The solution may not go from one status to the other.
    #[error("a solution may not go from {} to {}{}", .0.from, .0.to, next_states(.0))]
    SolutionTransition(Illegal),
    /// The tool call may not go from one status to the other.
    #[error("a tool call may not go from {} to {}{}", .0.from, .0.to, next_states(.0))]
    ToolCallTransition(Illegal),
    /// The row was changed since the caller read it.
    #[error("version {expected} was expected and version {actual} was found")]
    Version {
        /// Version the caller knows.
        expected: u64,
        /// Version there is.
        actual: u64,
    },
    /// Fields that are not as they must be.
    #[error("{}", first(.0))]
    Fields(Vec<FieldError>),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

/// A move that a state machine refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Illegal {
    /// Status now.
    pub from: &'static str,
    /// Status asked for.
    pub to: &'static str,
    /// Where the caller may go instead; no machine offers more than three ways.
    pub next: [Option<&'static str>; 3],
}

fn next_states(illegal: &Illegal) -> String {
    let next: Vec<_> = illegal.next.iter().flatten().copied().collect();
    match next.as_slice() {
        [] => "; valid_next_states: none".into(),
        next => format!("; valid_next_states: {}", next.join(", ")),
    }
}

fn first(fields: &[FieldError]) -> String {
    match fields {
        [] => "a field is wrong".into(),
        [one] => format!("{}: {}", one.field, one.message),
        [one, rest @ ..] => format!("{}: {} (and {} more)", one.field, one.message, rest.len()),
    }
}

impl CaseError {
    /// One wrong field.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError::new(field, message)])
    }
}

impl Classify for CaseError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Anonymous => (Class::Unauthenticated, "unauthenticated"),
            Self::Missing(_) => (Class::Missing, "case_missing"),
            Self::EvidenceMissing(_) => (Class::Missing, "evidence_missing"),
            Self::HypothesisMissing(_) => (Class::Missing, "hypothesis_missing"),
            Self::SolutionMissing(_) => (Class::Missing, "solution_missing"),
            Self::MessageMissing(_) => (Class::Missing, "message_missing"),
            Self::FileMissing(_) => (Class::Missing, "file_missing"),
            Self::ToolCallMissing(_) => (Class::Missing, "tool_call_missing"),
            Self::ReadOnly => (Class::Denied, "case_read_only"),
            Self::OwnerOnly => (Class::Denied, "case_owner_only"),
            Self::Ended => (Class::Conflict, "case_ended"),
            Self::CaseTransition(_) => (Class::Conflict, "case_transition"),
            Self::HypothesisTransition(_) => (Class::Conflict, "hypothesis_transition"),
            Self::SolutionTransition(_) => (Class::Conflict, "solution_transition"),
            Self::ToolCallTransition(_) => (Class::Conflict, "tool_call_transition"),
            Self::Version { .. } => (Class::Precondition, "version_mismatch"),
            Self::Fields(_) => (Class::Invalid, "case_invalid"),
            Self::Storage(error) => error.class(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Fields(fields) => fields.clone(),
            Self::CaseTransition(illegal)
            | Self::HypothesisTransition(illegal)
            | Self::SolutionTransition(illegal)
            | Self::ToolCallTransition(illegal) => {
                let next: Vec<_> = illegal.next.iter().flatten().copied().collect();
                vec![FieldError::new("valid_next_states", next.join(", "))]
            }
            _ => Vec::new(),
        }
    }
}
