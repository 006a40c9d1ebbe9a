//! Solutions: what is to be done about a case, and what came of it.

use super::access::{Reader, Writer};
use super::case;
use super::error::CaseError;
use super::field::{Fields, same_version, set};
use super::status::illegal;
use super::tables::words::{Category, SolutionStatus};
use super::tables::{HypothesisRow, SOLUTIONS_BY_CASE, SOLUTIONS_BY_STATUS, SolutionRow};
use crate::base::id::{HypothesisId, SolutionId};
use crate::base::{Json, Page, PageRequest, Time};
use crate::engine::db::{Span, View, Write, key};

/// Longest title, in characters (reference facts 1.4).
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest description, in characters (reference facts 1.4).
pub const DESCRIPTION_CHARS_MAX: usize = 2000;
/// Longest result, in characters.
pub const RESULT_CHARS_MAX: usize = 2000;

/// A new solution; it begins as proposed.
#[derive(Debug, Clone)]
pub struct NewSolution {
    /// Its id.
    pub solution_id: SolutionId,
    /// A short name.
    pub title: Option<String>,
    /// What is to be done.
    pub description: String,
    /// What it is meant to do.
    pub category: Category,
    /// The hypothesis it follows from, of the same case.
    pub linked_hypothesis_id: Option<HypothesisId>,
    /// The steps.
    pub steps: Option<Json>,
    /// How to see that it worked.
    pub verification_criteria: Option<Json>,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// Changes to a solution; `None` leaves a field alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct SolutionChange {
    /// A short name.
    pub title: Option<Option<String>>,
    /// What is to be done.
    pub description: Option<String>,
    /// What it is meant to do.
    pub category: Option<Category>,
    /// Where it stands.
    pub status: Option<SolutionStatus>,
    /// The hypothesis it follows from.
    pub linked_hypothesis_id: Option<Option<HypothesisId>>,
    /// The steps.
    pub steps: Option<Option<Json>>,
    /// How to see that it worked.
    pub verification_criteria: Option<Option<Json>>,
    /// What came of it.
    pub result_summary: Option<Option<String>>,
    /// Anything more.
    pub metadata: Option<Option<Json>>,
}

/// Adds a solution to a case.
///
/// # Errors
/// [`CaseError::Fields`], also when the hypothesis is none of this case.
pub fn add(
    tx: &Write<'_>,
    may: &Writer,
    new: &NewSolution,
    now: Time,
) -> Result<SolutionRow, CaseError> {
    let mut fields = Fields::default();
    let row = SolutionRow {
        solution_id: new.solution_id,
        case_id: may.case_id(),
        title: fields.optional("title", new.title.as_deref(), TITLE_CHARS_MAX),
        description: fields.text("description", &new.description, DESCRIPTION_CHARS_MAX),
        category: new.category,
        status: SolutionStatus::Proposed,
        linked_hypothesis_id: new.linked_hypothesis_id,
        steps: new.steps.clone(),
        verification_criteria: new.verification_criteria.clone(),
        result_summary: None,
        created_by: may.by().to_owned(),
        metadata: new.metadata.clone(),
        created_at: now,
        updated_at: now,
        applied_at: None,
        version: 1,
    };
    check_link(tx, may, &mut fields, row.linked_hypothesis_id)?;
    fields.done()?;
    tx.insert(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn check_link(
    tx: &Write<'_>,
    may: &Writer,
    fields: &mut Fields,
    linked: Option<HypothesisId>,
) -> Result<(), CaseError> {
    if let Some(hypothesis_id) = linked {
        let found = tx.get::<HypothesisRow>(&hypothesis_id)?;
        if found.is_none_or(|row| row.case_id != may.case_id()) {
            fields.wrong("linked_hypothesis_id", "is no hypothesis of this case");
        }
    }
    Ok(())
}

/// One solution of the case.
///
/// # Errors
/// [`CaseError::SolutionMissing`].
pub fn get(
    tx: &impl View,
    may: &Reader,
    solution_id: SolutionId,
) -> Result<SolutionRow, CaseError> {
    let found = tx.get::<SolutionRow>(&solution_id)?.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::SolutionMissing(solution_id))
}

/// One window of the solutions of a case, oldest first.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    status: Option<SolutionStatus>,
    request: PageRequest,
) -> Result<Page<SolutionRow>, CaseError> {
    let case = key().id(&may.case_id());
    Ok(match status {
        Some(status) => {
            tx.page(&SOLUTIONS_BY_STATUS, &Span::prefix(&case.u8(status.place())), request)?
        }
        None => tx.page(&SOLUTIONS_BY_CASE, &Span::prefix(&case), request)?,
    })
}

/// Changes a solution.
///
/// # Errors
/// [`CaseError::SolutionMissing`], [`CaseError::Version`], [`CaseError::Fields`],
/// [`CaseError::SolutionTransition`] when the machine does not allow the status.
pub fn update(
    tx: &Write<'_>,
    may: &Writer,
    solution_id: SolutionId,
    expected: Option<u64>,
    change: &SolutionChange,
    now: Time,
) -> Result<SolutionRow, CaseError> {
    let mut row = get(tx, may, solution_id)?;
    same_version(expected, row.version)?;
    let mut fields = Fields::default();
    if let Some(text) = &change.title {
        row.title = fields.optional("title", text.as_deref(), TITLE_CHARS_MAX);
    }
    if let Some(text) = &change.description {
        row.description = fields.text("description", text, DESCRIPTION_CHARS_MAX);
    }
    if let Some(text) = &change.result_summary {
        row.result_summary = fields.optional("result_summary", text.as_deref(), RESULT_CHARS_MAX);
    }
    if let Some(linked) = change.linked_hypothesis_id {
        check_link(tx, may, &mut fields, linked)?;
        row.linked_hypothesis_id = linked;
    }
    fields.done()?;
    set(&mut row.category, change.category);
    set(&mut row.steps, change.steps.clone());
    set(&mut row.verification_criteria, change.verification_criteria.clone());
    set(&mut row.metadata, change.metadata.clone());
    if let Some(status) = change.status.filter(|status| *status != row.status) {
        step(&mut row, status, now)?;
    }
    row.updated_at = now;
    row.version += 1;
    tx.put(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn step(row: &mut SolutionRow, to: SolutionStatus, now: Time) -> Result<(), CaseError> {
    let next = row.status.next();
    if !next.contains(&to) {
        let refused = illegal(row.status, to, next, SolutionStatus::as_str);
        return Err(CaseError::SolutionTransition(refused));
    }
    row.status = to;
    if to == SolutionStatus::Applied {
        row.applied_at = Some(now);
    }
    Ok(())
}

/// Deletes a solution.
///
/// # Errors
/// [`CaseError::SolutionMissing`], [`CaseError::Version`].
pub fn remove(
    tx: &Write<'_>,
    may: &Writer,
    solution_id: SolutionId,
    expected: Option<u64>,
    now: Time,
) -> Result<(), CaseError> {
    let row = get(tx, may, solution_id)?;
    same_version(expected, row.version)?;
    tx.delete::<SolutionRow>(&solution_id)?;
    case::touch(tx, may, now)?;
    Ok(())
}
