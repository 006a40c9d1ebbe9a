//! The record of every change of a case's status; rows are added and never altered.

use super::access::{Reader, Visit};
use super::error::CaseError;
use super::tables::words::{ClosureReason, Status};
use super::tables::{TRANSITIONS_BY_CASE, TransitionRow};
use crate::base::id::CaseId;
use crate::base::{Page, PageRequest};
use crate::engine::db::{Span, View, Write, key};

/// A change that is about to be recorded.
pub(super) struct Step<'a> {
    pub(super) from: Option<Status>,
    pub(super) to: Status,
    pub(super) closure_reason: Option<ClosureReason>,
    pub(super) reason: Option<String>,
    pub(super) by: &'a str,
}

/// Adds a row; the caller changes the case in the same commit.
pub(super) fn add(
    tx: &Write<'_>,
    case_id: CaseId,
    step: Step<'_>,
    visit: &Visit,
) -> Result<(), CaseError> {
    let row = TransitionRow {
        transition_id: visit.event_id,
        case_id,
        from_status: step.from,
        to_status: step.to,
        closure_reason: step.closure_reason,
        reason: step.reason,
        triggered_by: step.by.to_owned(),
        transitioned_at: visit.now,
        metadata: None,
    };
    Ok(tx.insert(&row)?)
}

/// One window of the transitions of a case, oldest first.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    request: PageRequest,
) -> Result<Page<TransitionRow>, CaseError> {
    Ok(tx.page(&TRANSITIONS_BY_CASE, &Span::prefix(&key().id(&may.case_id())), request)?)
}
