//! Reports: ordering, storing a version, reading, changing, deleting.

use super::error::ReportError;
use super::jobs::{Payload, REPORT_GENERATION};
use super::tables::{BY_CASE, ContentRow, ReportRow, ShelfRow, VERSIONS};
use super::words::{ReportStatus, ReportType};
use crate::base::id::{JobId, ReportId, UserId};
use crate::base::{Json, Time};
use crate::cases::access::{Reader, Writer};
use crate::cases::{CaseRow, Status, case};
use crate::engine::db::{DbError, Span, View, Write, key};
use crate::jobs::{self, NewJob};
use std::cmp::Reverse;

/// Versions kept per case and type (ruling 17).
pub const VERSIONS_KEPT: usize = 5;
/// How long reports outlive the end of their case, in milliseconds: 90 days (ruling 17).
pub const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Types one request may ask for (reference facts 6).
pub const TYPES_PER_REQUEST_MAX: usize = 3;
/// Longest title, in characters (reference facts 6).
pub const TITLE_CHARS_MAX: usize = 200;
/// Reports one case can have: five versions of each type.
const PER_CASE_MAX: usize = VERSIONS_KEPT * ReportType::ALL.len();

/// A report that is to be written; its id is made by the request, so that a job that runs again
/// writes the same report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its id.
    pub report_id: ReportId,
    /// What it is to be.
    pub report_type: ReportType,
}

/// What somebody wants written.
#[derive(Debug, Clone)]
pub struct Order {
    /// The job that will write it.
    pub job_id: JobId,
    /// One to three reports of different types.
    pub reports: Vec<Planned>,
    /// Title; follows from type and case when absent.
    pub title: Option<String>,
}

/// Queues the job that writes reports; answers whether the case had ended, so that what is written
/// now is not preliminary.
///
/// # Errors
/// [`ReportError::Field`], [`ReportError::Unavailable`], [`ReportError::CaseState`] when nothing
/// is investigated yet or the reports would be past their time at once.
pub fn order(
    tx: &Write<'_>,
    may: &Writer,
    owner: UserId,
    order: &Order,
    now: Time,
) -> Result<bool, ReportError> {
    let title = checked(order)?;
    let case = case::get(tx, may)?;
    if case.status == Status::Consulting {
        let detail = "reports tell of an investigation; move the case to investigating first";
        return Err(ReportError::CaseState(detail));
    }
    if order.reports.iter().any(|planned| is_over(planned.report_type, &case, now)) {
        let detail = "the case ended more than 90 days ago; only its runbook can be written";
        return Err(ReportError::CaseState(detail));
    }
    let payload = Payload::new(&order.reports, title);
    let payload = Json::from_value(&payload)
        .map_err(|error| ReportError::field("title", error.to_string()))?;
    jobs::submit(
        tx,
        NewJob {
            job_id: order.job_id,
            job_type: REPORT_GENERATION,
            owner,
            case_id: Some(may.case_id()),
            payload,
            now,
        },
    )?;
    Ok(case.status.is_terminal())
}

/// Checks what does not depend on the case; answers the title.
fn checked(order: &Order) -> Result<Option<String>, ReportError> {
    if order.reports.is_empty() || order.reports.len() > TYPES_PER_REQUEST_MAX {
        let message = format!("must name 1 to {TYPES_PER_REQUEST_MAX} types");
        return Err(ReportError::field("report_types", message));
    }
    for (at, planned) in order.reports.iter().enumerate() {
        if !planned.report_type.is_of_one_case() {
            return Err(ReportError::Unavailable(planned.report_type));
        }
        let before = order.reports.iter().take(at);
        if before.into_iter().any(|other| other.report_type == planned.report_type) {
            let message = format!("{} is asked for twice", planned.report_type);
            return Err(ReportError::field(format!("report_types[{at}]"), message));
        }
    }
    match order.title.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(title) => checked_title(title).map(Some),
    }
}

fn checked_title(title: &str) -> Result<String, ReportError> {
    let title = title.trim();
    if title.is_empty() {
        return Err(ReportError::field("title", "must not be blank"));
    }
    if title.chars().count() > TITLE_CHARS_MAX {
        let message = format!("must be at most {TITLE_CHARS_MAX} characters");
        return Err(ReportError::field("title", message));
    }
    Ok(title.to_owned())
}

/// Whether a report of this type has outlived its time.
fn is_over(report_type: ReportType, case: &CaseRow, now: Time) -> bool {
    ends_at(report_type, case).is_some_and(|at| at <= now)
}

