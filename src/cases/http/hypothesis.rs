//! Hypotheses of a case.

use super::{Adding, adding, address, changing, given, reading};
use crate::base::id::{CaseId, EvidenceId, HypothesisId};
use crate::base::{Json, Time};
use crate::cases::access::Reader;
use crate::cases::hypothesis::{
    self, HypothesisChange, LIKELIHOOD_DEFAULT, NewHypothesis, NewLink, level,
};
use crate::cases::{
    CaseError, EvidenceLink, HypothesisCategory, HypothesisRow, HypothesisStatus, Illegal,
    ParticipantRole, Stance,
};
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, if_match, no_content,
    versioned,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, patch, post, put};
use serde::{Deserialize, Serialize};

/// A hypothesis.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct HypothesisBody {
    /// The hypothesis.
    pub(super) hypothesis_id: HypothesisId,
    /// The case.
    case_id: CaseId,
    /// What it says.
    pub(super) description: String,
    /// Where it stands.
    pub(super) status: HypothesisStatus,
    /// Where the caller may move it.
    valid_next_states: Vec<HypothesisStatus>,
    /// Kind of cause.
    category: HypothesisCategory,
    /// Confidence in words; follows from the likelihood unless it was given.
    confidence_level: String,
    /// Confidence after the evidence, 0 to 1.
    pub(super) likelihood: f64,
    /// Confidence before any evidence, 0 to 1.
    initial_likelihood: f64,
    /// Why it is held.
    reasoning: Option<String>,
    /// The evidence for and against.
    evidence_links: Vec<LinkBody>,
    /// Pieces of evidence for it.
    supporting_count: usize,
    /// Pieces of evidence against it.
    refuting_count: usize,
    /// Share for it minus share against it, -1 to 1.
    evidence_score: f64,
    /// The verdict that the numbers call for.
    suggested_status: Option<HypothesisStatus>,
    /// Turn in which it was put forward.
    generated_at_turn: u32,
    /// Who put it forward.
    created_by: String,
    /// Anything more.
    metadata: Option<Json>,
    /// When it was put forward.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When testing last began.
    tested_at: Option<Time>,
    /// When it was validated or invalidated.
    concluded_at: Option<Time>,
    /// Version, as in `ETag`.
    version: u64,
}

impl HypothesisBody {
    /// A row as its reader sees it.
    pub(super) fn of(row: HypothesisRow, may: &Reader) -> Self {
        let confidence = row.confidence();
        let next: &[HypothesisStatus] = match may.role() {
            ParticipantRole::Viewer => &[],
            role => row.status.next(role == ParticipantRole::Owner),
        };
        Self {
            hypothesis_id: row.hypothesis_id,
            case_id: row.case_id,
            description: row.description,
            status: row.status,
            valid_next_states: next.to_vec(),
            category: row.category,
            confidence_level: row
                .confidence_level
                .unwrap_or_else(|| level(confidence.likelihood).to_owned()),
            likelihood: confidence.likelihood,
            initial_likelihood: row.initial_likelihood,
            reasoning: row.reasoning,
            evidence_links: row.evidence_links.into_iter().map(LinkBody::of).collect(),
            supporting_count: confidence.supporting,
            refuting_count: confidence.refuting,
            evidence_score: confidence.evidence_score,
            suggested_status: confidence.suggested_status,
            generated_at_turn: row.generated_at_turn,
            created_by: row.created_by,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
            tested_at: row.tested_at,
            concluded_at: row.concluded_at,
            version: row.version,
        }
    }
}

/// How one piece of evidence bears on a hypothesis.
#[derive(Serialize, utoipa::ToSchema)]
struct LinkBody {
    /// The evidence.
    evidence_id: EvidenceId,
    /// For, against or neither.
    stance: Stance,
    /// The same under the seed's name.
    relationship: Stance,
    /// Why.
    reasoning: Option<String>,
    /// How much of the question it answers, 0 to 1.
    completeness: Option<f64>,
    /// When it was judged.
    analyzed_at: Time,
}

impl LinkBody {
    fn of(link: EvidenceLink) -> Self {
        Self {
            evidence_id: link.evidence_id,
            stance: link.stance,
            relationship: link.stance,
            reasoning: link.reasoning,
            completeness: link.completeness,
            analyzed_at: link.analyzed_at,
        }
    }
}

