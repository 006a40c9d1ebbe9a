//! Routes of sessions.

use super::shapes::{HeartbeatView, SessionBody, SessionView};
use super::{BASE, refuse, trail};
use crate::base::Actor;
use crate::base::id::{SessionId, UserId};
use crate::users::error::UsersError;
use crate::users::session::{self, Wanted};
use crate::users::signin;
use crate::web::{
    Answer, Ctx, Failure, Once, OptionalBody, Paging, Path, Reply, json, no_content, once,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, post};

/// Opens a session, with or without a token; the same user and client resume theirs.
#[utoipa::path(tag = "sessions", request_body = Option<SessionBody>,
    responses((status = 201, body = SessionView), (status = 401), (status = 422)))]
#[post("/sessions")]
pub(super) async fn open_session(ctx: Ctx, keyed: Once, body: OptionalBody<SessionBody>) -> Answer {
    let user_id = caller(&ctx)?;
    let fingerprint = body.fingerprint();
    let wanted = Wanted::from(body.into_inner());
    wanted.check()?;
    let (fresh, now): (SessionId, _) = (ctx.ids.next(ctx.now), ctx.now);
    let address = ctx.request.address;
    once(&ctx, &keyed, &fingerprint, move |tx| -> Result<_, UsersError> {
        let (row, resumed) = session::open(tx, fresh, user_id, address, &wanted, now)?;
        let location = format!("{BASE}/sessions/{}", row.session_id);
        Ok(Reply::created(location, &SessionView::of(row, resumed))?)
    })
    .await
}

/// Lists the caller's active sessions, last active first.
#[utoipa::path(tag = "sessions", responses((status = 200, body = [SessionView]), (status = 401)))]
#[get("/sessions")]
pub(super) async fn list_sessions(ctx: Ctx, request: HttpRequest, paging: Paging) -> Answer {
    let user_id = ctx.user()?;
    let page = ctx.db.read(|tx| session::list(tx, user_id, paging.request(), ctx.now));
    let page = page.map_err(refuse)?.map(|row| SessionView::of(row, false));
    crate::web::list(&request, "sessions", page)
}

/// Shows a session of the caller, or an anonymous one; 404 once it was idle for too long.
#[utoipa::path(tag = "sessions", params(("id" = SessionId, Path)),
    responses((status = 200, body = SessionView), (status = 404)))]
#[get("/sessions/{id}")]
pub(super) async fn read_session(ctx: Ctx, id: Path<SessionId>) -> Answer {
    let user_id = caller(&ctx)?;
    let row = ctx.db.read(|tx| session::load(tx, *id, user_id, ctx.now)).map_err(refuse)?;
    json(StatusCode::OK, &SessionView::of(row, false))
}

/// Ends a session, and the sign-in that belongs to it.
#[utoipa::path(tag = "sessions", params(("id" = SessionId, Path)),
    responses((status = 204), (status = 404)))]
#[delete("/sessions/{id}")]
pub(super) async fn end_session(ctx: Ctx, id: Path<SessionId>) -> Answer {
    let (user_id, id, now, trail) = (caller(&ctx)?, id.into_inner(), ctx.now, trail(&ctx));
    let done = ctx.db.write(move |tx| -> Result<(), UsersError> {
        match session::load(tx, id, user_id, now)?.user_id {
            Some(owner) => signin::sign_out(tx, owner, Some(id), false, &trail).map(drop),
            None => session::end(tx, id),
        }
    });
    done.await.map_err(refuse)?;
    no_content()
}

/// Keeps a session alive.
#[utoipa::path(tag = "sessions", params(("id" = SessionId, Path)),
    responses((status = 200, body = HeartbeatView), (status = 404)))]
#[post("/sessions/{id}/heartbeat")]
pub(super) async fn heartbeat_session(ctx: Ctx, id: Path<SessionId>) -> Answer {
    let (user_id, id, now) = (caller(&ctx)?, id.into_inner(), ctx.now);
    let row = ctx.db.write(move |tx| session::touch(tx, id, user_id, now)).await;
    let row = row.map_err(refuse)?;
    let view = HeartbeatView {
        session_id: row.session_id,
        status: "active",
        last_activity: row.last_activity_at,
        expires_at: row.expires_at(),
        message: "session extended",
    };
    json(StatusCode::OK, &view)
}

/// The caller, if any. A token that is not valid is refused also where none is needed, so that a
/// client refreshes it instead of losing its sessions.
fn caller(ctx: &Ctx) -> Result<Option<UserId>, Failure> {
    match (&ctx.actor, ctx.user()) {
        (Actor::Anonymous, Err(failure)) if failure.code() != "unauthenticated" => Err(failure),
        (_, user) => Ok(user.ok()),
    }
}