/// When a report of this type ends, once that is known.
fn ends_at(report_type: ReportType, case: &CaseRow) -> Option<Time> {
    match report_type {
        ReportType::Runbook => None,
        _ => case.closed_at.map(|at| at.plus_ms(KEPT_MS)),
    }
}

/// Earliest instant at which a report can have outlived its time, seen from `now`.
pub(super) fn due_at(ended: Option<Time>, now: Time) -> Time {
    ended.unwrap_or(now).plus_ms(KEPT_MS)
}

/// A report as it comes from the composer.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) planned: Planned,
    pub(super) title: String,
    pub(super) summary: String,
    /// Markdown.
    pub(super) body: String,
    /// Status of the case in the snapshot it was composed from.
    pub(super) case_status: Status,
}

/// What storing a version did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shelved {
    pub(super) row: ReportRow,
    /// Whether it was stored before, by an earlier run of the same job.
    pub(super) again: bool,
    /// Versions that went to make room.
    pub(super) dropped: Vec<ReportId>,
}

/// Stores a report as the next version and makes it the current one; the oldest versions beyond
/// five go. A report that is stored already stays as it is.
pub(super) fn shelve(
    tx: &Write<'_>,
    may: &Writer,
    job_id: JobId,
    written: &Written,
    by: &str,
    now: Time,
) -> Result<Shelved, ReportError> {
    let Planned { report_id, report_type } = written.planned;
    let (case_id, ended) = (may.case_id(), case::get(tx, may)?.closed_at);
    if let Some(row) = tx.get::<ReportRow>(&report_id)? {
        return Ok(Shelved { row, again: true, dropped: Vec::new() });
    }
    let found = tx.get::<ShelfRow>(&(case_id, report_type))?;
    let mut shelf =
        found.unwrap_or(ShelfRow { case_id, report_type, last_version: 0, current: None });
    shelf.last_version += 1;
    shelf.current = Some(report_id);
    let row = ReportRow {
        report_id,
        case_id,
        report_type,
        version: shelf.last_version,
        status: ReportStatus::Draft,
        title: written.title.clone(),
        summary: written.summary.clone(),
        content_bytes: written.body.len() as u64,
        case_status: written.case_status,
        job_id,
        created_by: by.to_owned(),
        created_at: now,
        updated_at: now,
        due_at: due_at(ended, now),
        revision: 1,
    };
    tx.insert(&row)?;
    tx.insert(&ContentRow { report_id, body: written.body.clone() })?;
    tx.put(&shelf)?;
    let dropped = make_room(tx, &shelf)?;
    Ok(Shelved { row, again: false, dropped })
}

/// Deletes the oldest versions beyond [`VERSIONS_KEPT`], never the current one.
fn make_room(tx: &Write<'_>, shelf: &ShelfRow) -> Result<Vec<ReportId>, DbError> {
    let versions = tx.list(&VERSIONS, &shelf_span(shelf), 0, PER_CASE_MAX)?;
    let excess = versions.len().saturating_sub(VERSIONS_KEPT);
    let oldest = versions.iter().map(|row| row.report_id).filter(|id| shelf.current != Some(*id));
    let dropped: Vec<ReportId> = oldest.take(excess).collect();
    for report_id in &dropped {
        tx.delete::<ReportRow>(report_id)?;
    }
    Ok(dropped)
}

fn shelf_span(shelf: &ShelfRow) -> Span {
    Span::prefix(&key().id(&shelf.case_id).u8(shelf.report_type.place()))
}

/// Deletes a report; where it was the current one, the newest that is left takes its place.
pub(super) fn take_off(tx: &Write<'_>, row: &ReportRow) -> Result<(), DbError> {
    tx.delete::<ReportRow>(&row.report_id)?;
    let Some(mut shelf) = tx.get::<ShelfRow>(&(row.case_id, row.report_type))? else {
        return Ok(());
    };
    if shelf.current == Some(row.report_id) {
        let newest = tx.list(&VERSIONS, &shelf_span(&shelf).reversed(), 0, 1)?.pop();
        shelf.current = newest.map(|row| row.report_id);
        tx.put(&shelf)?;
    }
    Ok(())
}

/// A report and its place among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The report.
    pub row: ReportRow,
    /// Whether it is the version that counts.
    pub is_current: bool,
    /// When it ends, once that is known.
    pub expires_at: Option<Time>,
}

