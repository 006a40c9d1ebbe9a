//! The life of a job row: submitted, claimed, renewed, ended, swept.

use super::error::{JobFailure, JobsError, Then};
use super::tables::{
    BY_OWNER, ENDED, JobErrorBody, JobRow, JobStatus, LEASED, OPEN_BY_OWNER, WAITING,
};
use super::worker::Bodies;
use crate::base::id::{CaseId, JobId, UserId};
use crate::base::{Actor, Json, Page, PageRequest, Role, Time};
use crate::engine::db::{Span, View, Write, key};
use std::ops::ControlFlow;

/// Unfinished jobs one person may have: a bulk upload fits, a runaway script does not.
pub(super) const OPEN_JOBS_MAX: usize = 1_000;
/// Ended jobs stay readable this long (seed 9.1).
pub(super) const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// A worker renews its lease three times within this span; a stuck process loses the job after it.
pub(super) const LEASE_MS: i64 = 60_000;
/// Attempts before a job that fails for passing reasons gives up.
pub(super) const ATTEMPTS_MAX: u32 = 5;
/// Crashes during its runs after which a job is given up.
pub(super) const CRASHES_MAX: u32 = 3;
/// Wait before the second attempt; each further wait is four times the one before.
const BACKOFF_FIRST_MS: i64 = 1_000;
/// Longest wait between attempts.
const BACKOFF_MAX_MS: i64 = 300_000;
/// Lost leases taken back in one claim.
const LOST_LEASES_MAX: usize = 16;
/// Longest stage name kept.
const NOTE_CHARS_MAX: usize = 200;

/// A job to submit.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Made by the caller, so that the request can answer it.
    pub job_id: JobId,
    /// Which body runs it.
    pub job_type: &'static str,
    /// Who asked for it.
    pub owner: UserId,
    /// The case it works on.
    pub case_id: Option<CaseId>,
    /// What the body needs.
    pub payload: Json,
    /// The instant of the request.
    pub now: Time,
}

/// One run of a job: what its body holds while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: JobId,
    /// Which of its runs.
    pub run: u64,
}

/// What came of a job.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Shown as `result`.
    pub result: Json,
    /// Where polling is sent with 303.
    pub location: Option<String>,
}

/// Queues a job in the caller's transaction.
///
/// # Errors
/// [`JobsError::TooMany`] when the owner has [`OPEN_JOBS_MAX`] unfinished jobs.
pub fn submit(tx: &Write<'_>, job: NewJob) -> Result<(), JobsError> {
    admits(tx, job.owner)?;
    tx.insert(&JobRow {
        job_id: job.job_id,
        job_type: job.job_type.to_owned(),
        status: JobStatus::Pending,
        payload: job.payload,
        progress: 0,
        note: "waiting".to_owned(),
        result: None,
        location: None,
        error: None,
        owner: job.owner,
        case_id: job.case_id,
        attempts: 0,
        run: 0,
        crashes: 0,
        cancel_requested: false,
        created_at: job.now,
        updated_at: job.now,
        run_after: job.now,
        lease_until: None,
        finished_at: None,
    })?;
    Ok(())
}

/// Whether the owner may queue another job; for callers that want to refuse before they write.
///
/// # Errors
/// [`JobsError::TooMany`] when the owner has [`OPEN_JOBS_MAX`] unfinished jobs.
pub fn admits(tx: &impl View, owner: UserId) -> Result<(), JobsError> {
    let open = tx.count(&OPEN_BY_OWNER, &Span::prefix(&key().id(&owner)))?;
    if open < OPEN_JOBS_MAX { Ok(()) } else { Err(JobsError::TooMany(open)) }
}

/// The job, if the actor may know of it and it has not outlived its time.
///
/// # Errors
/// [`JobsError::Missing`] otherwise.
pub fn visible(
    tx: &impl View,
    actor: &Actor,
    job_id: JobId,
    now: Time,
) -> Result<JobRow, JobsError> {
    let row = tx.get::<JobRow>(&job_id)?.ok_or(JobsError::Missing)?;
    let may = actor.user_id() == Some(row.owner) || actor.has(Role::Admin);
    let gone = row.finished_at.is_some_and(|at| now.since_ms(at) > KEPT_MS);
    if may && !gone { Ok(row) } else { Err(JobsError::Missing) }
}

