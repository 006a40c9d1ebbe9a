//! Routes of cases and of what is in them, and the shapes on the wire.

mod case;
mod evidence;
mod hypothesis;
mod message;
mod overview;
mod part;
mod solution;
mod status;
mod tag;
mod tool_call;
mod view;

use super::access::{self, Owner, Reader, Visit, Writer};
use super::error::CaseError;
use crate::base::Classify;
use crate::base::id::CaseId;
use crate::engine::db::{DbError, Read, Write};
use crate::ops::event;
use crate::web::{Answer, Ctx, Failure, Once, Reply, once_guarded, version_mismatch};
use actix_web::web::ServiceConfig;
use serde::{Deserialize, Deserializer};

/// Routes under the API's base path.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(case::create_case)
        .service(case::list_cases)
        .service(case::read_case)
        .service(case::put_case)
        .service(case::patch_case)
        .service(case::delete_case)
        .service(status::change_case_status)
        .service(status::close_case)
        .service(status::reopen_case)
        .service(status::archive_case)
        .service(status::unarchive_case)
        .service(status::list_transitions)
        .service(overview::case_timeline)
        .service(overview::case_overview)
        .service(evidence::add_evidence)
        .service(evidence::list_evidence)
        .service(evidence::read_evidence)
        .service(evidence::put_evidence)
        .service(evidence::patch_evidence)
        .service(evidence::delete_evidence)
        .service(hypothesis::add_hypothesis)
        .service(hypothesis::list_hypotheses)
        .service(hypothesis::read_hypothesis)
        .service(hypothesis::put_hypothesis)
        .service(hypothesis::patch_hypothesis)
        .service(hypothesis::delete_hypothesis)
        .service(solution::add_solution)
        .service(solution::list_solutions)
        .service(solution::read_solution)
        .service(solution::put_solution)
        .service(solution::patch_solution)
        .service(solution::delete_solution)
        .service(message::add_message)
        .service(message::list_messages)
        .service(message::read_message)
        .service(tag::replace_tags)
        .service(tag::list_tags)
        .service(tool_call::add_tool_call)
        .service(tool_call::list_tool_calls)
        .service(tool_call::read_tool_call)
        .service(tool_call::progress_tool_call);
}

/// The routes for the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    case::create_case,
    case::list_cases,
    case::read_case,
    case::put_case,
    case::patch_case,
    case::delete_case,
    status::change_case_status,
    status::close_case,
    status::reopen_case,
    status::archive_case,
    status::unarchive_case,
    status::list_transitions,
    overview::case_timeline,
    overview::case_overview,
    evidence::add_evidence,
    evidence::list_evidence,
    evidence::read_evidence,
    evidence::put_evidence,
    evidence::patch_evidence,
    evidence::delete_evidence,
    hypothesis::add_hypothesis,
    hypothesis::list_hypotheses,
    hypothesis::read_hypothesis,
    hypothesis::put_hypothesis,
    hypothesis::patch_hypothesis,
    hypothesis::delete_hypothesis,
    solution::add_solution,
    solution::list_solutions,
    solution::read_solution,
    solution::put_solution,
    solution::patch_solution,
    solution::delete_solution,
    message::add_message,
    message::list_messages,
    message::read_message,
    tag::replace_tags,
    tag::list_tags,
    tool_call::add_tool_call,
    tool_call::list_tool_calls,
    tool_call::read_tool_call,
    tool_call::progress_tool_call
))]
pub struct Doc;

/// Address of a case, and the start of the addresses inside it.
fn address(case_id: CaseId) -> String {
    format!("/api/v1/cases/{case_id}")
}

/// This request as an event; made outside the write.
pub fn visit(ctx: &Ctx) -> Visit {
    Visit {
        now: ctx.now,
        event_id: ctx.ids.next(ctx.now),
        address: ctx.request.address.map(|address| address.to_string()),
    }
}