/// One report of the case.
///
/// # Errors
/// [`ReportError::Missing`] when there is none or its time is over.
pub fn get(
    tx: &impl View,
    may: &Reader,
    report_id: ReportId,
    now: Time,
) -> Result<Listed, ReportError> {
    let found = tx.get::<ReportRow>(&report_id)?.filter(|row| row.case_id == may.case_id());
    let (row, case) = (found.ok_or(ReportError::Missing(report_id))?, case::get(tx, may)?);
    if is_over(row.report_type, &case, now) {
        return Err(ReportError::Missing(report_id));
    }
    listed(tx, row, &case)
}

fn listed(tx: &impl View, row: ReportRow, case: &CaseRow) -> Result<Listed, ReportError> {
    let shelf = tx.get::<ShelfRow>(&(row.case_id, row.report_type))?;
    let is_current = shelf.and_then(|shelf| shelf.current) == Some(row.report_id);
    Ok(Listed { is_current, expires_at: ends_at(row.report_type, case), row })
}

/// The text of a report: Markdown.
///
/// # Errors
/// As [`get`].
pub fn content(
    tx: &impl View,
    may: &Reader,
    report_id: ReportId,
    now: Time,
) -> Result<(Listed, String), ReportError> {
    let report = get(tx, may, report_id, now)?;
    let body = tx.get::<ContentRow>(&report_id)?.map(|row| row.body);
    Ok((report, body.ok_or(ReportError::Missing(report_id))?))
}

/// What a list of reports is narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Their type.
    pub report_type: Option<ReportType>,
    /// Also the versions that are not current.
    pub include_history: bool,
}

/// The reports of a case, newest first; at most five of each type.
///
/// # Errors
/// [`ReportError::Storage`] when the store fails.
pub fn list(
    tx: &impl View,
    may: &Reader,
    filter: Filter,
    now: Time,
) -> Result<Vec<Listed>, ReportError> {
    let case = case::get(tx, may)?;
    let span = Span::prefix(&key().id(&may.case_id()));
    let mut reports = Vec::new();
    for row in tx.list(&BY_CASE, &span, 0, PER_CASE_MAX)? {
        let wanted = filter.report_type.is_none_or(|wanted| wanted == row.report_type);
        if wanted && !is_over(row.report_type, &case, now) {
            let report = listed(tx, row, &case)?;
            if report.is_current || filter.include_history {
                reports.push(report);
            }
        }
    }
    // Of one instant the higher version is the newer one.
    reports.sort_by_key(|report| Reverse((report.row.created_at, report.row.version)));
    Ok(reports)
}

/// Changes to a report; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ReportChange {
    /// Title of the row; the text keeps its heading.
    pub title: Option<String>,
    /// Where it is to stand.
    pub status: Option<ReportStatus>,
}

/// Changes a report; where nothing differs, nothing happens.
///
/// # Errors
/// [`ReportError::Missing`], [`ReportError::Version`], [`ReportError::Field`],
/// [`ReportError::Transition`].
pub fn change(
    tx: &Write<'_>,
    may: &Writer,
    report_id: ReportId,
    expected: Option<u64>,
    change: &ReportChange,
    now: Time,
) -> Result<Listed, ReportError> {
    let mut report = get(tx, may, report_id, now)?;
    same_revision(expected, report.row.revision)?;
    let before = report.row.clone();
    if let Some(title) = &change.title {
        report.row.title = checked_title(title)?;
    }
    if let Some(to) = change.status.filter(|to| *to != before.status) {
        if !before.status.next().contains(&to) {
            return Err(ReportError::Transition { from: before.status, to });
        }
        report.row.status = to;
    }
    if report.row != before {
        report.row.updated_at = now;
        report.row.revision += 1;
        tx.put(&report.row)?;
    }
    Ok(report)
}

/// Deletes a report and answers it; its version number is not given again.
///
/// # Errors
/// [`ReportError::Missing`], [`ReportError::Version`].
pub fn remove(
    tx: &Write<'_>,
    may: &Writer,
    report_id: ReportId,
    expected: Option<u64>,
    now: Time,
) -> Result<ReportRow, ReportError> {
    let row = get(tx, may, report_id, now)?.row;
    same_revision(expected, row.revision)?;
    take_off(tx, &row)?;
    Ok(row)
}

fn same_revision(expected: Option<u64>, actual: u64) -> Result<(), ReportError> {
    match expected {
        Some(expected) if expected != actual => Err(ReportError::Version { expected, actual }),
        _ => Ok(()),
    }
}
