//! The body of `backup`: make one, read it back, say what it is.

use super::desk::{Backups, Made, entry};
use super::error::BackupError;
use super::{Progress, Tell};
use crate::base::id::EventId;
use crate::base::{Json, Time};
use crate::engine::db::{DbError, Write};
use crate::jobs::{Job, JobFailure, JobRow, Outcome, Work, complete};
use crate::ops::audit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The job type.
pub(super) const BACKUP: &str = "backup";
/// Between two signs of life.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// What the job needs: the event under which a failure is recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) event_id: EventId,
}

/// Makes the backups that somebody ordered.
pub struct BackupJob {
    backups: Backups,
}

impl BackupJob {
    /// A body for these backups.
    pub fn new(backups: Backups) -> Self {
        Self { backups }
    }

    async fn make(&self, work: &Work) -> Result<(), JobFailure> {
        work.progress(1, "waiting for its turn").await?;
        let heard = Arc::new(Heard::default());
        let tell: Tell = {
            let heard = Arc::clone(&heard);
            Arc::new(move |progress| heard.take(progress))
        };
        let now = work.clock.now();
        let mut making = std::pin::pin!(self.backups.make(now, &tell));
        let made = loop {
            tokio::select! {
                made = &mut making => break made.map_err(|error| refuse(&error))?,
                () = tokio::time::sleep(REPORT_EVERY) => {
                    let (percent, note) = heard.so_far();
                    // Dropping the future on the way out stops the thread that writes.
                    work.progress(percent, &note).await?;
                }
            }
        };
        let (lease, now, event_id) =
            (work.lease, work.clock.now(), work.ids.next(work.clock.now()));
        let actor = work.owner.to_string();
        let done = work.db.write(move |tx: &Write<'_>| {
            audit::record(tx, entry(event_id, now, actor.clone(), &made.name(), Some(&made)))?;
            let outcome = Outcome {
                result: Json::from_value(&Told::of(&made)).unwrap_or_default(),
                location: Some(super::http::LIST.to_owned()),
            };
            Ok::<_, BackupError>(complete(tx, lease, outcome, now)?)
        });
        done.await.map_err(|error| JobFailure::from_error(&error))
    }
}

/// What the owner is told: a full disk is theirs to mend, so it is not hidden.
fn refuse(error: &BackupError) -> JobFailure {
    match error {
        BackupError::NoSpace { .. } => JobFailure::permanent("backup_no_space", error.to_string()),
        error => JobFailure::from_error(error),
    }
}

/// What the job answers.
#[derive(Serialize)]
struct Told {
    name: String,
    size_bytes: u64,
    sequence: u64,
    created_at: Time,
    rows: u64,
    blobs: u64,
    content_bytes: u64,
    verified: bool,
}

impl Told {
    fn of(made: &Made) -> Self {
        Self {
            name: made.name(),
            size_bytes: made.size_bytes,
            sequence: made.summary.manifest.sequence,
            created_at: made.summary.manifest.created_at,
            rows: made.summary.rows(),
            blobs: made.summary.blobs,
            content_bytes: made.summary.content_bytes(),
            verified: true,
        }
    }
}

/// The last progress that was told, for another thread.
#[derive(Default)]
struct Heard {
    stage: std::sync::Mutex<Option<Progress>>,
    calls: AtomicU64,
}

impl Heard {
    fn take(&self, progress: Progress) -> ControlFlow<()> {
        *self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(progress);
        self.calls.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    }

    /// A percentage that grows and never arrives: the size is not known before the end.
    fn so_far(&self) -> (u8, String) {
        let progress = *self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let calls = self.calls.load(Ordering::Relaxed);
        let percent = 99 - u8::try_from(9_800 / (calls + 100)).unwrap_or(98);
        let note = progress.map_or_else(
            || "starting".to_owned(),
            |Progress { stage, bytes }| format!("{}: {} MiB", stage.as_str(), bytes >> 20),
        );
        (percent, note)
    }
}

impl Job for BackupJob {
    fn job_type(&self) -> &'static str {
        BACKUP
    }

    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>> {
        self.make(work).boxed()
    }

    fn given_up(&self, tx: &Write<'_>, job: &JobRow, now: Time) -> Result<(), DbError> {
        let Ok(Payload { event_id }) = job.payload.to() else { return Ok(()) };
        let id = job.job_id.to_string();
        audit::record(tx, entry(event_id, now, job.owner.to_string(), &id, None))?;
        Ok(())
    }
}
