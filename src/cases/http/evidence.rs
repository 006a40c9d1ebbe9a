//! Evidence of a case.

use super::{Adding, adding, address, changing, given, reading};
use crate::base::id::{CaseId, EvidenceId, FileId, HypothesisId};
use crate::base::{Json, Time};
use crate::cases::access::Reader;
use crate::cases::evidence::{self, EvidenceChange, EvidenceFilter, NewEvidence};
use crate::cases::{
    CaseError, EvidenceCategory, EvidenceForm, EvidenceRow, EvidenceSource, FileRow, HypothesisRow,
    HypothesisStatus, ProcessingStatus, Stance, file, hypothesis,
};
use crate::engine::db::View;
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, if_match, no_content,
    versioned,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, patch, post, put};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A piece of evidence.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct EvidenceBody {
    /// The evidence.
    evidence_id: EvidenceId,
    /// The case.
    case_id: CaseId,
    /// The text: what was entered, or what was extracted from the file.
    content: String,
    /// Size of the text in bytes.
    content_size_bytes: usize,
    /// Where it comes from.
    source_type: EvidenceSource,
    /// Handed over or typed in.
    form: EvidenceForm,
    /// What it speaks to.
    category: EvidenceCategory,
    /// Where the raw artifact lies.
    raw_artifact_s3_key: Option<String>,
    /// The text in a few sentences.
    preprocessed_summary: Option<String>,
    /// The same, under the name the analysis has for it.
    summary: Option<String>,
    /// How it was classified.
    classification_dimensions: Option<Json>,
    /// Type of the file's content.
    data_type: Option<String>,
    /// The file it was made from.
    source_file_id: Option<FileId>,
    /// What is worth knowing, most useful first, with locations.
    key_insights: Vec<String>,
    /// Whether personal data was found (and replaced).
    pii_detected: bool,
    /// Whether secrets were found (and replaced).
    secrets_detected: bool,
    /// Anything more.
    metadata: Option<Json>,
    /// Turn in which it came in.
    collected_at_turn: u32,
    /// Who brought it.
    collected_by: String,
    /// When it came in.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// Version, as in `ETag`.
    version: u64,
}

