//! What clients send and read.

use crate::base::id::{SessionId, UserId};
use crate::base::{Json, Role, Time};
use crate::users::account::{Application, Change};
use crate::users::password::Password;
use crate::users::session::Wanted;
use crate::users::signin::SignedIn;
use crate::users::tables::{SessionRow, UserRow};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The person as sign-in answers show them (reference-facts 8.3).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    user_id: UserId,
    username: String,
    email: String,
    display_name: String,
    created_at: Time,
    is_dev_user: bool,
    roles: Vec<Role>,
}

impl From<&UserRow> for Person {
    fn from(row: &UserRow) -> Self {
        Self {
            user_id: row.user_id,
            username: row.username.clone(),
            email: row.email.clone(),
            display_name: row.display_name.clone(),
            created_at: row.created_at,
            is_dev_user: row.is_dev_user,
            roles: row.roles.clone(),
        }
    }
}

/// A sign-in that worked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignInView {
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    refresh_token: String,
    session_id: SessionId,
    user: Person,
}

impl From<&SignedIn> for SignInView {
    fn from(signed: &SignedIn) -> Self {
        Self {
            access_token: signed.access_token().to_owned(),
            token_type: "bearer",
            expires_in: signed.expires_in_s,
            refresh_token: signed.refresh_token().to_owned(),
            session_id: signed.session_id,
            user: Person::from(&signed.user),
        }
    }
}

/// The next pair of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokensView {
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    refresh_token: String,
}

impl From<&SignedIn> for TokensView {
    fn from(signed: &SignedIn) -> Self {
        Self {
            access_token: signed.access_token().to_owned(),
            token_type: "bearer",
            expires_in: signed.expires_in_s,
            refresh_token: signed.refresh_token().to_owned(),
        }
    }
}

/// An account, as its owner and administrators see it (seed 2.2 without the password hash).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserView {
    user_id: UserId,
    username: String,
    email: String,
    display_name: String,
    avatar_url: Option<String>,
    timezone: String,
    locale: String,
    is_active: bool,
    is_email_verified: bool,
    email_verified_at: Option<Time>,
    sso_provider: Option<String>,
    sso_provider_id: Option<String>,
    created_at: Time,
    updated_at: Time,
    last_login_at: Option<Time>,
    last_password_change_at: Option<Time>,
    roles: Vec<Role>,
    is_dev_user: bool,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            user_id: row.user_id,
            username: row.username,
            email: row.email,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            timezone: row.timezone,
            locale: row.locale,
            is_active: row.is_active,
            is_email_verified: row.is_email_verified,
            email_verified_at: row.email_verified_at,
            sso_provider: row.sso_provider,
            sso_provider_id: row.sso_provider_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
            last_password_change_at: row.last_password_change_at,
            roles: row.roles,
            is_dev_user: row.is_dev_user,
        }
    }
}

/// The signed-in person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeView {
    #[serde(flatten)]
    pub(super) user: UserView,
    /// As `last_login_at`, under the name existing clients read.
    pub(super) last_login: Option<Time>,
    /// The session of the token.
    pub(super) session_id: Option<SessionId>,
}

/// How to sign in here (reference-facts 8.3).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthConfigView {
    #[schema(example = "local")]
    pub(super) auth_mode: &'static str,
    pub(super) login_endpoint: &'static str,
    pub(super) register_endpoint: &'static str,
    pub(super) supports_registration: bool,
    /// Always null: sign-in is local.
    #[schema(value_type = Option<Object>)]
    pub(super) oauth: Option<()>,
}

/// What a sign-out ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogoutView {
    pub(super) message: &'static str,
    pub(super) revoked_tokens: usize,
    pub(super) all_sessions_ended: bool,
}

/// What a change of password ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasswordView {
    pub(super) message: &'static str,
    pub(super) ended_sessions: usize,
}

/// `POST /auth/login`: a username or an e-mail, and the password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginBody {
    /// A username; an e-mail is understood too.
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    #[schema(value_type = String, format = Password)]
    pub(super) password: Password,
}

/// `POST /auth/register`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    /// 3 to 64 of `A-Z a-z 0-9 . _ -`.
    username: String,
    email: String,
    /// The username when absent.
    display_name: Option<String>,
    /// 12 characters or more, or 8 that are not a common password; at most 256 bytes.
    #[schema(value_type = String, format = Password)]
    password: Password,
}

impl From<RegisterBody> for Application {
    fn from(body: RegisterBody) -> Self {
        Self {
            username: body.username,
            email: body.email,
            display_name: body.display_name,
            password: Some(body.password),
        }
    }
}

/// `POST /auth/refresh`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshBody {
    pub(super) refresh_token: String,
}

