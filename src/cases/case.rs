//! The case: opening, changing, moving between statuses, putting away, deleting.

use super::access::{Owner, Reader, Recorded, Visit, Writer, record};
use super::error::CaseError;
use super::field::{Fields, same_version, set};
use super::progress::{is_active, milestones};
use super::status::illegal;
use super::tables::words::{ClosureReason, Milestone, Priority, Status, Strategy};
use super::tables::{CaseRow, ContextRow, OPENED};
use super::{participant, tag, transition};
use crate::base::id::{CaseId, UserId};
use crate::base::{Actor, Json, Time};
use crate::engine::db::{Span, View, Write, key};
use crate::ops::event;
use serde::Serialize;

/// Longest title, in characters (reference facts 1.4).
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest description, in characters (reference facts 1.4).
pub const DESCRIPTION_CHARS_MAX: usize = 2000;
/// Longest reason of a transition, in characters (reference facts 1.3).
pub const REASON_CHARS_MAX: usize = 500;
/// Longest name of a phase, in characters.
pub const PHASE_CHARS_MAX: usize = 100;
/// Microseconds of a day, for the number in an automatic title.
const DAY_US: i64 = 86_400_000_000;

/// What a new case is opened with.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// Its id.
    pub case_id: CaseId,
    /// Title; absent or blank gives `Case-MMDD-N`.
    pub title: Option<String>,
    /// What is wrong.
    pub description: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Tags.
    pub tags: Vec<String>,
    /// Anything a client wants to keep with it.
    pub metadata: Option<Json>,
}

/// Changes to a case; `None` leaves a field alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct CaseChange {
    /// Title; blank is refused.
    pub title: Option<String>,
    /// What is wrong.
    pub description: Option<Option<String>>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// Phase of the investigation in the agent's words.
    pub current_phase: Option<Option<String>>,
    /// How it is led.
    pub investigation_strategy: Option<Strategy>,
    /// Turns since something was learnt.
    pub turns_without_progress: Option<u32>,
    /// A move to another status, in the same commit.
    pub status: Option<StatusChange>,
    /// JSON columns.
    pub context: ContextChange,
}

/// Changes to the JSON columns; `None` leaves one alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ContextChange {
    /// Milestones and their confidence.
    pub investigation_progress: Option<Option<Json>>,
    /// What was said before investigating.
    pub consulting_data: Option<Option<Json>>,
    /// Symptoms and scope.
    pub problem_verification: Option<Option<Json>>,
    /// What is thought now.
    pub working_conclusion: Option<Option<Json>>,
    /// What it was.
    pub root_cause_conclusion: Option<Option<Json>>,
    /// What does not work for the agent.
    pub degraded_mode: Option<Option<Json>>,
    /// To whom it was handed.
    pub escalation_state: Option<Option<Json>>,
    /// What was written for later.
    pub documentation_data: Option<Option<Json>>,
    /// Which way was taken and why.
    pub path_selection: Option<Option<Json>>,
    /// State of each turn.
    pub turn_progress: Option<Option<Json>>,
    /// Anything a client wants to keep.
    pub metadata: Option<Option<Json>>,
}

/// A move to another status.
#[derive(Debug, Clone)]
pub struct StatusChange {
    /// Where to.
    pub to: Status,
    /// Why it ends; required when it does, refused when it does not (ruling 2).
    pub closure_reason: Option<ClosureReason>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
}

