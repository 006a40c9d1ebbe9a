//! The body of `preprocessing`: bytes to findings to evidence, in one commit with its job.

use super::analyse::{Analysis, DataType};
use super::error::UploadsError;
use super::intake::Limits;
use super::pipeline::{Options, analyse_bytes};
use super::tables::PlaceholdersRow;
use crate::base::id::{CaseId, EvidenceId, FileId};
use crate::base::{Json, Time};
use crate::cases::access::Writer;
use crate::cases::evidence::{self, NewEvidence};
use crate::cases::file::{self, Finished};
use crate::cases::{CaseError, EvidenceForm, EvidenceSource, FileRow};
use crate::engine::blob::{BlobKey, Blobs};
use crate::engine::db::{DbError, View, Write};
use crate::jobs::{Job, JobFailure, JobRow, Outcome, Work, complete};
use crate::privacy::{Placeholders, Salt};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// The job type.
pub(super) const PREPROCESSING: &str = "preprocessing";
/// Characters of sanitised content kept with an analysis; the raw file stays available.
const SANITIZED_CHARS_MAX: usize = 200_000;
/// Locks over cases: analyses of one case run one after another, because they share placeholder
/// numbers; two cases rarely meet on a lock.
const CASE_LOCKS: usize = 64;

/// What the job needs. Ids are made at submit, so a second run makes the same evidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) file_id: FileId,
    pub(super) case_id: CaseId,
    pub(super) evidence_id: EvidenceId,
    pub(super) data_type: Option<DataType>,
}

/// Runs the pipeline on an uploaded file.
pub struct Preprocess {
    blobs: Blobs,
    limits: Limits,
    cases: Vec<Mutex<()>>,
}

impl Preprocess {
    /// A body that reads from these blobs.
    pub fn new(blobs: Blobs, limits: Limits) -> Self {
        Self { blobs, limits, cases: (0..CASE_LOCKS).map(|_| Mutex::new(())).collect() }
    }

    async fn preprocess(&self, work: &Work, payload: &Payload) -> Result<(), JobFailure> {
        let lock = usize::from(payload.case_id.as_bytes()[15]) % CASE_LOCKS;
        let _turn = self.cases[lock].lock().await;
        work.progress(5, "reading the file").await?;
        let (case_id, file_id) = (payload.case_id, payload.file_id);
        let row = work
            .db
            .write(move |tx| {
                let may = Writer::system(tx, case_id, PREPROCESSING)?;
                file::start(tx, &may, file_id)
            })
            .await
            .map_err(|e| JobFailure::from_error(&e))?;
        let bytes = self.read(&row).await.map_err(|e| JobFailure::from_error(&e))?;
        work.progress(20, "classifying, redacting and analysing").await?;
        let remembered = remembered(work, case_id).map_err(|e| JobFailure::from_error(&e))?;
        let (analysis, numbers) = self.analyse(row, bytes, payload, &remembered, work).await?;
        work.progress(80, "storing the findings").await?;
        let now = work.clock.now();
        let result = Stored { payload: payload.clone(), analysis, remembered, numbers, now };
        let lease = work.lease;
        work.db
            .write(move |tx| {
                let outcome = result.store(tx)?;
                complete(tx, lease, outcome, now)?;
                Ok::<_, UploadsError>(())
            })
            .await
            .map_err(|e| JobFailure::from_error(&e))
    }

    async fn read(&self, row: &FileRow) -> Result<Bytes, UploadsError> {
        let key: BlobKey = row
            .storage_key
            .parse()
            .map_err(|_| UploadsError::Malformed("the storage key is damaged".into()))?;
        Ok(self.blobs.get(&key, self.limits.file_bytes_max.max(row.size_bytes)).await?)
    }

    async fn analyse(
        &self,
        row: FileRow,
        bytes: Bytes,
        payload: &Payload,
        remembered: &PlaceholdersRow,
        work: &Work,
    ) -> Result<(Analysis, crate::privacy::Numbers), JobFailure> {
        let options = Options {
            lines: false,
            received: Some(row.uploaded_at),
            unpacked_bytes_max: self.limits.unpacked_bytes_max,
            sanitized_chars_max: SANITIZED_CHARS_MAX,
        };
        let declared = payload.data_type;
        let salt = Salt::new(remembered.salt);
        let mut placeholders = Placeholders::restore(salt, remembered.numbers.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mime = row.content_type.as_deref();
            let analysis =
                analyse_bytes(&row.filename, mime, declared, &bytes, &options, &mut placeholders)?;
            Ok::<_, super::pipeline::AnalyseError>((analysis, placeholders.numbers().clone()))
        })
        .await;
        match done {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(JobFailure::permanent("analysis_refused", error.to_string())),
            Err(_) => {
                tracing::error!(job_id = %work.job_id, "an analysis panicked");
                Err(JobFailure::permanent("analysis_broken", "the analysis broke on this file"))
            }
        }
    }
}

/// The case's placeholders, or the start of them.
fn remembered(work: &Work, case_id: CaseId) -> Result<PlaceholdersRow, UploadsError> {
    let row = work.db.read(|tx| tx.get::<PlaceholdersRow>(&case_id))?;
    Ok(row.unwrap_or_else(|| PlaceholdersRow {
        case_id,
        salt: work.ids.secret(),
        numbers: crate::privacy::Numbers::default(),
        version: 0,
    }))
}