/// `POST /auth/logout?all_sessions=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct LogoutQuery {
    /// Whether to sign out everywhere.
    #[serde(default)]
    pub(super) all_sessions: bool,
}

/// `POST /auth/password`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordBody {
    #[schema(value_type = String, format = Password)]
    pub(super) current_password: Password,
    #[schema(value_type = String, format = Password)]
    pub(super) new_password: Password,
}

/// `POST /auth/dev-login`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DevLoginBody {
    pub(super) username: String,
}

/// `POST /auth/dev-register`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DevRegisterBody {
    username: String,
    /// `{username}@dev.faultmaven.local` when absent.
    email: Option<String>,
    display_name: Option<String>,
}

impl From<DevRegisterBody> for Application {
    fn from(body: DevRegisterBody) -> Self {
        let email = body.email.unwrap_or_else(|| format!("{}@dev.faultmaven.local", body.username));
        let (username, display_name) = (body.username, body.display_name);
        Self { username, email, display_name, password: None }
    }
}

/// `POST /auth/setup`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupBody {
    /// From the link in the server's log.
    pub(super) token: String,
    username: String,
    email: String,
    display_name: Option<String>,
    #[schema(value_type = String, format = Password)]
    password: Password,
}

impl SetupBody {
    /// The token and the account it is to make.
    pub(super) fn split(self) -> (String, Application) {
        let application = Application {
            username: self.username,
            email: self.email,
            display_name: self.display_name,
            password: Some(self.password),
        };
        (self.token, application)
    }
}

/// `GET /users?q=&role=&active=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct UsersQuery {
    /// Part of the username, e-mail or display name.
    pub(super) q: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) active: Option<bool>,
}

/// `POST /users`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) display_name: Option<String>,
    #[schema(value_type = String, format = Password)]
    pub(super) password: Password,
    /// `["user"]` when absent.
    pub(super) roles: Option<Vec<Role>>,
}

/// `PUT /users/{id}`: absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    display_name: Option<String>,
    /// Null removes the picture.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    avatar_url: Option<Option<String>>,
    timezone: Option<String>,
    locale: Option<String>,
    email: Option<String>,
    /// Only for administrators.
    pub(super) is_active: Option<bool>,
}

/// Tells a field that is null from one that is absent.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl From<ChangeBody> for Change {
    fn from(body: ChangeBody) -> Self {
        Self {
            display_name: body.display_name,
            avatar_url: body.avatar_url,
            timezone: body.timezone,
            locale: body.locale,
            email: body.email,
            is_active: body.is_active,
        }
    }
}

/// `PUT /users/{id}/roles`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesBody {
    pub(super) roles: Vec<Role>,
}

/// `POST /sessions`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionBody {
    /// Names the device; the same user and client resume their session.
    client_id: Option<String>,
    session_type: Option<String>,
    /// 60 to 480; 30 when absent.
    timeout_minutes: Option<u32>,
    /// A JSON object of at most 4 KiB.
    metadata: Option<Json>,
}

impl From<SessionBody> for Wanted {
    fn from(body: SessionBody) -> Self {
        Self {
            client_id: body.client_id,
            session_type: body.session_type,
            timeout_minutes: body.timeout_minutes,
            metadata: body.metadata,
        }
    }
}

/// A session (reference-facts 8.3).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    #[schema(example = "3.1.0")]
    schema_version: &'static str,
    session_id: SessionId,
    user_id: Option<UserId>,
    client_id: Option<String>,
    #[schema(example = "active")]
    status: &'static str,
    session_type: String,
    metadata: Json,
    timeout_minutes: i64,
    created_at: Time,
    last_activity: Time,
    expires_at: Time,
    /// Whether the client had this session before.
    session_resumed: bool,
    message: &'static str,
}

impl SessionView {
    /// Shows a session; `resumed` tells whether opening it found one.
    pub(super) fn of(row: SessionRow, resumed: bool) -> Self {
        Self {
            schema_version: "3.1.0",
            session_id: row.session_id,
            user_id: row.user_id,
            status: "active",
            timeout_minutes: row.ttl_ms / 60_000,
            created_at: row.created_at,
            last_activity: row.last_activity_at,
            expires_at: row.expires_at(),
            client_id: row.client_id,
            session_type: row.session_type,
            metadata: row.metadata,
            session_resumed: resumed,
            message: if resumed { "session resumed" } else { "session active" },
        }
    }
}

/// A sign of life that was heard.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeartbeatView {
    pub(super) session_id: SessionId,
    pub(super) status: &'static str,
    pub(super) last_activity: Time,
    pub(super) expires_at: Time,
    pub(super) message: &'static str,
}
