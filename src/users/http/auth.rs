//! Routes of sign-in.

use super::shapes::{
    AuthConfigView, DevLoginBody, DevRegisterBody, LoginBody, LogoutQuery, LogoutView, MeView,
    PasswordBody, PasswordView, RefreshBody, RegisterBody, SetupBody, SignInView, TokensView,
    UserView,
};
use super::{BASE, joined, refuse, trail};
use crate::base::Actor;
use crate::base::id::SessionId;
use crate::users::error::UsersError;
use crate::users::signin::{self, Credentials, SignIn, SignedIn};
use crate::users::{account, setup};
use crate::web::{Answer, Body, Ctx, Failure, Query, created, json, versioned};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, get, post, web};

/// Tells how to sign in here.
#[utoipa::path(tag = "auth", responses((status = 200, body = AuthConfigView)))]
#[get("/auth/config")]
pub(super) async fn auth_config(sign_in: web::Data<SignIn>) -> Answer {
    let view = AuthConfigView {
        auth_mode: "local",
        login_endpoint: "/api/v1/auth/login",
        register_endpoint: "/api/v1/auth/register",
        supports_registration: sign_in.config().registration,
        oauth: None,
    };
    json(StatusCode::OK, &view)
}

/// Makes an account and signs it in; 403 when registration is closed, 409 when a name is taken.
#[utoipa::path(tag = "auth", request_body = RegisterBody,
    responses((status = 201, body = SignInView), (status = 403), (status = 409), (status = 422)))]
#[post("/auth/register")]
pub(super) async fn register(
    ctx: Ctx,
    request: HttpRequest,
    sign_in: web::Data<SignIn>,
    body: Body<RegisterBody>,
) -> Answer {
    let application = body.into_inner().into();
    let session = joined(&request);
    let signed = sign_in.register(&ctx.db, &ctx.ids, &trail(&ctx), &application, session).await;
    newcomer(&signed.map_err(refuse)?)
}

/// Signs in by username or e-mail; 401 for a wrong name or password, 429 after too many of them.
#[utoipa::path(tag = "auth", request_body = LoginBody,
    responses((status = 200, body = SignInView), (status = 401), (status = 429), (status = 503)))]
#[post("/auth/login")]
pub(super) async fn login(
    ctx: Ctx,
    request: HttpRequest,
    sign_in: web::Data<SignIn>,
    body: Body<LoginBody>,
) -> Answer {
    let LoginBody { username, email, password } = body.into_inner();
    let name = match (username, email) {
        (Some(name), None) | (None, Some(name)) => name,
        _ => {
            let message = "give either a username or an e-mail";
            return Err(UsersError::field("username", message).into());
        }
    };
    let credentials = Credentials { name, password, session_id: joined(&request) };
    let signed = sign_in.with_password(&ctx.db, &ctx.ids, &trail(&ctx), credentials).await;
    json(StatusCode::OK, &SignInView::from(&signed.map_err(refuse)?))
}

/// Exchanges a refresh token for the next pair; one that was exchanged before ends the session.
#[utoipa::path(tag = "auth", request_body = RefreshBody,
    responses((status = 200, body = TokensView), (status = 401)))]
#[post("/auth/refresh")]
pub(super) async fn refresh(
    ctx: Ctx,
    sign_in: web::Data<SignIn>,
    body: Body<RefreshBody>,
) -> Answer {
    let token = body.into_inner().refresh_token;
    let signed = sign_in.refresh(&ctx.db, &ctx.ids, &trail(&ctx), token).await;
    json(StatusCode::OK, &TokensView::from(&signed.map_err(refuse)?))
}

/// Signs out of this session, or of all with `all_sessions=true`.
#[utoipa::path(tag = "auth", params(LogoutQuery),
    responses((status = 200, body = LogoutView), (status = 401)))]
#[post("/auth/logout")]
pub(super) async fn logout(ctx: Ctx, query: Query<LogoutQuery>) -> Answer {
    let user_id = ctx.user()?;
    let (session_id, trail) = (session_of(&ctx), trail(&ctx));
    let everywhere = query.all_sessions;
    let ended = ctx
        .db
        .write(move |tx| signin::sign_out(tx, user_id, session_id, everywhere, &trail))
        .await
        .map_err(refuse)?;
    let view = LogoutView {
        message: "signed out",
        revoked_tokens: ended.revoked_tokens,
        all_sessions_ended: ended.all_sessions_ended,
    };
    json(StatusCode::OK, &view)
}

