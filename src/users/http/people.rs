//! Routes of accounts.

use super::shapes::{ChangeBody, NewUserBody, RolesBody, UserView, UsersQuery};
use super::{BASE, refuse, self_or_admin, trail};
use crate::base::Role;
use crate::base::id::UserId;
use crate::users::account::{self, Application, Change, Filter};
use crate::users::error::UsersError;
use crate::users::name;
use crate::users::signin::SignIn;
use crate::web::{
    Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, if_match, no_content, once,
    versioned,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, post, put, web};

/// Longest search text in bytes: no name is longer.
const QUERY_BYTES_MAX: usize = 254;

/// Lists accounts, newest first. For administrators.
#[utoipa::path(tag = "users", params(UsersQuery),
    responses((status = 200, body = [UserView]), (status = 401), (status = 403)))]
#[get("/users")]
pub(super) async fn list_users(
    ctx: Ctx,
    request: HttpRequest,
    paging: Paging,
    query: Query<UsersQuery>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let UsersQuery { q, role, active } = query.into_inner();
    if q.as_ref().is_some_and(|q| q.len() > QUERY_BYTES_MAX) {
        return Err(UsersError::field("q", "longer than 254 bytes").into());
    }
    let filter = Filter { text: q.map(|q| name::fold(&q)), role, active };
    let page = ctx.db.read(|tx| account::list(tx, &filter, paging.request()))?;
    crate::web::list(&request, "users", page.map(UserView::from))
}

/// Makes an account. For administrators.
#[utoipa::path(tag = "users", request_body = NewUserBody,
    responses((status = 201, body = UserView), (status = 403), (status = 409), (status = 422)))]
#[post("/users")]
pub(super) async fn create_user(
    ctx: Ctx,
    sign_in: web::Data<SignIn>,
    keyed: Once,
    body: Body<NewUserBody>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let body = body.into_inner();
    // The password stays out of what makes two requests the same: a fast hash of it must not be
    // stored beside the slow one.
    let fingerprint =
        format!("{:?}", (&body.username, &body.email, &body.display_name, &body.roles));
    let roles = account::distinct(body.roles.as_deref().unwrap_or(&[Role::User]));
    let application = Application {
        username: body.username,
        email: body.email,
        display_name: body.display_name,
        password: Some(body.password),
    };
    let new = application.check(ctx.ids.next(ctx.now), roles?)?;
    let new = sign_in.hashed(&ctx.ids, new, application.password).await.map_err(refuse)?;
    let trail = trail(&ctx);
    once(&ctx, &keyed, fingerprint.as_bytes(), move |tx| -> Result<_, UsersError> {
        let row = account::create(tx, &new, &trail)?;
        let (location, version) = (format!("{BASE}/users/{}", row.user_id), row.version);
        Ok(Reply::created(location, &UserView::from(row))?.with_version(version))
    })
    .await
}

/// Shows an account to its owner and to administrators.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)),
    responses((status = 200, body = UserView), (status = 404)))]
#[get("/users/{id}")]
pub(super) async fn read_user(ctx: Ctx, id: Path<UserId>) -> Answer {
    let id = id.into_inner();
    self_or_admin(&ctx, id)?;
    show(ctx.db.read(|tx| account::load(tx, id)).map_err(refuse)?)
}

/// Changes a profile; `is_active` only by an administrator.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), request_body = ChangeBody,
    responses((status = 200, body = UserView), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[put("/users/{id}")]
pub(super) async fn change_user(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<UserId>,
    body: Body<ChangeBody>,
) -> Answer {
    let id = id.into_inner();
    self_or_admin(&ctx, id)?;
    let body = body.into_inner();
    if body.is_active.is_some() && !ctx.actor.has(Role::Admin) {
        return Err(UsersError::AdminOnly.into());
    }
    let (change, expected, trail) = (Change::from(body), if_match(&request)?, trail(&ctx));
    let row = ctx.db.write(move |tx| account::change(tx, id, &change, expected, &trail)).await;
    show(row.map_err(refuse)?)
}

/// Replaces the roles of an account. For administrators; 409 for the last one's own.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), request_body = RolesBody,
    responses((status = 200, body = UserView), (status = 403), (status = 404), (status = 409)))]
#[put("/users/{id}/roles")]
pub(super) async fn set_user_roles(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<UserId>,
    body: Body<RolesBody>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let (id, roles) = (id.into_inner(), body.into_inner().roles);
    let (expected, trail) = (if_match(&request)?, trail(&ctx));
    let row = ctx.db.write(move |tx| account::set_roles(tx, id, &roles, expected, &trail)).await;
    show(row.map_err(refuse)?)
}

/// Deletes an account softly. For administrators; 409 for the last one.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
#[delete("/users/{id}")]
pub(super) async fn remove_user(ctx: Ctx, request: HttpRequest, id: Path<UserId>) -> Answer {
    ctx.require(Role::Admin)?;
    let (id, expected, trail) = (id.into_inner(), if_match(&request)?, trail(&ctx));
    let done = ctx.db.write(move |tx| account::delete(tx, id, expected, &trail)).await;
    done.map_err(refuse)?;
    no_content()
}

fn show(row: crate::users::tables::UserRow) -> Result<actix_web::HttpResponse, Failure> {
    let version = row.version;
    versioned(StatusCode::OK, &UserView::from(row), version)
}
