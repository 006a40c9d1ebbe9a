//! Solutions of a case.

use super::{Adding, adding, address, changing, given, reading};
use crate::base::id::{CaseId, HypothesisId, SolutionId};
use crate::base::{Json, Time};
use crate::cases::access::Reader;
use crate::cases::solution::{self, NewSolution, SolutionChange};
use crate::cases::{CaseError, Category, Illegal, ParticipantRole, SolutionRow, SolutionStatus};
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, if_match, no_content,
    versioned,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, patch, post, put};
use serde::{Deserialize, Serialize};

/// A solution.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct SolutionBody {
    /// The solution.
    solution_id: SolutionId,
    /// The case.
    case_id: CaseId,
    /// A short name.
    title: Option<String>,
    /// What is to be done.
    description: String,
    /// What it is meant to do.
    category: Category,
    /// Where it stands.
    status: SolutionStatus,
    /// Where the caller may move it.
    valid_next_states: Vec<SolutionStatus>,
    /// The hypothesis it follows from.
    linked_hypothesis_id: Option<HypothesisId>,
    /// The steps.
    steps: Option<Json>,
    /// How to see that it worked.
    verification_criteria: Option<Json>,
    /// What came of it.
    result_summary: Option<String>,
    /// Who proposed it.
    created_by: String,
    /// Anything more.
    metadata: Option<Json>,
    /// When it was proposed.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When it was in place.
    applied_at: Option<Time>,
    /// Version, as in `ETag`.
    version: u64,
}

impl SolutionBody {
    /// A row as its reader sees it.
    pub(super) fn of(row: SolutionRow, may: &Reader) -> Self {
        let next: &[SolutionStatus] = match may.role() {
            ParticipantRole::Viewer => &[],
            _ => row.status.next(),
        };
        Self {
            solution_id: row.solution_id,
            case_id: row.case_id,
            title: row.title,
            description: row.description,
            category: row.category,
            status: row.status,
            valid_next_states: next.to_vec(),
            linked_hypothesis_id: row.linked_hypothesis_id,
            steps: row.steps,
            verification_criteria: row.verification_criteria,
            result_summary: row.result_summary,
            created_by: row.created_by,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
            applied_at: row.applied_at,
            version: row.version,
        }
    }
}

/// A solution to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddSolution {
    /// A short name; at most 200 characters.
    title: Option<String>,
    /// What is to be done; at most 2000 characters.
    description: String,
    /// What it is meant to do; `fix` when absent.
    category: Option<Category>,
    /// Where it stands; a solution begins as proposed.
    status: Option<SolutionStatus>,
    /// The hypothesis of this case it follows from.
    linked_hypothesis_id: Option<HypothesisId>,
    /// The steps: an array or object.
    steps: Option<Json>,
    /// How to see that it worked: an array or object.
    verification_criteria: Option<Json>,
    /// Anything more.
    metadata: Option<Json>,
}

/// Adds a solution to a case.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path)), request_body = AddSolution,
    responses((status = 201, body = SolutionBody), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
#[post("/cases/{id}/solutions")]
pub(super) async fn add_solution(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<AddSolution>,
) -> Answer {
    let (case_id, fingerprint, now) = (*id, body.fingerprint(), ctx.now);
    let body = body.into_inner();
    if let Some(to) = body.status.filter(|status| *status != SolutionStatus::Proposed) {
        let first = SolutionStatus::Proposed.as_str();
        let illegal = Illegal { from: "new", to: to.as_str(), next: [Some(first), None, None] };
        return Err(CaseError::SolutionTransition(illegal).into());
    }
    let new = NewSolution {
        solution_id: ctx.ids.next(ctx.now),
        title: body.title,
        description: body.description,
        category: body.category.unwrap_or(Category::Fix),
        linked_hypothesis_id: body.linked_hypothesis_id,
        steps: body.steps,
        verification_criteria: body.verification_criteria,
        metadata: body.metadata,
    };
    let request = Adding { case_id, keyed: &keyed, fingerprint, action: "solution added" };
    adding(&ctx, request, move |tx, may| {
        let row = solution::add(tx, may, &new, now)?;
        let location = format!("{}/solutions/{}", address(case_id), row.solution_id);
        let version = row.version;
        Ok(Reply::created(location, &SolutionBody::of(row, may))?.with_version(version))
    })
    .await
}

/// What a list of solutions is narrowed by.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct SolutionsQuery {
    /// Where they stand.
    status: Option<SolutionStatus>,
}