/// What a caller is told; a version mismatch carries both versions in headers.
fn refuse(error: CaseError) -> Failure {
    match error {
        CaseError::Version { expected, actual } => version_mismatch(expected, actual),
        other => other.into(),
    }
}

/// Reads from a case what a reader may read; operator access is recorded before it is answered. The
/// rooms above that keep things in cases read through this too.
///
/// # Errors
/// 401 without a person; 404 when the case does not exist for them; what `read` answers.
pub async fn reading<T, E>(
    ctx: &Ctx,
    case_id: CaseId,
    action: &'static str,
    read: impl FnOnce(&Read, &Reader) -> Result<T, E>,
) -> Result<T, Failure>
where
    E: Classify + From<CaseError> + From<DbError>,
{
    ctx.user()?;
    let (value, may) = ctx.db.read(|tx| {
        let may = access::reader(tx, &ctx.actor, case_id)?;
        Ok::<_, E>((read(tx, &may)?, may))
    })?;
    if may.is_operator() {
        let visit = visit(ctx);
        let recorded = ctx
            .db
            .write(move |tx| access::record_operator(tx, &may, &visit, event::CASE_VIEWED, action));
        recorded.await?;
    }
    Ok(value)
}

/// Changes a case as a writer may; operator access is recorded in the same commit.
async fn changing<T: Send + 'static>(
    ctx: &Ctx,
    case_id: CaseId,
    action: &'static str,
    change: impl Fn(&Write<'_>, &Writer) -> Result<T, CaseError> + Send + 'static,
) -> Result<T, Failure> {
    ctx.user()?;
    let (actor, visit) = (ctx.actor.clone(), visit(ctx));
    let done = ctx.db.write(move |tx| {
        let may = access::writer(tx, &actor, case_id)?;
        let value = change(tx, &may)?;
        access::record_operator(tx, &may, &visit, event::CASE_UPDATED, action)?;
        Ok(value)
    });
    done.await.map_err(refuse)
}

/// As [`changing`], for what only the owner may do.
async fn disposing<T: Send + 'static>(
    ctx: &Ctx,
    case_id: CaseId,
    action: &'static str,
    change: impl Fn(&Write<'_>, &Owner) -> Result<T, CaseError> + Send + 'static,
) -> Result<T, Failure> {
    ctx.user()?;
    let (actor, visit) = (ctx.actor.clone(), visit(ctx));
    let done = ctx.db.write(move |tx| {
        let may = access::owner(tx, &actor, case_id)?;
        let value = change(tx, &may)?;
        access::record_operator(tx, &may, &visit, event::CASE_UPDATED, action)?;
        Ok(value)
    });
    done.await.map_err(refuse)
}

/// A request that adds something to a case: under which key, with which body.
struct Adding<'a> {
    case_id: CaseId,
    keyed: &'a Once,
    fingerprint: [u8; 32],
    action: &'static str,
}

/// As [`changing`], for what is added once per `Idempotency-Key`; who may no longer change the case
/// is not given the first answer again either.
async fn adding(
    ctx: &Ctx,
    request: Adding<'_>,
    add: impl Fn(&Write<'_>, &Writer) -> Result<Reply, CaseError> + Send + 'static,
) -> Answer {
    ctx.user()?;
    let (actor, visit) = (ctx.actor.clone(), visit(ctx));
    let Adding { case_id, keyed, fingerprint, action } = request;
    let asks = actor.clone();
    let guard = move |tx: &Write<'_>| access::writer(tx, &asks, case_id).map(drop);
    let effect = move |tx: &Write<'_>| {
        let may = access::writer(tx, &actor, case_id)?;
        let reply = add(tx, &may)?;
        access::record_operator(tx, &may, &visit, event::CASE_UPDATED, action)?;
        Ok::<_, CaseError>(reply)
    };
    once_guarded(ctx, keyed, &fingerprint, guard, effect).await
}

/// Tells a member that is `null` from one that is absent: `Some(None)` and `None`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