/// Everything one analysis leaves behind.
struct Stored {
    payload: Payload,
    analysis: Analysis,
    remembered: PlaceholdersRow,
    numbers: crate::privacy::Numbers,
    now: Time,
}

#[derive(Serialize)]
struct ResultBody<'a> {
    file_id: FileId,
    evidence_id: EvidenceId,
    data_type: DataType,
    summary: &'a str,
    key_insights: &'a [String],
    pii_detected: bool,
    secrets_detected: bool,
    preprocessing_time_ms: u64,
}

#[derive(Serialize)]
struct Dimensions<'a> {
    data_type: DataType,
    format: &'a str,
    confidence_score: f64,
    alternative_types: &'a [DataType],
    extraction: super::analyse::Depth,
}

impl Stored {
    fn store(&self, tx: &Write<'_>) -> Result<Outcome, UploadsError> {
        let Payload { file_id, case_id, evidence_id, .. } = self.payload;
        let may = Writer::system(tx, case_id, PREPROCESSING)?;
        let analysis = &self.analysis;
        let body = serde_json::to_string(analysis)
            .map_err(|e| UploadsError::Malformed(format!("the analysis: {e}")))?;
        let finished = Finished {
            data_type: analysis.data_type.as_str().to_owned(),
            summary: Some(analysis.summary.clone()),
            analysis: body,
        };
        let row = file::finish(tx, &may, file_id, &finished, self.now)?;
        evidence::add(tx, &may, &self.evidence(row)?, self.now)?;
        let stored = tx.get::<PlaceholdersRow>(&case_id)?.map_or(0, |row| row.version);
        if stored != self.remembered.version {
            // Another analysis of the case numbered its finds meanwhile.
            return Err(UploadsError::Overtaken);
        }
        let mut remembered = self.remembered.clone();
        remembered.numbers = self.numbers.clone();
        remembered.version += 1;
        tx.put(&remembered)?;
        let result = ResultBody {
            file_id,
            evidence_id,
            data_type: analysis.data_type,
            summary: &analysis.summary,
            key_insights: &analysis.key_insights,
            pii_detected: analysis.pii_detected,
            secrets_detected: analysis.secrets_detected,
            preprocessing_time_ms: analysis.preprocessing_time_ms,
        };
        Ok(Outcome {
            result: json(&result)?,
            location: Some(format!("/api/v1/cases/{case_id}/evidence/{evidence_id}")),
        })
    }

    fn evidence(&self, row: FileRow) -> Result<NewEvidence, UploadsError> {
        let analysis = &self.analysis;
        let dimensions = Dimensions {
            data_type: analysis.data_type,
            format: &analysis.format,
            confidence_score: analysis.confidence_score,
            alternative_types: &analysis.alternative_types,
            extraction: analysis.extraction,
        };
        let content = if analysis.full_extraction.trim().is_empty() {
            "(the file has no readable content)".to_owned()
        } else {
            analysis.full_extraction.clone()
        };
        Ok(NewEvidence {
            evidence_id: self.payload.evidence_id,
            content,
            source_type: source(analysis.data_type),
            form: EvidenceForm::Document,
            category: None,
            raw_artifact_s3_key: Some(row.storage_key),
            preprocessed_summary: Some(analysis.summary.clone()),
            classification_dimensions: Some(json(&dimensions)?),
            data_type: Some(analysis.data_type.as_str().to_owned()),
            source_file_id: Some(row.file_id),
            key_insights: analysis.key_insights.clone(),
            pii_detected: analysis.pii_detected,
            secrets_detected: analysis.secrets_detected,
            metadata: None,
        })
    }
}

fn json(value: &impl Serialize) -> Result<Json, UploadsError> {
    Json::from_value(value).map_err(|e| UploadsError::Malformed(e.to_string()))
}

/// Where evidence of a type comes from, in the words of the case room.
fn source(data_type: DataType) -> EvidenceSource {
    match data_type {
        DataType::LogsAndErrors => EvidenceSource::LogFile,
        DataType::TraceData => EvidenceSource::TraceData,
        DataType::MetricsAndPerformance => EvidenceSource::MetricsData,
        DataType::StructuredConfig => EvidenceSource::ConfigFile,
        DataType::SourceCode => EvidenceSource::CodeReview,
        DataType::VisualEvidence => EvidenceSource::Screenshot,
        DataType::ProfilingData | DataType::UnstructuredText => EvidenceSource::Other,
    }
}

impl Job for Preprocess {
    fn job_type(&self) -> &'static str {
        PREPROCESSING
    }

    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>> {
        async move {
            let payload: Payload = work
                .payload
                .to()
                .map_err(|e| JobFailure::permanent("payload_damaged", e.to_string()))?;
            self.preprocess(work, &payload).await
        }
        .boxed()
    }

    /// The file's row tells what its job could not do, and its content may be uploaded again.
    fn given_up(&self, tx: &Write<'_>, job: &JobRow, now: Time) -> Result<(), DbError> {
        let Ok(Payload { case_id, file_id, .. }) = job.payload.to::<Payload>() else {
            return Ok(());
        };
        let message = job.error.as_ref().map_or("cancelled", |error| &error.message);
        let marked = Writer::system(tx, case_id, PREPROCESSING)
            .and_then(|may| file::fail(tx, &may, file_id, message, now));
        match marked {
            Err(CaseError::Storage(error)) => Err(error),
            // The file or its case went away meanwhile.
            Err(_) | Ok(_) => Ok(()),
        }
    }
}