/// Shows the signed-in person.
#[utoipa::path(tag = "auth", responses((status = 200, body = MeView), (status = 401)))]
#[get("/auth/me")]
pub(super) async fn read_me(ctx: Ctx) -> Answer {
    let user_id = ctx.user()?;
    let row = ctx.db.read(|tx| account::load(tx, user_id)).map_err(refuse)?;
    let (version, last_login) = (row.version, row.last_login_at);
    let view = MeView { user: UserView::from(row), last_login, session_id: session_of(&ctx) };
    versioned(StatusCode::OK, &view, version)
}

/// Changes one's own password and ends the other sessions.
#[utoipa::path(tag = "auth", request_body = PasswordBody,
    responses((status = 200, body = PasswordView), (status = 401), (status = 422), (status = 429)))]
#[post("/auth/password")]
pub(super) async fn change_password(
    ctx: Ctx,
    sign_in: web::Data<SignIn>,
    body: Body<PasswordBody>,
) -> Answer {
    let user_id = ctx.user()?;
    let PasswordBody { current_password, new_password } = body.into_inner();
    let passwords = (current_password, new_password);
    let (trail, keep) = (trail(&ctx), session_of(&ctx));
    let ended = sign_in.change_password(&ctx.db, &ctx.ids, &trail, user_id, keep, passwords).await;
    let ended_sessions = ended.map_err(refuse)?;
    json(StatusCode::OK, &PasswordView { message: "password changed", ended_sessions })
}

/// Signs a development account in by name; 404 unless development sign-in is on.
#[utoipa::path(tag = "auth", request_body = DevLoginBody,
    responses((status = 200, body = SignInView), (status = 401), (status = 404)))]
#[post("/auth/dev-login")]
pub(super) async fn dev_login(
    ctx: Ctx,
    request: HttpRequest,
    sign_in: web::Data<SignIn>,
    body: Body<DevLoginBody>,
) -> Answer {
    let session = joined(&request);
    let signed = sign_in.dev_login(&ctx.db, &ctx.ids, &trail(&ctx), &body.username, session).await;
    json(StatusCode::OK, &SignInView::from(&signed.map_err(refuse)?))
}

/// Makes a development account and signs it in; 404 unless development sign-in is on.
#[utoipa::path(tag = "auth", request_body = DevRegisterBody,
    responses((status = 201, body = SignInView), (status = 404), (status = 409), (status = 422)))]
#[post("/auth/dev-register")]
pub(super) async fn dev_register(
    ctx: Ctx,
    request: HttpRequest,
    sign_in: web::Data<SignIn>,
    body: Body<DevRegisterBody>,
) -> Answer {
    let application = body.into_inner().into();
    let session = joined(&request);
    let signed = sign_in.dev_register(&ctx.db, &ctx.ids, &trail(&ctx), &application, session).await;
    newcomer(&signed.map_err(refuse)?)
}

/// Makes the first administrator with the token of the first start; 404 once there is one.
#[utoipa::path(tag = "auth", request_body = SetupBody,
    responses((status = 201, body = SignInView), (status = 403), (status = 404), (status = 422)))]
#[post("/auth/setup")]
pub(super) async fn first_start(
    ctx: Ctx,
    sign_in: web::Data<SignIn>,
    body: Body<SetupBody>,
) -> Answer {
    let (token, application) = body.into_inner().split();
    let signed =
        setup::finish(&sign_in, &ctx.db, &ctx.ids, &trail(&ctx), token, &application).await;
    newcomer(&signed.map_err(refuse)?)
}

/// 201 for a person who is new here and signed in.
fn newcomer(signed: &SignedIn) -> Result<actix_web::HttpResponse, Failure> {
    created(&format!("{BASE}/users/{}", signed.user_id()), &SignInView::from(signed))
}

/// The session of the caller's token.
fn session_of(ctx: &Ctx) -> Option<SessionId> {
    match &ctx.actor {
        Actor::User { session_id, .. } => *session_id,
        Actor::Anonymous | Actor::System(_) => None,
    }
}