/// Opens a case that belongs to the actor, in status consulting.
///
/// # Errors
/// [`CaseError::Anonymous`] when nobody is signed in; [`CaseError::Fields`].
pub fn create(
    tx: &Write<'_>,
    actor: &Actor,
    new: &NewCase,
    visit: &Visit,
) -> Result<CaseRow, CaseError> {
    let user_id = actor.user_id().ok_or(CaseError::Anonymous)?;
    let mut fields = Fields::default();
    let title = fields.optional("title", new.title.as_deref(), TITLE_CHARS_MAX);
    let description =
        fields.optional("description", new.description.as_deref(), DESCRIPTION_CHARS_MAX);
    let tags = tag::checked(&mut fields, &new.tags);
    fields.done()?;
    let title = match title {
        Some(title) => title,
        None => automatic_title(tx, user_id, visit.now)?,
    };
    let row = CaseRow {
        case_id: new.case_id,
        user_id,
        org_id: None,
        team_id: None,
        title,
        description,
        status: Status::Consulting,
        closure_reason: None,
        priority: new.priority,
        current_phase: None,
        investigation_strategy: Strategy::PostMortem,
        current_turn: 0,
        turns_without_progress: 0,
        milestones: Default::default(),
        degraded_mode_active: false,
        escalated: false,
        created_at: visit.now,
        updated_at: visit.now,
        last_activity_at: visit.now,
        resolved_at: None,
        closed_at: None,
        archived_at: None,
        version: 1,
    };
    tx.insert(&row)?;
    if let Some(metadata) = &new.metadata {
        let context =
            ContextRow { metadata: Some(metadata.clone()), ..ContextRow::empty(row.case_id) };
        tx.insert(&context)?;
    }
    participant::enrol_owner(tx, row.case_id, user_id, visit.now)?;
    tag::insert_all(tx, row.case_id, &tags, visit.now)?;
    let by = actor.label();
    let step = transition::Step {
        from: None,
        to: row.status,
        closure_reason: None,
        reason: None,
        by: &by,
    };
    transition::add(tx, row.case_id, step, visit)?;
    record(tx, &by, visit, about(event::CASE_CREATED, row.case_id), &Details::new("created"))?;
    Ok(row)
}

/// `Case-MMDD-N`, where N counts the person's cases of that day (reference facts 1.4).
fn automatic_title(tx: &Write<'_>, user_id: UserId, now: Time) -> Result<String, CaseError> {
    let before_today = now.unix_us() - now.unix_us().rem_euclid(DAY_US) - 1;
    let yesterday = key().id(&user_id).time(Time::from_unix_us(before_today));
    let today = Span::prefix(&key().id(&user_id)).after(&yesterday);
    let number = tx.count(&OPENED, &today)? + 1;
    // RFC 3339 begins `YYYY-MM-DD`.
    let date = now.to_string();
    let (month, day) = (date.get(5..7).unwrap_or_default(), date.get(8..10).unwrap_or_default());
    Ok(format!("Case-{month}{day}-{number}"))
}

/// The case behind a proof.
///
/// # Errors
/// [`CaseError::Missing`] when it is gone.
pub fn get(tx: &impl View, may: &Reader) -> Result<CaseRow, CaseError> {
    tx.get::<CaseRow>(&may.case_id())?.ok_or(CaseError::Missing(may.case_id()))
}

/// The JSON columns of a case.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn context(tx: &impl View, may: &Reader) -> Result<ContextRow, CaseError> {
    let found = tx.get::<ContextRow>(&may.case_id())?;
    Ok(found.unwrap_or(ContextRow::empty(may.case_id())))
}

/// Changes a case, also its status where the change says so.
///
/// # Errors
/// [`CaseError::Version`] when `expected` is not its version, [`CaseError::Fields`], and as
/// [`change_status`].
pub fn update(
    tx: &Write<'_>,
    may: &Writer,
    expected: Option<u64>,
    change: &CaseChange,
    visit: &Visit,
) -> Result<CaseRow, CaseError> {
    let mut row = get(tx, may)?;
    same_version(expected, row.version)?;
    apply(&mut row, change)?;
    change_context(tx, &mut row, &change.context)?;
    let from = row.status;
    if let Some(change) = change.status.as_ref().filter(|change| change.to != from) {
        step(tx, may, &mut row, change, visit)?;
    } else if row.status == Status::Investigating && row.description.is_none() {
        return Err(CaseError::field("description", NEEDS_DESCRIPTION));
    }
    save(tx, &mut row, visit.now)?;
    let details = Details::new("updated").moved(from, row.status);
    record(tx, may.by(), visit, about(event::CASE_UPDATED, row.case_id), &details)?;
    Ok(row)
}

fn apply(row: &mut CaseRow, change: &CaseChange) -> Result<(), CaseError> {
    let mut fields = Fields::default();
    if let Some(title) = &change.title {
        row.title = fields.text("title", title, TITLE_CHARS_MAX);
    }
    if let Some(text) = &change.description {
        row.description = fields.optional("description", text.as_deref(), DESCRIPTION_CHARS_MAX);
    }
    if let Some(text) = &change.current_phase {
        row.current_phase = fields.optional("current_phase", text.as_deref(), PHASE_CHARS_MAX);
    }
    set(&mut row.priority, change.priority);
    set(&mut row.investigation_strategy, change.investigation_strategy);
    set(&mut row.turns_without_progress, change.turns_without_progress);
    fields.done()
}