impl EvidenceBody {
    /// A row on the wire.
    pub(super) fn of(row: EvidenceRow) -> Self {
        Self {
            evidence_id: row.evidence_id,
            case_id: row.case_id,
            content_size_bytes: row.content.len(),
            content: row.content,
            source_type: row.source_type,
            form: row.form,
            category: row.category,
            raw_artifact_s3_key: row.raw_artifact_s3_key,
            summary: row.preprocessed_summary.clone(),
            preprocessed_summary: row.preprocessed_summary,
            classification_dimensions: row.classification_dimensions,
            data_type: row.data_type,
            source_file_id: row.source_file_id,
            key_insights: row.key_insights,
            pii_detected: row.pii_detected,
            secrets_detected: row.secrets_detected,
            metadata: row.metadata,
            collected_at_turn: row.collected_at_turn,
            collected_by: row.collected_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// A piece of evidence with what it is joined to.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct EvidenceDetail {
    #[serde(flatten)]
    evidence: EvidenceBody,
    /// The file it was made from.
    source_file: Option<SourceFile>,
    /// Hypotheses it bears on.
    related_hypotheses: Vec<RelatedHypothesis>,
    /// The analysis of the file: templates, error lines, checks, findings with locations.
    #[schema(value_type = Option<Object>)]
    analysis: Option<Box<RawValue>>,
}

/// The file behind a piece of evidence.
#[derive(Serialize, utoipa::ToSchema)]
struct SourceFile {
    /// The file.
    file_id: FileId,
    /// Name as uploaded.
    filename: String,
    /// Size as uploaded, in bytes.
    size_bytes: u64,
    /// Media type as uploaded.
    content_type: Option<String>,
    /// When it came in.
    uploaded_at: Time,
    /// Where the processing stands.
    processing_status: ProcessingStatus,
}

impl SourceFile {
    fn of(row: FileRow) -> Self {
        Self {
            file_id: row.file_id,
            filename: row.filename,
            size_bytes: row.size_bytes,
            content_type: row.content_type,
            uploaded_at: row.uploaded_at,
            processing_status: row.processing_status,
        }
    }
}

/// A hypothesis that a piece of evidence bears on.
#[derive(Serialize, utoipa::ToSchema)]
struct RelatedHypothesis {
    /// The hypothesis.
    hypothesis_id: HypothesisId,
    /// What it says.
    description: String,
    /// Where it stands.
    status: HypothesisStatus,
    /// For, against or neither.
    stance: Stance,
}

impl RelatedHypothesis {
    fn of(row: HypothesisRow, evidence_id: EvidenceId) -> Option<Self> {
        let link = row.evidence_links.iter().find(|link| link.evidence_id == evidence_id)?;
        Some(Self {
            hypothesis_id: row.hypothesis_id,
            stance: link.stance,
            description: row.description,
            status: row.status,
        })
    }
}

/// Evidence to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddEvidence {
    /// The text; at most 256 KiB.
    content: String,
    /// Where it comes from; `user_report` when absent.
    source_type: Option<EvidenceSource>,
    /// Handed over or typed in; `user_input` when absent.
    form: Option<EvidenceForm>,
    /// What it speaks to; follows from the case's milestones when absent.
    category: Option<EvidenceCategory>,
    /// The text in a few sentences; at most 500 characters. Also spelled `summary`.
    #[serde(alias = "summary")]
    preprocessed_summary: Option<String>,
    /// How it was classified.
    classification_dimensions: Option<Json>,
    /// Type of the content.
    data_type: Option<String>,
    /// The file of this case it was made from.
    source_file_id: Option<FileId>,
    /// Anything more.
    metadata: Option<Json>,
}

/// Adds evidence to a case.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path)), request_body = AddEvidence,
    responses((status = 201, body = EvidenceBody), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
#[post("/cases/{id}/evidence")]
pub(super) async fn add_evidence(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<AddEvidence>,
) -> Answer {
    let (case_id, fingerprint, now) = (*id, body.fingerprint(), ctx.now);
    let body = body.into_inner();
    let new = NewEvidence {
        evidence_id: ctx.ids.next(ctx.now),
        content: body.content,
        source_type: body.source_type.unwrap_or(EvidenceSource::UserReport),
        form: body.form.unwrap_or(EvidenceForm::UserInput),
        category: body.category,
        raw_artifact_s3_key: None,
        preprocessed_summary: body.preprocessed_summary,
        classification_dimensions: body.classification_dimensions,
        data_type: body.data_type,
        source_file_id: body.source_file_id,
        key_insights: Vec::new(),
        pii_detected: false,
        secrets_detected: false,
        metadata: body.metadata,
    };
    let request = Adding { case_id, keyed: &keyed, fingerprint, action: "evidence added" };
    adding(&ctx, request, move |tx, may| {
        let row = evidence::add(tx, may, &new, now)?;
        let (location, version) = (place(case_id, row.evidence_id), row.version);
        Ok(Reply::created(location, &EvidenceBody::of(row))?.with_version(version))
    })
    .await
}

fn place(case_id: CaseId, evidence_id: EvidenceId) -> String {
    format!("{}/evidence/{evidence_id}", address(case_id))
}

/// What a list of evidence is narrowed by.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct EvidenceQuery {
    /// Where it comes from.
    source_type: Option<EvidenceSource>,
    /// Handed over or typed in.
    form: Option<EvidenceForm>,
    /// Type of the content.
    data_type: Option<String>,
}

/// Lists the evidence of a case, newest first.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path), EvidenceQuery),
    responses((status = 200, body = [EvidenceBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/evidence")]
pub(super) async fn list_evidence(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    query: Query<EvidenceQuery>,
    paging: Paging,
) -> Answer {
    let EvidenceQuery { source_type, form, data_type } = query.into_inner();
    let filter = EvidenceFilter { source_type, form, data_type };
    let page = reading(&ctx, *id, "evidence listed", |tx, may| {
        evidence::page(tx, may, &filter, paging.request())
    })
    .await?;
    web::list(&request, "evidence", page.map(EvidenceBody::of))
}

/// Reads evidence with the file, the analysis and the hypotheses it is joined to.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path), ("evidence_id" = EvidenceId, Path)),
    responses((status = 200, body = EvidenceDetail), (status = 404)))]
#[get("/cases/{id}/evidence/{evidence_id}")]
pub(super) async fn read_evidence(ctx: Ctx, path: Path<(CaseId, EvidenceId)>) -> Answer {
    let (case_id, evidence_id) = *path;
    let (view, version) = reading(&ctx, case_id, "evidence read", |tx, may| {
        joined(tx, may, evidence::get(tx, may, evidence_id)?)
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

fn joined(
    tx: &impl View,
    may: &Reader,
    row: EvidenceRow,
) -> Result<(EvidenceDetail, u64), CaseError> {
    let related = hypothesis::linked_to(tx, may, row.evidence_id)?;
    let (source_file, analysis) = match row.source_file_id {
        Some(file_id) => {
            let body = file::analysis(tx, may, file_id)?;
            // Stored analyses were checked when they came in.
            let body = body.and_then(|body| RawValue::from_string(body).ok());
            (Some(SourceFile::of(file::get(tx, may, file_id)?)), body)
        }
        None => (None, None),
    };
    let (evidence_id, version) = (row.evidence_id, row.version);
    let detail = EvidenceDetail {
        evidence: EvidenceBody::of(row),
        source_file,
        related_hypotheses: related
            .into_iter()
            .filter_map(|row| RelatedHypothesis::of(row, evidence_id))
            .collect(),
        analysis,
    };
    Ok((detail, version))
}

/// Changes to evidence; an absent member leaves its field alone, `null` empties it.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeEvidence {
    /// The text; at most 256 KiB.
    content: Option<String>,
    /// Where it comes from.
    source_type: Option<EvidenceSource>,
    /// Handed over or typed in.
    form: Option<EvidenceForm>,
    /// What it speaks to.
    category: Option<EvidenceCategory>,
    /// The text in a few sentences; also spelled `summary`.
    #[serde(default, deserialize_with = "given", alias = "summary")]
    #[schema(value_type = Option<String>)]
    preprocessed_summary: Option<Option<String>>,
    /// How it was classified.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    classification_dimensions: Option<Option<Json>>,
    /// Anything more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    metadata: Option<Option<Json>>,
}

/// Changes evidence; the same as PATCH.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path), ("evidence_id" = EvidenceId, Path)),
    request_body = ChangeEvidence,
    responses((status = 200, body = EvidenceBody), (status = 403), (status = 404), (status = 412),
        (status = 422)))]
#[put("/cases/{id}/evidence/{evidence_id}")]
pub(super) async fn put_evidence(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, EvidenceId)>,
    body: Body<ChangeEvidence>,
) -> Answer {
    change_evidence(ctx, if_match(&request), *path, body.into_inner()).await
}

/// Changes evidence.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path), ("evidence_id" = EvidenceId, Path)),
    request_body = ChangeEvidence,
    responses((status = 200, body = EvidenceBody), (status = 403), (status = 404), (status = 412),
        (status = 422)))]
