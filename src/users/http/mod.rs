//! Routes and wire shapes of accounts, sign-in and sessions.

mod auth;
mod authenticate;
mod pages;
mod people;
mod sessions;
mod shapes;

pub use authenticate::authenticate;
pub use pages::pages;

use super::error::UsersError;
use super::trail::Trail;
use crate::base::Role;
use crate::base::id::{SessionId, UserId};
use crate::web::{Ctx, Failure, version_mismatch};
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, web};

/// Base of the addresses in `Location`.
const BASE: &str = "/api/v1";
/// Header in which a client names the session it already has (reference-facts 8.3).
const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

/// Adds the routes under the API's base.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(auth::auth_config)
        .service(auth::register)
        .service(auth::login)
        .service(auth::refresh)
        .service(auth::logout)
        .service(auth::read_me)
        .service(auth::change_password)
        .service(auth::dev_login)
        .service(auth::dev_register)
        .service(auth::first_start)
        .service(people::list_users)
        .service(people::create_user)
        .service(people::read_user)
        .service(people::change_user)
        .service(people::set_user_roles)
        .service(people::remove_user)
        .service(sessions::open_session)
        .service(sessions::list_sessions)
        .service(sessions::read_session)
        .service(sessions::end_session)
        .service(sessions::heartbeat_session);
}

/// Describes the routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    auth::auth_config,
    auth::register,
    auth::login,
    auth::refresh,
    auth::logout,
    auth::read_me,
    auth::change_password,
    auth::dev_login,
    auth::dev_register,
    auth::first_start,
    people::list_users,
    people::create_user,
    people::read_user,
    people::change_user,
    people::set_user_roles,
    people::remove_user,
    sessions::open_session,
    sessions::list_sessions,
    sessions::read_session,
    sessions::end_session,
    sessions::heartbeat_session,
))]
#[derive(Debug)]
pub struct Doc;

/// A refusal with the headers its client needs.
fn refuse(error: UsersError) -> Failure {
    match error {
        UsersError::Version { expected, actual } => version_mismatch(expected, actual),
        error => match error.retry_after_s() {
            Some(seconds) => Failure::from(error).with_header(header::RETRY_AFTER, seconds),
            None => Failure::from(error),
        },
    }
}

/// The trail of what this request does.
fn trail(ctx: &Ctx) -> Trail {
    Trail::new(&ctx.ids, ctx.now, &ctx.actor, ctx.request.address)
}

/// The session a client says it has; a text that is no session id names none.
fn joined(request: &HttpRequest) -> Option<SessionId> {
    request.headers().get(SESSION_ID)?.to_str().ok()?.parse().ok()
}

/// The caller, who must be the person or an administrator.
///
/// # Errors
/// 401 as [`Ctx::user`]; 404 for anybody else, who may not know that the account exists.
fn self_or_admin(ctx: &Ctx, person: UserId) -> Result<UserId, Failure> {
    let caller = ctx.user()?;
    if caller == person || ctx.actor.has(Role::Admin) {
        return Ok(caller);
    }
    Err(UsersError::UserMissing.into())
}
