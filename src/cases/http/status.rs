//! The life of a case: moving between statuses, putting away, the record of it.

use super::case::detail;
use super::part::TransitionBody;
use super::view::CaseDetail;
use super::{changing, disposing, reading, visit};
use crate::base::id::CaseId;
use crate::cases::case::{self, StatusChange};
use crate::cases::{ClosureReason, Status, transition};
use crate::web::{self, Answer, Body, Ctx, OptionalBody, Paging, Path, if_match, versioned};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, post};
use serde::Deserialize;

/// A move to another status.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveCase {
    /// Where to; also spelled `state`.
    #[serde(alias = "state")]
    status: Status,
    /// Why it ends; required when it does.
    closure_reason: Option<ClosureReason>,
    /// Why, in words; at most 500 characters.
    reason: Option<String>,
}

/// Moves a case to another status; staying where it is changes nothing.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = MoveCase,
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[post("/cases/{id}/status")]
pub(super) async fn change_case_status(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    body: Body<MoveCase>,
) -> Answer {
    let MoveCase { status, closure_reason, reason } = body.into_inner();
    move_to(ctx, request, *id, StatusChange { to: status, closure_reason, reason }).await
}

async fn move_to(ctx: Ctx, request: HttpRequest, case_id: CaseId, change: StatusChange) -> Answer {
    let (expected, visit) = (if_match(&request)?, visit(&ctx));
    let (row, view) = changing(&ctx, case_id, "moved", move |tx, may| {
        case::change_status(tx, may, expected, &change, &visit)?;
        detail(tx, may)
    })
    .await?;
    versioned(StatusCode::OK, &view, row.version)
}

/// How a case is closed.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseCase {
    /// Why it ends; `other` when absent.
    closure_reason: Option<ClosureReason>,
    /// Why, in words; at most 500 characters. Also spelled `closure_note`.
    #[serde(alias = "closure_note")]
    reason: Option<String>,
}

/// Closes a case without a resolution.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = Option<CloseCase>,
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[post("/cases/{id}/close")]
pub(super) async fn close_case(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    body: OptionalBody<CloseCase>,
) -> Answer {
    let CloseCase { closure_reason, reason } = body.into_inner();
    let closure_reason = closure_reason.or(Some(ClosureReason::Other));
    move_to(ctx, request, *id, StatusChange { to: Status::Closed, closure_reason, reason }).await
}

/// Why a case is taken up again.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReopenCase {
    /// Why, in words; at most 500 characters.
    reason: Option<String>,
}

/// Takes up a case that has ended; its owner may.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = Option<ReopenCase>,
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404), (status = 409),
        (status = 412)))]
#[post("/cases/{id}/reopen")]
pub(super) async fn reopen_case(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    body: OptionalBody<ReopenCase>,
) -> Answer {
    let (expected, visit, reason) = (if_match(&request)?, visit(&ctx), body.into_inner().reason);
    let (row, view) = changing(&ctx, *id, "reopened", move |tx, may| {
        case::reopen(tx, may, expected, reason.clone(), &visit)?;
        detail(tx, may)
    })
    .await?;
    versioned(StatusCode::OK, &view, row.version)
}

/// Puts a case away: lists leave it out unless asked for.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404)))]
#[post("/cases/{id}/archive")]
pub(super) async fn archive_case(ctx: Ctx, id: Path<CaseId>) -> Answer {
    put_away(ctx, *id, true).await
}

/// Takes a case out again.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404)))]
#[delete("/cases/{id}/archive")]
pub(super) async fn unarchive_case(ctx: Ctx, id: Path<CaseId>) -> Answer {
    put_away(ctx, *id, false).await
}

async fn put_away(ctx: Ctx, case_id: CaseId, archived: bool) -> Answer {
    let visit = visit(&ctx);
    let (row, view) = disposing(&ctx, case_id, "archived", move |tx, may| {
        case::archive(tx, may, archived, &visit)?;
        detail(tx, may)
    })
    .await?;
    versioned(StatusCode::OK, &view, row.version)
}

/// Lists the changes of a case's status, oldest first.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = [TransitionBody]), (status = 404)))]
#[get("/cases/{id}/transitions")]
pub(super) async fn list_transitions(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    paging: Paging,
) -> Answer {
    let page = reading(&ctx, *id, "transitions listed", |tx, may| {
        transition::page(tx, may, paging.request())
    })
    .await?;
    web::list(&request, "transitions", page.map(TransitionBody::of))
}