/// Lists the solutions of a case, oldest first.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path), SolutionsQuery),
    responses((status = 200, body = [SolutionBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/solutions")]
pub(super) async fn list_solutions(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    query: Query<SolutionsQuery>,
    paging: Paging,
) -> Answer {
    let status = query.status;
    let page = reading(&ctx, *id, "solutions listed", |tx, may| {
        let page = solution::page(tx, may, status, paging.request())?;
        Ok::<_, CaseError>(page.map(|row| SolutionBody::of(row, may)))
    })
    .await?;
    web::list(&request, "solutions", page)
}

/// Reads a solution.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path), ("solution_id" = SolutionId, Path)),
    responses((status = 200, body = SolutionBody), (status = 404)))]
#[get("/cases/{id}/solutions/{solution_id}")]
pub(super) async fn read_solution(ctx: Ctx, path: Path<(CaseId, SolutionId)>) -> Answer {
    let (case_id, solution_id) = *path;
    let (view, version) = reading(&ctx, case_id, "solution read", |tx, may| {
        let row = solution::get(tx, may, solution_id)?;
        let version = row.version;
        Ok::<_, CaseError>((SolutionBody::of(row, may), version))
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

/// Changes to a solution; an absent member leaves its field alone, `null` empties it.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSolution {
    /// A short name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    title: Option<Option<String>>,
    /// What is to be done.
    description: Option<String>,
    /// What it is meant to do.
    category: Option<Category>,
    /// Where it stands.
    status: Option<SolutionStatus>,
    /// The hypothesis of this case it follows from.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<HypothesisId>)]
    linked_hypothesis_id: Option<Option<HypothesisId>>,
    /// The steps.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    steps: Option<Option<Json>>,
    /// How to see that it worked.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    verification_criteria: Option<Option<Json>>,
    /// What came of it; at most 2000 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    result_summary: Option<Option<String>>,
    /// Anything more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    metadata: Option<Option<Json>>,
}

/// Changes a solution; the same as PATCH.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path), ("solution_id" = SolutionId, Path)),
    request_body = ChangeSolution,
    responses((status = 200, body = SolutionBody), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[put("/cases/{id}/solutions/{solution_id}")]
pub(super) async fn put_solution(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, SolutionId)>,
    body: Body<ChangeSolution>,
) -> Answer {
    change_solution(ctx, if_match(&request), *path, body.into_inner()).await
}

/// Changes a solution.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path), ("solution_id" = SolutionId, Path)),
    request_body = ChangeSolution,
    responses((status = 200, body = SolutionBody), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[patch("/cases/{id}/solutions/{solution_id}")]
pub(super) async fn patch_solution(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, SolutionId)>,
    body: Body<ChangeSolution>,
) -> Answer {
    change_solution(ctx, if_match(&request), *path, body.into_inner()).await
}

async fn change_solution(
    ctx: Ctx,
    expected: Result<Option<u64>, Failure>,
    (case_id, solution_id): (CaseId, SolutionId),
    body: ChangeSolution,
) -> Answer {
    let (expected, now) = (expected?, ctx.now);
    let change = SolutionChange {
        title: body.title,
        description: body.description,
        category: body.category,
        status: body.status,
        linked_hypothesis_id: body.linked_hypothesis_id,
        steps: body.steps,
        verification_criteria: body.verification_criteria,
        result_summary: body.result_summary,
        metadata: body.metadata,
    };
    let (view, version) = changing(&ctx, case_id, "solution changed", move |tx, may| {
        let row = solution::update(tx, may, solution_id, expected, &change, now)?;
        let version = row.version;
        Ok((SolutionBody::of(row, may), version))
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

/// Deletes a solution.
#[utoipa::path(tag = "solutions", params(("id" = CaseId, Path), ("solution_id" = SolutionId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
#[delete("/cases/{id}/solutions/{solution_id}")]
pub(super) async fn delete_solution(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, SolutionId)>,
) -> Answer {
    let ((case_id, solution_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    changing(&ctx, case_id, "solution deleted", move |tx, may| {
        solution::remove(tx, may, solution_id, expected, now)
    })
    .await?;
    no_content()
}