/// A link to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddLink {
    /// Evidence of this case.
    evidence_id: EvidenceId,
    /// For, against or neither; also spelled `relationship`.
    #[serde(alias = "relationship")]
    stance: Stance,
    /// Why; at most 1000 characters.
    reasoning: Option<String>,
    /// How much of the question it answers, 0 to 1.
    completeness: Option<f64>,
}

fn links(links: Vec<AddLink>) -> Vec<NewLink> {
    let link = |link: AddLink| NewLink {
        evidence_id: link.evidence_id,
        stance: link.stance,
        reasoning: link.reasoning,
        completeness: link.completeness,
    };
    links.into_iter().map(link).collect()
}

/// A hypothesis to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddHypothesis {
    /// What it says; at most 2000 characters. Also spelled `statement`.
    #[serde(alias = "statement")]
    description: String,
    /// Where it stands; a hypothesis begins as exploring.
    status: Option<HypothesisStatus>,
    /// Kind of cause; `other` when absent.
    category: Option<HypothesisCategory>,
    /// Confidence in words; at most 50 characters.
    confidence_level: Option<String>,
    /// Confidence before any evidence, 0 to 1; 0.5 when absent. Also spelled `confidence` and
    /// `confidence_score`.
    #[serde(alias = "confidence", alias = "confidence_score")]
    likelihood: Option<f64>,
    /// Why it is held; at most 1000 characters. Also spelled `rationale`.
    #[serde(alias = "rationale")]
    reasoning: Option<String>,
    /// The evidence for and against; at most 200.
    evidence_links: Option<Vec<AddLink>>,
    /// Anything more.
    metadata: Option<Json>,
}

/// Adds a hypothesis to a case.
#[utoipa::path(tag = "hypotheses", params(("id" = CaseId, Path)), request_body = AddHypothesis,
    responses((status = 201, body = HypothesisBody), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
#[post("/cases/{id}/hypotheses")]
pub(super) async fn add_hypothesis(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<AddHypothesis>,
) -> Answer {
    let (case_id, fingerprint, now) = (*id, body.fingerprint(), ctx.now);
    let body = body.into_inner();
    if let Some(to) = body.status.filter(|status| *status != HypothesisStatus::Exploring) {
        let first = HypothesisStatus::Exploring.as_str();
        let next = [Some(first), None, None];
        let illegal = Illegal { from: "new", to: to.as_str(), next };
        return Err(CaseError::HypothesisTransition(illegal).into());
    }
    let new = NewHypothesis {
        hypothesis_id: ctx.ids.next(ctx.now),
        description: body.description,
        category: body.category.unwrap_or(HypothesisCategory::Other),
        confidence_level: body.confidence_level,
        likelihood: body.likelihood.unwrap_or(LIKELIHOOD_DEFAULT),
        reasoning: body.reasoning,
        evidence_links: links(body.evidence_links.unwrap_or_default()),
        metadata: body.metadata,
    };
    let request = Adding { case_id, keyed: &keyed, fingerprint, action: "hypothesis added" };
    adding(&ctx, request, move |tx, may| {
        let row = hypothesis::add(tx, may, &new, now)?;
        let location = format!("{}/hypotheses/{}", address(case_id), row.hypothesis_id);
        let version = row.version;
        Ok(Reply::created(location, &HypothesisBody::of(row, may))?.with_version(version))
    })
    .await
}

/// What a list of hypotheses is narrowed by.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct HypothesesQuery {
    /// Where they stand.
    status: Option<HypothesisStatus>,
}