/// Changes the JSON columns and what the row says about them.
fn change_context(
    tx: &Write<'_>,
    row: &mut CaseRow,
    change: &ContextChange,
) -> Result<(), CaseError> {
    let found = tx.get::<ContextRow>(&row.case_id)?;
    let before = found.unwrap_or(ContextRow::empty(row.case_id));
    let mut after = before.clone();
    let ContextChange {
        investigation_progress,
        consulting_data,
        problem_verification,
        working_conclusion,
        root_cause_conclusion,
        degraded_mode,
        escalation_state,
        documentation_data,
        path_selection,
        turn_progress,
        metadata,
    } = change.clone();
    set(&mut after.investigation_progress, investigation_progress);
    set(&mut after.consulting_data, consulting_data);
    set(&mut after.problem_verification, problem_verification);
    set(&mut after.working_conclusion, working_conclusion);
    set(&mut after.root_cause_conclusion, root_cause_conclusion);
    set(&mut after.degraded_mode, degraded_mode);
    set(&mut after.escalation_state, escalation_state);
    set(&mut after.documentation_data, documentation_data);
    set(&mut after.path_selection, path_selection);
    set(&mut after.turn_progress, turn_progress);
    set(&mut after.metadata, metadata);
    if before == after {
        return Ok(());
    }
    row.milestones = match &after.investigation_progress {
        Some(progress) => milestones(progress)?,
        None => Default::default(),
    };
    row.degraded_mode_active = is_active(after.degraded_mode.as_ref());
    row.escalated = is_active(after.escalation_state.as_ref());
    Ok(tx.put(&after)?)
}

/// Moves a case to another status; staying where it is changes nothing.
///
/// # Errors
/// [`CaseError::CaseTransition`] when the machine does not allow it, [`CaseError::OwnerOnly`] when
/// somebody else than the owner takes up a case that has ended, [`CaseError::Fields`] when the
/// closure reason or the description is not as the status needs it.
pub fn change_status(
    tx: &Write<'_>,
    may: &Writer,
    expected: Option<u64>,
    change: &StatusChange,
    visit: &Visit,
) -> Result<CaseRow, CaseError> {
    let mut row = get(tx, may)?;
    same_version(expected, row.version)?;
    let from = row.status;
    if from == change.to {
        return Ok(row);
    }
    step(tx, may, &mut row, change, visit)?;
    save(tx, &mut row, visit.now)?;
    let action = if from.is_terminal() { "reopened" } else { "status_changed" };
    let details = Details::new(action).moved(from, row.status);
    record(tx, may.by(), visit, about(event::CASE_UPDATED, row.case_id), &details)?;
    Ok(row)
}

const NEEDS_DESCRIPTION: &str = "an investigation needs a description";

/// Checks a move, makes it on the row and records it; the caller saves the row.
fn step(
    tx: &Write<'_>,
    may: &Writer,
    row: &mut CaseRow,
    change: &StatusChange,
    visit: &Visit,
) -> Result<(), CaseError> {
    let (from, to) = (row.status, change.to);
    if !from.next(may.owns()).contains(&to) {
        if from.next(true).contains(&to) {
            return Err(CaseError::OwnerOnly);
        }
        let next = from.next(may.owns());
        return Err(CaseError::CaseTransition(illegal(from, to, next, Status::as_str)));
    }
    let mut fields = Fields::default();
    let reason = fields.optional("reason", change.reason.as_deref(), REASON_CHARS_MAX);
    if to.is_terminal() && change.closure_reason.is_none() {
        let words: Vec<_> = ClosureReason::ALL.iter().map(|word| word.as_str()).collect();
        fields.wrong("closure_reason", format!("is required, one of {}", words.join(", ")));
    }
    if !to.is_terminal() && change.closure_reason.is_some() {
        fields.wrong("closure_reason", "belongs to a case that ends");
    }
    if to == Status::Investigating && row.description.is_none() {
        fields.wrong("description", NEEDS_DESCRIPTION);
    }
    fields.done()?;
    row.status = to;
    row.closure_reason = change.closure_reason;
    row.closed_at = to.is_terminal().then_some(visit.now);
    row.resolved_at = (to == Status::Resolved).then_some(visit.now);
    let closure_reason = change.closure_reason;
    let step = transition::Step { from: Some(from), to, closure_reason, reason, by: may.by() };
    transition::add(tx, row.case_id, step, visit)
}

