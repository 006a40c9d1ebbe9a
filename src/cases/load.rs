//! The full load: a case and all that is in it, from one snapshot.

use super::access::Reader;
use super::error::CaseError;
use super::tables::{
    CaseRow, ContextRow, EVIDENCE_BY_CASE, EvidenceRow, FILES_BY_CASE, FileRow, HYPOTHESES_BY_CASE,
    HypothesisRow, MESSAGES_BY_CASE, MessageRow, ParticipantRow, SOLUTIONS_BY_CASE, SolutionRow,
    TOOL_CALLS_BY_CASE, TRANSITIONS_BY_CASE, ToolCallRow, TransitionRow,
};
use super::{case, participant, tag};
use crate::engine::db::{DbError, Index, Row, Span, View, key};
use std::ops::ControlFlow;

/// Rows of one kind in a full load; the counts say what is left out, the lists have the rest.
pub const ROWS_PER_KIND_MAX: usize = 1000;
/// Contents of evidence and messages in a full load, in bytes together: what one answer may take
/// in memory; without it 1000 pieces of evidence would be 256 MiB.
pub(super) const CONTENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which parts of a case are wanted besides itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// Evidence, newest first.
    pub evidence: bool,
    /// Hypotheses, oldest first.
    pub hypotheses: bool,
    /// Solutions, oldest first.
    pub solutions: bool,
    /// Messages, in the order said.
    pub messages: bool,
    /// Files, newest first.
    pub files: bool,
    /// Status transitions, oldest first.
    pub transitions: bool,
    /// Tool calls, in the order made.
    pub tool_calls: bool,
    /// Participants.
    pub participants: bool,
}

impl Parts {
    /// Every part.
    pub const ALL: Self = Self {
        evidence: true,
        hypotheses: true,
        solutions: true,
        messages: true,
        files: true,
        transitions: true,
        tool_calls: true,
        participants: true,
    };
}

/// A case with what is in it; a part that was not asked for is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct FullCase {
    /// The case.
    pub case: CaseRow,
    /// Its JSON columns.
    pub context: ContextRow,
    /// Its tags, in alphabetical order.
    pub tags: Vec<String>,
    /// How much is in it.
    pub counts: Counts,
    /// Evidence, newest first.
    pub evidence: Option<Vec<EvidenceRow>>,
    /// Hypotheses, oldest first.
    pub hypotheses: Option<Vec<HypothesisRow>>,
    /// Solutions, oldest first.
    pub solutions: Option<Vec<SolutionRow>>,
    /// Messages, in the order said.
    pub messages: Option<Vec<MessageRow>>,
    /// Files, newest first.
    pub files: Option<Vec<FileRow>>,
    /// Status transitions, oldest first.
    pub transitions: Option<Vec<TransitionRow>>,
    /// Tool calls, in the order made.
    pub tool_calls: Option<Vec<ToolCallRow>>,
    /// Participants.
    pub participants: Option<Vec<ParticipantRow>>,
    /// Whether contents of evidence or messages were left out, because together they exceed
    /// 8 MiB. A content is never blank, so an empty one is one that was left out.
    pub truncated: bool,
}

/// How much is in a case. Counted in the indexes, where a count cannot drift from the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Pieces of evidence.
    pub evidence: usize,
    /// Hypotheses.
    pub hypotheses: usize,
    /// Solutions.
    pub solutions: usize,
    /// Messages.
    pub messages: usize,
    /// Uploaded files.
    pub files: usize,
}

/// Loads a case with the wanted parts. Contents of evidence and messages that do not fit 8 MiB
/// together are left out whole, never cut in two: half a secret would not be recognised as one.
///
/// # Errors
/// [`CaseError::Missing`] when it is gone.
pub fn load_full(tx: &impl View, may: &Reader, parts: Parts) -> Result<FullCase, CaseError> {
    let span = Span::prefix(&key().id(&may.case_id()));
    let mut contents = Budget { bytes: CONTENT_BYTES_MAX, exceeded: false };
    let evidence = fitting(tx, parts.evidence, &EVIDENCE_BY_CASE, &span, |row| {
        contents.take(&mut row.content);
    })?;
    let messages = fitting(tx, parts.messages, &MESSAGES_BY_CASE, &span, |row| {
        contents.take(&mut row.content);
    })?;
    Ok(FullCase {
        case: case::get(tx, may)?,
        context: case::context(tx, may)?,
        tags: tag::all(tx, may)?,
        counts: Counts {
            evidence: tx.count(&EVIDENCE_BY_CASE, &span)?,
            hypotheses: tx.count(&HYPOTHESES_BY_CASE, &span)?,
            solutions: tx.count(&SOLUTIONS_BY_CASE, &span)?,
            messages: tx.count(&MESSAGES_BY_CASE, &span)?,
            files: tx.count(&FILES_BY_CASE, &span)?,
        },
        evidence,
        hypotheses: rows(tx, parts.hypotheses, &HYPOTHESES_BY_CASE, &span)?,
        solutions: rows(tx, parts.solutions, &SOLUTIONS_BY_CASE, &span)?,
        messages,
        files: rows(tx, parts.files, &FILES_BY_CASE, &span)?,
        transitions: rows(tx, parts.transitions, &TRANSITIONS_BY_CASE, &span)?,
        tool_calls: rows(tx, parts.tool_calls, &TOOL_CALLS_BY_CASE, &span)?,
        participants: match parts.participants {
            true => Some(participant::all(tx, may)?),
            false => None,
        },
        truncated: contents.exceeded,
    })
}

/// What is left for contents.
struct Budget {
    bytes: usize,
    exceeded: bool,
}

impl Budget {
    /// Keeps a content that fits and empties one that does not.
    fn take(&mut self, content: &mut String) {
        match self.bytes.checked_sub(content.len()) {
            Some(left) => self.bytes = left,
            None => {
                // Not `clear`, which would keep the memory.
                *content = String::new();
                self.exceeded = true;
            }
        }
    }
}

/// As [`rows`], one row at a time, so that what `fit` leaves out is never in memory together.
fn fitting<R: Row>(
    tx: &impl View,
    wanted: bool,
    index: &Index<R>,
    span: &Span,
    mut fit: impl FnMut(&mut R),
) -> Result<Option<Vec<R>>, DbError> {
    if !wanted {
        return Ok(None);
    }
    let mut rows = Vec::new();
    tx.each(index, span, |mut row| {
        fit(&mut row);
        rows.push(row);
        if rows.len() < ROWS_PER_KIND_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    Ok(Some(rows))
}

fn rows<R: Row>(
    tx: &impl View,
    wanted: bool,
    index: &Index<R>,
    span: &Span,
) -> Result<Option<Vec<R>>, DbError> {
    if wanted { tx.list(index, span, 0, ROWS_PER_KIND_MAX).map(Some) } else { Ok(None) }
}
