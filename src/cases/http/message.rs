//! The conversation of a case.

use super::part::MessageBody;
use super::{Adding, adding, address, reading};
use crate::base::Json;
use crate::base::id::{CaseId, MessageId};
use crate::cases::message::{self, NewMessage};
use crate::cases::{MessageKind, MessageRole};
use crate::web::{self, Answer, Body, Ctx, Once, Paging, Path, Reply};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, get, post};
use serde::Deserialize;

/// How many messages the case has; clients of contract 2.0 read it.
const MESSAGE_COUNT: HeaderName = HeaderName::from_static("x-message-count");
/// How many messages the answer has; clients of contract 2.0 read it.
const RETRIEVED_COUNT: HeaderName = HeaderName::from_static("x-retrieved-count");

/// A message to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddMessage {
    /// Who speaks; `user` when absent.
    role: Option<MessageRole>,
    /// What is said; at most 64 KiB.
    content: String,
    /// What kind of message it is; follows from the role when absent.
    message_type: Option<MessageKind>,
    /// Its turn; a user's message opens the next one when absent.
    turn_number: Option<u32>,
    /// Size in tokens.
    token_count: Option<u32>,
    /// Anything more.
    metadata: Option<Json>,
}

/// Adds a message to the conversation.
#[utoipa::path(tag = "messages", params(("id" = CaseId, Path)), request_body = AddMessage,
    responses((status = 201, body = MessageBody), (status = 403), (status = 404), (status = 422)))]
#[post("/cases/{id}/messages")]
pub(super) async fn add_message(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<AddMessage>,
) -> Answer {
    let (case_id, fingerprint, now) = (*id, body.fingerprint(), ctx.now);
    let body = body.into_inner();
    let new = NewMessage {
        message_id: ctx.ids.next(ctx.now),
        role: body.role.unwrap_or(MessageRole::User),
        content: body.content,
        message_type: body.message_type,
        turn_number: body.turn_number,
        token_count: body.token_count,
        metadata: body.metadata,
    };
    let request = Adding { case_id, keyed: &keyed, fingerprint, action: "message added" };
    adding(&ctx, request, move |tx, may| {
        let body = MessageBody::of(message::add(tx, may, &new, now)?);
        let location = format!("{}/messages/{}", address(case_id), body.message_id);
        Ok(Reply::created(location, &body)?)
    })
    .await
}

/// Lists the messages of a case, in the order said.
#[utoipa::path(tag = "messages", params(("id" = CaseId, Path)),
    responses((status = 200, body = [MessageBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/messages")]
pub(super) async fn list_messages(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    paging: Paging,
) -> Answer {
    let page =
        reading(&ctx, *id, "messages listed", |tx, may| message::page(tx, may, paging.request()))
            .await?;
    let counts = [(MESSAGE_COUNT, page.total_count), (RETRIEVED_COUNT, page.items.len())];
    let mut answer = web::list(&request, "messages", page.map(MessageBody::of))?;
    for (name, count) in counts {
        answer.headers_mut().insert(name, HeaderValue::from(count));
    }
    Ok(answer)
}

/// Reads a message.
#[utoipa::path(tag = "messages", params(("id" = CaseId, Path), ("message_id" = MessageId, Path)),
    responses((status = 200, body = MessageBody), (status = 404)))]
#[get("/cases/{id}/messages/{message_id}")]
pub(super) async fn read_message(ctx: Ctx, path: Path<(CaseId, MessageId)>) -> Answer {
    let (case_id, message_id) = *path;
    let row = reading(&ctx, case_id, "message read", |tx, may| message::get(tx, may, message_id));
    web::json(StatusCode::OK, &MessageBody::of(row.await?))
}
