//! The body of `report_generation`: one snapshot of the case, the documents, one commit.

use super::compose::compose;
use super::error::ReportError;
use super::facts::{Facts, Veil};
use super::report::{Planned, Shelved, Written, shelve};
use super::words::ReportType;
use crate::base::id::{CaseId, EventId, JobId, ReportId};
use crate::base::{Json, Time};
use crate::cases::access::Writer;
use crate::engine::db::Write;
use crate::jobs::{Job, JobFailure, Outcome, Work, complete};
use crate::ops::{audit, event};
use crate::privacy::Policy;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// The job type.
pub(super) const REPORT_GENERATION: &str = "report_generation";

/// What the job needs. Ids are made by the request, so a second run writes the same reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    reports: Vec<Wanted>,
    title: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wanted {
    report_id: ReportId,
    report_type: ReportType,
}

impl Payload {
    pub(super) fn new(reports: &[Planned], title: Option<String>) -> Self {
        let wanted = |planned: &Planned| {
            let Planned { report_id, report_type } = *planned;
            Wanted { report_id, report_type }
        };
        Self { reports: reports.iter().map(wanted).collect(), title }
    }
}

/// Address of a report.
pub(super) fn address(case_id: CaseId, report_id: ReportId) -> String {
    format!("/api/v1/cases/{case_id}/reports/{report_id}")
}

/// Writes the reports that somebody ordered.
pub struct Generate {
    policy: Policy,
}

impl Generate {
    /// A body that redacts by this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    async fn generate(&self, work: &Work) -> Result<(), JobFailure> {
        let payload: Payload = work
            .payload
            .to()
            .map_err(|error| JobFailure::permanent("payload_damaged", error.to_string()))?;
        let Some(case_id) = work.case_id else {
            return Err(JobFailure::permanent("payload_damaged", "the job names no case"));
        };
        work.progress(10, "reading the case").await?;
        let (db, policy, now) = (work.db.clone(), self.policy.clone(), work.clock.now());
        let composing = move || {
            let facts = db.read(|tx| -> Result<_, ReportError> {
                let may = Writer::system(tx, case_id, REPORT_GENERATION)?;
                Ok(Facts::gather(tx, &may, now)?)
            });
            facts.map(|facts| written(facts, payload, &policy))
        };
        // A full case is megabytes of text: not for a thread that serves requests.
        let composed = tokio::task::spawn_blocking(composing).await;
        let reports = composed
            .map_err(|_| JobFailure::permanent("report_broken", "a report broke on this case"))?
            .map_err(|error| JobFailure::from_error(&error))?;
        work.progress(80, "storing the reports").await?;
        let stored = Stored {
            case_id,
            work: (work.job_id, work.owner.to_string()),
            reports: reports.into_iter().map(|report| (work.ids.next(now), report)).collect(),
            now,
        };
        let lease = work.lease;
        let done = work.db.write(move |tx| {
            let outcome = stored.store(tx)?;
            Ok::<_, ReportError>(complete(tx, lease, outcome, now)?)
        });
        done.await.map_err(|error| JobFailure::from_error(&error))
    }
}

/// Composes what is wanted, without secrets.
fn written(mut facts: Facts, payload: Payload, policy: &Policy) -> Vec<Written> {
    facts.redact(policy);
    let title = payload.title.map(|mut title| {
        Veil::new(policy).text(&mut title);
        title
    });
    let planned = payload.reports.iter().map(|wanted| {
        let Wanted { report_id, report_type } = *wanted;
        Planned { report_id, report_type }
    });
    planned.map(|planned| compose(planned, &facts, title.as_deref())).collect()
}

/// Everything one job leaves behind.
pub(super) struct Stored {
    pub(super) case_id: CaseId,
    /// The job and who asked for it.
    pub(super) work: (JobId, String),
    /// The reports, each with the event of the audit trail.
    pub(super) reports: Vec<(EventId, Written)>,
    pub(super) now: Time,
}

#[derive(Serialize)]
struct ResultBody {
    reports: Vec<Made>,
}

#[derive(Serialize)]
struct Made {
    report_id: ReportId,
    report_type: ReportType,
    version: u64,
    location: String,
}

#[derive(Serialize)]
struct Details<'a> {
    case_id: CaseId,
    report_type: ReportType,
    version: u64,
    /// Versions that went to make room.
    dropped: &'a [ReportId],
}

impl Stored {
    /// Stores the reports with their audit entries; answers what becomes of the job.
    pub(super) fn store(&self, tx: &Write<'_>) -> Result<Outcome, ReportError> {
        let may = Writer::system(tx, self.case_id, REPORT_GENERATION)?;
        let (job_id, by) = &self.work;
        let mut made = Vec::with_capacity(self.reports.len());
        for (event_id, report) in &self.reports {
            let shelved = shelve(tx, &may, *job_id, report, by, self.now)?;
            if !shelved.again {
                audit::record(tx, self.entry(*event_id, &shelved))?;
            }
            made.push(Made {
                report_id: shelved.row.report_id,
                report_type: shelved.row.report_type,
                version: shelved.row.version,
                location: address(self.case_id, shelved.row.report_id),
            });
        }
        let location = made.first().map(|report| report.location.clone());
        let result = Json::from_value(&ResultBody { reports: made }).unwrap_or_default();
        Ok(Outcome { result, location })
    }

    fn entry(&self, event_id: EventId, shelved: &Shelved) -> audit::Entry {
        let details = Details {
            case_id: self.case_id,
            report_type: shelved.row.report_type,
            version: shelved.row.version,
            dropped: &shelved.dropped,
        };
        audit::Entry {
            event_id,
            at: self.now,
            actor: self.work.1.clone(),
            event_type: event::REPORT_GENERATED,
            category: audit::Category::DataAccess,
            resource_type: "report",
            resource_id: shelved.row.report_id.to_string(),
            details: Json::from_value(&details).unwrap_or_default(),
            address: None,
            success: true,
        }
    }
}

impl Job for Generate {
    fn job_type(&self) -> &'static str {
        REPORT_GENERATION
    }

    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>> {
        self.generate(work).boxed()
    }
}