/// A person's jobs, newest first.
pub(super) fn list(
    tx: &impl View,
    owner: UserId,
    status: Option<JobStatus>,
    job_type: Option<&str>,
    now: Time,
    request: PageRequest,
) -> Result<Page<JobRow>, JobsError> {
    let mut page = Page { items: Vec::new(), total_count: 0, request };
    tx.each(&BY_OWNER, &Span::prefix(&key().id(&owner)), |row: JobRow| {
        let kept = row.finished_at.is_none_or(|at| now.since_ms(at) <= KEPT_MS);
        let wanted =
            status.is_none_or(|s| s == row.status) && job_type.is_none_or(|t| t == row.job_type);
        if kept && wanted {
            if page.total_count >= request.offset && page.items.len() < request.limit {
                page.items.push(row);
            }
            page.total_count += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// Unfinished jobs of everyone: `(waiting, running)`.
///
/// # Errors
/// [`JobsError::Storage`] when the store fails.
pub fn counts(tx: &impl View) -> Result<(usize, usize), JobsError> {
    Ok((tx.count(&WAITING, &Span::all())?, tx.count(&LEASED, &Span::all())?))
}

/// When the next job may start, lost leases included; `None` when nothing waits.
pub(super) fn next_due(tx: &impl View) -> Result<Option<Time>, JobsError> {
    let waiting = tx.list(&WAITING, &Span::all(), 0, 1)?.pop().map(|row| row.run_after);
    let leased = tx.list(&LEASED, &Span::all(), 0, 1)?.pop().and_then(|row| row.lease_until);
    Ok(waiting.into_iter().chain(leased).min())
}

/// Takes the next job that may start, if there is one.
pub(super) fn claim(tx: &Write<'_>, now: Time) -> Result<Option<JobRow>, JobsError> {
    let lost = Span::all().before(&key().time(now.plus_ms(1)));
    for mut row in tx.list(&LEASED, &lost, 0, LOST_LEASES_MAX)? {
        row.status = JobStatus::Pending;
        row.run_after = now;
        row.lease_until = None;
        tx.put(&row)?;
    }
    let next = tx.list(&WAITING, &Span::all(), 0, 1)?.pop();
    let Some(mut row) = next.filter(|row| row.run_after <= now) else { return Ok(None) };
    row.status = JobStatus::Running;
    row.attempts += 1;
    row.run += 1;
    row.lease_until = Some(now.plus_ms(LEASE_MS));
    row.updated_at = now;
    tx.put(&row)?;
    Ok(Some(row))
}

/// Extends the lease and notes progress; answers whether the owner asked for a stop.
pub(super) fn renew(
    tx: &Write<'_>,
    lease: Lease,
    progress: Option<(u8, &str)>,
    now: Time,
) -> Result<bool, JobsError> {
    let mut row = running(tx, lease)?;
    row.lease_until = Some(now.plus_ms(LEASE_MS));
    if let Some((percent, note)) = progress {
        row.progress = percent.min(99);
        row.note = note.chars().take(NOTE_CHARS_MAX).collect();
        row.updated_at = now;
    }
    tx.put(&row)?;
    Ok(row.cancel_requested)
}

/// Ends a job well, in the same write as the effects of its body.
///
/// # Errors
/// [`JobsError::Cancelled`] when its owner asked for a stop or this run no longer holds it: the
/// body's write must not be kept.
pub fn complete(
    tx: &Write<'_>,
    lease: Lease,
    outcome: Outcome,
    now: Time,
) -> Result<(), JobsError> {
    let mut row = running(tx, lease)?;
    if row.cancel_requested {
        return Err(JobsError::Cancelled);
    }
    row.result = Some(outcome.result);
    row.location = outcome.location;
    row.progress = 100;
    row.note = "done".to_owned();
    row.error = None;
    end(tx, row, JobStatus::Completed, &Bodies::default(), now)?;
    Ok(())
}

/// Ends or postpones a job whose body failed; answers its new status.
pub(super) fn fail(
    tx: &Write<'_>,
    lease: Lease,
    failure: &JobFailure,
    bodies: &Bodies,
    now: Time,
) -> Result<JobStatus, JobsError> {
    let mut row = running(tx, lease)?;
    if row.cancel_requested {
        row.note = "cancelled".to_owned();
        return end(tx, row, JobStatus::Cancelled, bodies, now);
    }
    match failure.then {
        Then::Wait(delay_ms) => {
            row.attempts = row.attempts.saturating_sub(1);
            row.run_after = now.plus_ms(delay_ms.max(1));
            row.note.clone_from(&failure.message);
            return end(tx, row, JobStatus::Pending, bodies, now);
        }
        Then::Retry if row.attempts < ATTEMPTS_MAX => {
            row.run_after = now.plus_ms(backoff_ms(row.attempts));
            row.note = format!("attempt {} failed; will try again", row.attempts);
            row.error = Some(body_of(failure));
            return end(tx, row, JobStatus::Pending, bodies, now);
        }
        Then::Retry | Then::GiveUp => {}
    }
    row.note = "failed".to_owned();
    row.error = Some(body_of(failure));
    end(tx, row, JobStatus::Failed, bodies, now)
}

fn body_of(failure: &JobFailure) -> JobErrorBody {
    JobErrorBody { code: failure.code.to_owned(), message: failure.message.clone() }
}

/// Wait after the n-th failed attempt.
pub(super) fn backoff_ms(attempts: u32) -> i64 {
    let factor = 4i64.saturating_pow(attempts.saturating_sub(1));
    BACKOFF_FIRST_MS.saturating_mul(factor).min(BACKOFF_MAX_MS)
}

/// Stops a waiting job at once and asks a running one to stop.
pub(super) fn cancel(
    tx: &Write<'_>,
    actor: &Actor,
    job_id: JobId,
    bodies: &Bodies,
    now: Time,
) -> Result<JobRow, JobsError> {
    let mut row = visible(tx, actor, job_id, now)?;
    match row.status {
        JobStatus::Pending => {
            row.note = "cancelled".to_owned();
            row.status = end(tx, row.clone(), JobStatus::Cancelled, bodies, now)?;
        }
        JobStatus::Running => {
            row.cancel_requested = true;
            row.updated_at = now;
            tx.put(&row)?;
        }
        ended => return Err(JobsError::Ended(ended.as_str())),
    }
    Ok(row)
}

/// Queues an ended job again, with fresh attempts.
pub(super) fn retry(
    tx: &Write<'_>,
    actor: &Actor,
    job_id: JobId,
    now: Time,
) -> Result<JobRow, JobsError> {
    let mut row = visible(tx, actor, job_id, now)?;
    if !matches!(row.status, JobStatus::Failed | JobStatus::Cancelled) {
        return Err(JobsError::NotRetryable(row.status.as_str()));
    }
    row.attempts = 0;
    row.cancel_requested = false;
    row.error = None;
    row.progress = 0;
    row.note = "waiting".to_owned();
    row.run_after = now;
    row.crashes = 0;
    row.status = JobStatus::Pending;
    row.finished_at = None;
    row.updated_at = now;
    tx.put(&row)?;
    Ok(row)
}

/// After a crash nobody holds a lease: running jobs wait again. A job that was running in
/// [`CRASHES_MAX`] crashes has probably caused them and is given up. Answers how many there were.
///
/// # Errors
/// [`JobsError::Storage`] when the store fails.
pub fn recover(tx: &Write<'_>, bodies: &Bodies, now: Time) -> Result<usize, JobsError> {
    let rows = tx.list(&LEASED, &Span::all(), 0, usize::MAX)?;
    let count = rows.len();
    for mut row in rows {
        row.crashes += 1;
        row.attempts = row.attempts.saturating_sub(1);
        let next = if row.cancel_requested {
            JobStatus::Cancelled
        } else if row.crashes >= CRASHES_MAX {
            let message = format!("the server stopped {} times while this job ran", row.crashes);
            row.error = Some(JobErrorBody { code: "job_crashed".to_owned(), message });
            JobStatus::Failed
        } else {
            // The first time at once: most crashes have another cause than the job.
            let wait_ms = if row.crashes == 1 { 0 } else { backoff_ms(row.crashes) };
            row.note = "interrupted by a crash; waiting to run again".to_owned();
            row.run_after = now.plus_ms(wait_ms);
            JobStatus::Pending
        };
        end(tx, row, next, bodies, now)?;
    }
    Ok(count)
}

/// Gives the running jobs back when the server stops in good order: they run again at the next
/// start, and the interruption is not held against them.
pub(super) fn release(tx: &Write<'_>, now: Time) -> Result<usize, JobsError> {
    let rows = tx.list(&LEASED, &Span::all(), 0, usize::MAX)?;
    let count = rows.len();
    for mut row in rows {
        row.status = JobStatus::Pending;
        row.attempts = row.attempts.saturating_sub(1);
        row.note = "interrupted by a stop; waiting to run again".to_owned();
        row.run_after = now;
        row.lease_until = None;
        row.updated_at = now;
        tx.put(&row)?;
    }
    Ok(count)
}

/// Deletes at most `limit` jobs that ended more than 24 hours ago; answers how many went.
///
/// # Errors
/// [`JobsError::Storage`] when the store fails.
pub fn sweep(tx: &Write<'_>, now: Time, limit: usize) -> Result<usize, JobsError> {
    let old = Span::all().before(&key().time(now.plus_ms(-KEPT_MS)));
    Ok(tx.delete_span(&ENDED, &old, limit)?)
}

/// The row, if this run still holds it.
fn running(tx: &Write<'_>, lease: Lease) -> Result<JobRow, JobsError> {
    tx.get::<JobRow>(&lease.job_id)?
        .filter(|row| row.status == JobStatus::Running && row.run == lease.run)
        .ok_or(JobsError::Cancelled)
}

/// Stores the next status; at an end without success the body's room hears of it in the same
/// write.
fn end(
    tx: &Write<'_>,
    mut row: JobRow,
    next: JobStatus,
    bodies: &Bodies,
    now: Time,
) -> Result<JobStatus, JobsError> {
    row.status = next;
    row.lease_until = None;
    row.finished_at = next.is_final().then_some(now);
    row.updated_at = now;
    tx.put(&row)?;
    if matches!(next, JobStatus::Failed | JobStatus::Cancelled)
        && let Some(body) = bodies.get(&row.job_type)
    {
        body.given_up(tx, &row, now)?;
    }
    Ok(next)
}