#[patch("/cases/{id}/evidence/{evidence_id}")]
pub(super) async fn patch_evidence(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, EvidenceId)>,
    body: Body<ChangeEvidence>,
) -> Answer {
    change_evidence(ctx, if_match(&request), *path, body.into_inner()).await
}

async fn change_evidence(
    ctx: Ctx,
    expected: Result<Option<u64>, Failure>,
    (case_id, evidence_id): (CaseId, EvidenceId),
    body: ChangeEvidence,
) -> Answer {
    let (expected, now) = (expected?, ctx.now);
    let change = EvidenceChange {
        content: body.content,
        source_type: body.source_type,
        form: body.form,
        category: body.category,
        preprocessed_summary: body.preprocessed_summary,
        classification_dimensions: body.classification_dimensions,
        metadata: body.metadata,
    };
    let row = changing(&ctx, case_id, "evidence changed", move |tx, may| {
        evidence::update(tx, may, evidence_id, expected, &change, now)
    })
    .await?;
    let version = row.version;
    versioned(StatusCode::OK, &EvidenceBody::of(row), version)
}

/// Deletes evidence; hypotheses lose their links to it.
#[utoipa::path(tag = "evidence", params(("id" = CaseId, Path), ("evidence_id" = EvidenceId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
#[delete("/cases/{id}/evidence/{evidence_id}")]
pub(super) async fn delete_evidence(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, EvidenceId)>,
) -> Answer {
    let ((case_id, evidence_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    changing(&ctx, case_id, "evidence deleted", move |tx, may| {
        evidence::remove(tx, may, evidence_id, expected, now)
    })
    .await?;
    no_content()
}