/// Takes up a case that has ended (ruling 2); refused for one that has not.
///
/// # Errors
/// As [`change_status`].
pub fn reopen(
    tx: &Write<'_>,
    may: &Writer,
    expected: Option<u64>,
    reason: Option<String>,
    visit: &Visit,
) -> Result<CaseRow, CaseError> {
    let (from, to) = (get(tx, may)?.status, Status::Investigating);
    if !from.is_terminal() {
        let next = from.next(may.owns());
        return Err(CaseError::CaseTransition(illegal(from, to, next, Status::as_str)));
    }
    change_status(tx, may, expected, &StatusChange { to, closure_reason: None, reason }, visit)
}

/// Puts a case away or takes it out again; doing it twice changes nothing.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn archive(
    tx: &Write<'_>,
    may: &Owner,
    archived: bool,
    visit: &Visit,
) -> Result<CaseRow, CaseError> {
    let mut row = get(tx, may)?;
    if row.archived_at.is_some() == archived {
        return Ok(row);
    }
    row.archived_at = archived.then_some(visit.now);
    save(tx, &mut row, visit.now)?;
    let details = Details::new(if archived { "archived" } else { "unarchived" });
    record(tx, may.by(), visit, about(event::CASE_UPDATED, row.case_id), &details)?;
    Ok(row)
}

/// Deletes a case and everything in it.
///
/// # Errors
/// [`CaseError::Version`] when `expected` is not its version.
pub fn remove(
    tx: &Write<'_>,
    may: &Owner,
    expected: Option<u64>,
    visit: &Visit,
) -> Result<(), CaseError> {
    let row = get(tx, may)?;
    same_version(expected, row.version)?;
    tx.delete::<CaseRow>(&row.case_id)?;
    let what = about(event::CASE_DELETED, row.case_id);
    record(tx, may.by(), visit, what, &Details::new("deleted"))
}

/// Notes that something in the case changed. Its version stays: that counts its own fields.
pub(super) fn touch(tx: &Write<'_>, may: &Writer, now: Time) -> Result<CaseRow, CaseError> {
    let mut row = get(tx, may)?;
    if row.last_activity_at < now {
        row.last_activity_at = now;
        tx.put(&row)?;
    }
    Ok(row)
}

/// Notes a message: a person's opens a turn unless the message names its own.
pub(super) fn take_turn(
    tx: &Write<'_>,
    may: &Writer,
    turn: impl FnOnce(u32) -> u32,
    now: Time,
) -> Result<u32, CaseError> {
    let mut row = get(tx, may)?;
    let turn = turn(row.current_turn);
    row.current_turn = row.current_turn.max(turn);
    row.last_activity_at = row.last_activity_at.max(now);
    tx.put(&row)?;
    Ok(turn)
}

/// Refuses new evidence for a case that has ended, unless the program finishes what was begun.
pub(super) fn takes_evidence(row: &CaseRow, may: &Writer) -> Result<(), CaseError> {
    if row.status.is_terminal() && !may.is_system() { Err(CaseError::Ended) } else { Ok(()) }
}

/// Whether a cure is proposed already; new evidence then speaks to the resolution.
pub(super) fn cure_proposed(row: &CaseRow) -> bool {
    row.milestones.has(Milestone::SolutionProposed)
}

fn save(tx: &Write<'_>, row: &mut CaseRow, now: Time) -> Result<(), CaseError> {
    row.updated_at = row.updated_at.max(now);
    row.last_activity_at = row.last_activity_at.max(now);
    row.version += 1;
    Ok(tx.put(row)?)
}

fn about(event_type: &'static str, case_id: CaseId) -> Recorded {
    Recorded { event_type, case_id }
}

/// What the audit trail says of a change; never a content.
#[derive(Serialize)]
struct Details {
    action: &'static str,
    from: Option<Status>,
    to: Option<Status>,
}

impl Details {
    fn new(action: &'static str) -> Self {
        Self { action, from: None, to: None }
    }

    fn moved(self, from: Status, to: Status) -> Self {
        let changed = from != to;
        Self { from: changed.then_some(from), to: changed.then_some(to), ..self }
    }
}