/// Lists the hypotheses of a case, oldest first.
#[utoipa::path(tag = "hypotheses", params(("id" = CaseId, Path), HypothesesQuery),
    responses((status = 200, body = [HypothesisBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/hypotheses")]
pub(super) async fn list_hypotheses(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    query: Query<HypothesesQuery>,
    paging: Paging,
) -> Answer {
    let status = query.status;
    let page = reading(&ctx, *id, "hypotheses listed", |tx, may| {
        let page = hypothesis::page(tx, may, status, paging.request())?;
        Ok::<_, CaseError>(page.map(|row| HypothesisBody::of(row, may)))
    })
    .await?;
    web::list(&request, "hypotheses", page)
}

/// Reads a hypothesis.
#[utoipa::path(tag = "hypotheses",
    params(("id" = CaseId, Path), ("hypothesis_id" = HypothesisId, Path)),
    responses((status = 200, body = HypothesisBody), (status = 404)))]
#[get("/cases/{id}/hypotheses/{hypothesis_id}")]
pub(super) async fn read_hypothesis(ctx: Ctx, path: Path<(CaseId, HypothesisId)>) -> Answer {
    let (case_id, hypothesis_id) = *path;
    let (view, version) = reading(&ctx, case_id, "hypothesis read", |tx, may| {
        let row = hypothesis::get(tx, may, hypothesis_id)?;
        let version = row.version;
        Ok::<_, CaseError>((HypothesisBody::of(row, may), version))
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

/// Changes to a hypothesis; an absent member leaves its field alone, `null` empties it.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeHypothesis {
    /// What it says.
    #[serde(alias = "statement")]
    description: Option<String>,
    /// Where it stands.
    status: Option<HypothesisStatus>,
    /// Kind of cause.
    category: Option<HypothesisCategory>,
    /// Confidence in words.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    confidence_level: Option<Option<String>>,
    /// Confidence before any evidence, 0 to 1.
    #[serde(alias = "confidence", alias = "confidence_score")]
    likelihood: Option<f64>,
    /// Why it is held.
    #[serde(default, deserialize_with = "given", alias = "rationale")]
    #[schema(value_type = Option<String>)]
    reasoning: Option<Option<String>>,
    /// All evidence for and against; replaces what was linked.
    evidence_links: Option<Vec<AddLink>>,
    /// Anything more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    metadata: Option<Option<Json>>,
}

/// Changes a hypothesis; the same as PATCH.
#[utoipa::path(tag = "hypotheses",
    params(("id" = CaseId, Path), ("hypothesis_id" = HypothesisId, Path)),
    request_body = ChangeHypothesis,
    responses((status = 200, body = HypothesisBody), (status = 403), (status = 404),
        (status = 409), (status = 412), (status = 422)))]
#[put("/cases/{id}/hypotheses/{hypothesis_id}")]
pub(super) async fn put_hypothesis(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, HypothesisId)>,
    body: Body<ChangeHypothesis>,
) -> Answer {
    change_hypothesis(ctx, if_match(&request), *path, body.into_inner()).await
}

/// Changes a hypothesis.
#[utoipa::path(tag = "hypotheses",
    params(("id" = CaseId, Path), ("hypothesis_id" = HypothesisId, Path)),
    request_body = ChangeHypothesis,
    responses((status = 200, body = HypothesisBody), (status = 403), (status = 404),
        (status = 409), (status = 412), (status = 422)))]
#[patch("/cases/{id}/hypotheses/{hypothesis_id}")]
pub(super) async fn patch_hypothesis(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, HypothesisId)>,
    body: Body<ChangeHypothesis>,
) -> Answer {
    change_hypothesis(ctx, if_match(&request), *path, body.into_inner()).await
}

async fn change_hypothesis(
    ctx: Ctx,
    expected: Result<Option<u64>, Failure>,
    (case_id, hypothesis_id): (CaseId, HypothesisId),
    body: ChangeHypothesis,
) -> Answer {
    let (expected, now) = (expected?, ctx.now);
    let change = HypothesisChange {
        description: body.description,
        status: body.status,
        category: body.category,
        confidence_level: body.confidence_level,
        likelihood: body.likelihood,
        reasoning: body.reasoning,
        evidence_links: body.evidence_links.map(links),
        metadata: body.metadata,
    };
    let (view, version) = changing(&ctx, case_id, "hypothesis changed", move |tx, may| {
        let row = hypothesis::update(tx, may, hypothesis_id, expected, &change, now)?;
        let version = row.version;
        Ok((HypothesisBody::of(row, may), version))
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

/// Deletes a hypothesis; solutions lose their links to it.
#[utoipa::path(tag = "hypotheses",
    params(("id" = CaseId, Path), ("hypothesis_id" = HypothesisId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
#[delete("/cases/{id}/hypotheses/{hypothesis_id}")]
pub(super) async fn delete_hypothesis(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, HypothesisId)>,
) -> Answer {
    let ((case_id, hypothesis_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    changing(&ctx, case_id, "hypothesis deleted", move |tx, may| {
        hypothesis::remove(tx, may, hypothesis_id, expected, now)
    })
    .await?;
    no_content()
}
