//! Rows and indexes of jobs.

use crate::base::id::{CaseId, JobId, UserId};
use crate::base::{Json, Time};
use crate::engine::db::{Index, Row, Schema, key};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The life of a job: pending, running, then one of three ends (seed 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Waits for a worker, or for its next attempt.
    Pending,
    /// A worker holds its lease.
    Running,
    /// Done; the result stands.
    Completed,
    /// Gave up; the error stands.
    Failed,
    /// Stopped by its owner.
    Cancelled,
}

impl JobStatus {
    /// The status on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the job ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobErrorBody {
    /// Stable code.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// One job. About 500 bytes; lives until 24 hours after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// The job.
    pub job_id: JobId,
    /// Which body runs it, for example `preprocessing`.
    pub job_type: String,
    /// Where it is in its life.
    pub status: JobStatus,
    /// What the body needs.
    pub payload: Json,
    /// 0 to 100.
    pub progress: u8,
    /// The stage it is in, in words.
    pub note: String,
    /// What came of it.
    pub result: Option<Json>,
    /// Where the result can be read.
    pub location: Option<String>,
    /// Why it failed.
    pub error: Option<JobErrorBody>,
    /// Who asked for it.
    pub owner: UserId,
    /// The case it works on.
    pub case_id: Option<CaseId>,
    /// Attempts started.
    pub attempts: u32,
    /// Times a worker claimed it: names one run, so that an old run cannot speak for a newer one.
    pub run: u64,
    /// Runs that ended with the process.
    pub crashes: u32,
    /// Whether its owner asked it to stop.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: Time,
    /// When anything above last changed.
    pub updated_at: Time,
    /// Earliest start of the next attempt.
    pub run_after: Time,
    /// Until when a worker may hold it without a sign of life.
    pub lease_until: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// A person's jobs, newest first.
pub(super) const BY_OWNER: Index<JobRow> =
    Index::many("jobs_by_owner", |j| Some(key().id(&j.owner).time_desc(j.created_at)));
/// A person's unfinished jobs.
pub(super) const OPEN_BY_OWNER: Index<JobRow> =
    Index::many("jobs_open", |j| (!j.status.is_final()).then(|| key().id(&j.owner)));
/// Waiting jobs in the order they may start.
pub(super) const WAITING: Index<JobRow> = Index::many("jobs_waiting", |j| {
    (j.status == JobStatus::Pending).then(|| key().time(j.run_after))
});
/// Running jobs by the end of their lease.
pub(super) const LEASED: Index<JobRow> = Index::many("jobs_leased", |j| {
    (j.status == JobStatus::Running).then(|| key().time(j.lease_until.unwrap_or_default()))
});
/// Ended jobs, oldest end first.
pub(super) const ENDED: Index<JobRow> =
    Index::many("jobs_ended", |j| j.finished_at.map(|at| key().time(at)));

impl Row for JobRow {
    type Key = JobId;
    const TABLE: &'static str = "jobs";
    const INDEXES: &'static [Index<Self>] = &[BY_OWNER, OPEN_BY_OWNER, WAITING, LEASED, ENDED];

    fn key(&self) -> JobId {
        self.job_id
    }
}

/// Adds this room's tables.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<JobRow>()
}
