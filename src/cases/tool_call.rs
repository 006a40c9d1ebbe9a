//! The agent's tool calls: added once, finished once, then unalterable.

use super::access::{Reader, Writer};
use super::case;
use super::error::CaseError;
use super::field::{Fields, same_version};
use super::status::illegal;
use super::tables::words::ToolCallStatus;
use super::tables::{TOOL_CALLS_BY_CASE, ToolCallRow};
use crate::base::id::ToolCallId;
use crate::base::{Json, Page, PageRequest, Time};
use crate::engine::db::{Span, View, Write, key};

/// Longest tool name, in characters (reference facts 1.3).
pub const TOOL_NAME_CHARS_MAX: usize = 100;
/// Longest error message, in characters.
pub const ERROR_CHARS_MAX: usize = 2000;

/// A call that an agent makes or has made.
#[derive(Debug, Clone)]
pub struct NewToolCall {
    /// Its id.
    pub call_id: ToolCallId,
    /// Which tool.
    pub tool_name: String,
    /// What it is given.
    pub tool_input: Json,
    /// Where it stands, and what came of it if it has ended.
    pub outcome: Outcome,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// Where a call stands and what came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Where it stands.
    pub status: ToolCallStatus,
    /// What it answered.
    pub tool_output: Option<Json>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// How long it took, in milliseconds; measured between the requests when absent.
    pub duration_ms: Option<u64>,
}

/// Adds a call.
///
/// # Errors
/// [`CaseError::Fields`].
pub fn add(
    tx: &Write<'_>,
    may: &Writer,
    new: &NewToolCall,
    now: Time,
) -> Result<ToolCallRow, CaseError> {
    let mut fields = Fields::default();
    let tool_name = fields.text("tool_name", &new.tool_name, TOOL_NAME_CHARS_MAX);
    fields.done()?;
    let mut row = ToolCallRow {
        call_id: new.call_id,
        case_id: may.case_id(),
        tool_name,
        tool_input: new.tool_input.clone(),
        tool_output: None,
        status: ToolCallStatus::Pending,
        error_message: None,
        duration_ms: None,
        started_at: now,
        completed_at: None,
        created_by: may.by().to_owned(),
        metadata: new.metadata.clone(),
        version: 0,
    };
    take(&mut row, &new.outcome, now)?;
    tx.insert(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

/// One call of the case.
///
/// # Errors
/// [`CaseError::ToolCallMissing`].
pub fn get(tx: &impl View, may: &Reader, call_id: ToolCallId) -> Result<ToolCallRow, CaseError> {
    let found = tx.get::<ToolCallRow>(&call_id)?.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::ToolCallMissing(call_id))
}

/// Moves a call on; a finished one stays as it is.
///
/// # Errors
/// [`CaseError::ToolCallMissing`], [`CaseError::Version`], [`CaseError::Fields`],
/// [`CaseError::ToolCallTransition`] when the machine does not allow it.
pub fn progress(
    tx: &Write<'_>,
    may: &Writer,
    call_id: ToolCallId,
    expected: Option<u64>,
    outcome: &Outcome,
    now: Time,
) -> Result<ToolCallRow, CaseError> {
    let mut row = get(tx, may, call_id)?;
    same_version(expected, row.version)?;
    let next = row.status.next();
    if !next.contains(&outcome.status) {
        let refused = illegal(row.status, outcome.status, next, ToolCallStatus::as_str);
        return Err(CaseError::ToolCallTransition(refused));
    }
    take(&mut row, outcome, now)?;
    tx.put(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn take(row: &mut ToolCallRow, outcome: &Outcome, now: Time) -> Result<(), CaseError> {
    let mut fields = Fields::default();
    let error = fields.optional("error_message", outcome.error_message.as_deref(), ERROR_CHARS_MAX);
    fields.done()?;
    row.status = outcome.status;
    row.tool_output = outcome.tool_output.clone().or(row.tool_output.take());
    row.error_message = error.or(row.error_message.take());
    row.version += 1;
    if row.status.is_finished() {
        let measured = now.since_ms(row.started_at).max(0).cast_unsigned();
        row.duration_ms = Some(outcome.duration_ms.unwrap_or(measured));
        row.completed_at = Some(now);
    }
    Ok(())
}

/// One window of the calls of a case, in the order made.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    request: PageRequest,
) -> Result<Page<ToolCallRow>, CaseError> {
    Ok(tx.page(&TOOL_CALLS_BY_CASE, &Span::prefix(&key().id(&may.case_id())), request)?)
}
