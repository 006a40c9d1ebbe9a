//! The tool calls of agents in a case.

use super::part::ToolCallBody;
use super::{Adding, adding, address, changing, reading};
use crate::base::Json;
use crate::base::id::{CaseId, ToolCallId};
use crate::cases::ToolCallStatus;
use crate::cases::tool_call::{self, NewToolCall, Outcome};
use crate::web::{self, Answer, Body, Ctx, Once, Paging, Path, Reply, if_match, versioned};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, get, patch, post};
use serde::Deserialize;

/// A tool call to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddToolCall {
    /// Which tool; at most 100 characters.
    tool_name: String,
    /// What it is given.
    tool_input: Json,
    /// Where it stands; `pending` when absent.
    status: Option<ToolCallStatus>,
    /// What it answered.
    tool_output: Option<Json>,
    /// Why it failed; at most 2000 characters.
    error_message: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: Option<u64>,
    /// Anything more.
    metadata: Option<Json>,
}

/// Adds a tool call.
#[utoipa::path(tag = "tool calls", params(("id" = CaseId, Path)), request_body = AddToolCall,
    responses((status = 201, body = ToolCallBody), (status = 403), (status = 404), (status = 422)))]
#[post("/cases/{id}/tool-calls")]
pub(super) async fn add_tool_call(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<AddToolCall>,
) -> Answer {
    let (case_id, fingerprint, now) = (*id, body.fingerprint(), ctx.now);
    let body = body.into_inner();
    let new = NewToolCall {
        call_id: ctx.ids.next(ctx.now),
        tool_name: body.tool_name,
        tool_input: body.tool_input,
        outcome: Outcome {
            status: body.status.unwrap_or(ToolCallStatus::Pending),
            tool_output: body.tool_output,
            error_message: body.error_message,
            duration_ms: body.duration_ms,
        },
        metadata: body.metadata,
    };
    let request = Adding { case_id, keyed: &keyed, fingerprint, action: "tool call added" };
    adding(&ctx, request, move |tx, may| {
        let row = tool_call::add(tx, may, &new, now)?;
        let location = format!("{}/tool-calls/{}", address(case_id), row.call_id);
        let version = row.version;
        Ok(Reply::created(location, &ToolCallBody::of(row))?.with_version(version))
    })
    .await
}

/// Lists the tool calls of a case, in the order made.
#[utoipa::path(tag = "tool calls", params(("id" = CaseId, Path)),
    responses((status = 200, body = [ToolCallBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/tool-calls")]
pub(super) async fn list_tool_calls(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    paging: Paging,
) -> Answer {
    let page = reading(&ctx, *id, "tool calls listed", |tx, may| {
        tool_call::page(tx, may, paging.request())
    })
    .await?;
    web::list(&request, "tool_calls", page.map(ToolCallBody::of))
}

/// Reads a tool call.
#[utoipa::path(tag = "tool calls", params(("id" = CaseId, Path), ("call_id" = ToolCallId, Path)),
    responses((status = 200, body = ToolCallBody), (status = 404)))]
#[get("/cases/{id}/tool-calls/{call_id}")]
pub(super) async fn read_tool_call(ctx: Ctx, path: Path<(CaseId, ToolCallId)>) -> Answer {
    let (case_id, call_id) = *path;
    let row = reading(&ctx, case_id, "tool call read", |tx, may| tool_call::get(tx, may, call_id));
    let row = row.await?;
    let version = row.version;
    versioned(StatusCode::OK, &ToolCallBody::of(row), version)
}

/// How a tool call goes on.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgressToolCall {
    /// Where it stands now.
    status: ToolCallStatus,
    /// What it answered.
    tool_output: Option<Json>,
    /// Why it failed; at most 2000 characters.
    error_message: Option<String>,
    /// How long it took, in milliseconds; measured from its start when absent.
    duration_ms: Option<u64>,
}

/// Moves a tool call on; a finished one stays as it is.
#[utoipa::path(tag = "tool calls", params(("id" = CaseId, Path), ("call_id" = ToolCallId, Path)),
    request_body = ProgressToolCall,
    responses((status = 200, body = ToolCallBody), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[patch("/cases/{id}/tool-calls/{call_id}")]
pub(super) async fn progress_tool_call(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, ToolCallId)>,
    body: Body<ProgressToolCall>,
) -> Answer {
    let ((case_id, call_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    let ProgressToolCall { status, tool_output, error_message, duration_ms } = body.into_inner();
    let outcome = Outcome { status, tool_output, error_message, duration_ms };
    let row = changing(&ctx, case_id, "tool call moved", move |tx, may| {
        tool_call::progress(tx, may, call_id, expected, &outcome, now)
    })
    .await?;
    let version = row.version;
    versioned(StatusCode::OK, &ToolCallBody::of(row), version)
}
