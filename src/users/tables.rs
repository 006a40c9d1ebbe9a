//! Rows of accounts, sessions and tokens.

use crate::base::id::{SessionId, UserId};
use crate::base::{Json, Role, Time};
use crate::engine::db::{Index, KeyBuf, Parent, Row, key};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An account (seed 2.2). About 500 bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UserRow {
    pub(super) user_id: UserId,
    pub(super) username: String,
    /// Stored, so that a newer Unicode table cannot move an existing index entry.
    pub(super) username_folded: String,
    pub(super) email: String,
    pub(super) email_folded: String,
    /// PHC string; `None` for accounts that sign in without a password.
    pub(super) hashed_password: Option<String>,
    pub(super) is_active: bool,
    pub(super) display_name: String,
    pub(super) avatar_url: Option<String>,
    pub(super) timezone: String,
    pub(super) locale: String,
    pub(super) is_email_verified: bool,
    pub(super) email_verified_at: Option<Time>,
    pub(super) sso_provider: Option<String>,
    pub(super) sso_provider_id: Option<String>,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
    pub(super) last_login_at: Option<Time>,
    pub(super) last_password_change_at: Option<Time>,
    /// Set by soft deletion; name and e-mail stay taken (ruling 6).
    pub(super) deleted_at: Option<Time>,
    pub(super) roles: Vec<Role>,
    /// Made by dev-register: signs in by name alone while development sign-in is on.
    pub(super) is_dev_user: bool,
    /// Counts changes that a client can make; the ETag.
    pub(super) version: u64,
}

impl UserRow {
    /// Whether the account may act.
    pub(super) fn is_live(&self) -> bool {
        self.is_active && self.deleted_at.is_none()
    }
}

/// Every name ever taken, also by deleted accounts.
pub(super) const BY_USERNAME: Index<UserRow> =
    Index::unique("users_username", |r| Some(key().str(&r.username_folded)));
/// Every e-mail ever taken, also by deleted accounts.
pub(super) const BY_EMAIL: Index<UserRow> =
    Index::unique("users_email", |r| Some(key().str(&r.email_folded)));
/// One account per external identity (seed 2.5).
const BY_SSO: Index<UserRow> = Index::unique("users_sso", |r| {
    let (provider, id) = (r.sso_provider.as_ref()?, r.sso_provider_id.as_ref()?);
    Some(key().str(provider).str(id))
});
/// Accounts that are not deleted, newest first.
pub(super) const PRESENT: Index<UserRow> =
    Index::many("users_present", |r| r.deleted_at.is_none().then(|| key().time_desc(r.created_at)));
/// Admins who can sign in: the store must never be left without one.
pub(super) const ADMINS: Index<UserRow> = Index::many("users_admins", |r| {
    (r.is_live() && r.roles.contains(&Role::Admin)).then(|| key().time(r.created_at))
});

impl Row for UserRow {
    type Key = UserId;
    const TABLE: &'static str = "users";
    const INDEXES: &'static [Index<Self>] = &[BY_USERNAME, BY_EMAIL, BY_SSO, PRESENT, ADMINS];

    fn key(&self) -> UserId {
        self.user_id
    }
}

/// A session: a client that is there, a sign-in, or both. About 200 bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SessionRow {
    pub(super) session_id: SessionId,
    /// `None` until somebody signs in with it.
    pub(super) user_id: Option<UserId>,
    /// Where it was opened, as [`super::session::network_of`] has it, while nobody is signed in.
    pub(super) network: Option<IpAddr>,
    pub(super) client_id: Option<String>,
    pub(super) session_type: String,
    pub(super) metadata: Json,
    pub(super) ttl_ms: i64,
    pub(super) created_at: Time,
    pub(super) last_activity_at: Time,
    /// Until when its newest refresh token works; `None` when no tokens were issued.
    pub(super) signed_in_until: Option<Time>,
}

impl SessionRow {
    /// End of the sliding window of activity (ruling 22).
    pub(super) fn expires_at(&self) -> Time {
        self.last_activity_at.plus_ms(self.ttl_ms)
    }

    /// When nothing can bring the session back.
    pub(super) fn ends_at(&self) -> Time {
        self.signed_in_until.map_or(self.expires_at(), |until| until.max(self.expires_at()))
    }
}

/// Sessions of a person, least recently active first.
pub(super) const BY_USER: Index<SessionRow> = Index::many("sessions_by_user", |r| {
    r.user_id.map(|user| key().id(&user).time(r.last_activity_at))
});
/// `session_client:{user}:{client}` of ruling 22; anonymous clients stand beside the users.
pub(super) const BY_CLIENT: Index<SessionRow> = Index::unique("sessions_by_client", |r| {
    let client = r.client_id.as_ref()?;
    Some(client_key(r.user_id, client))
});
/// Sessions nobody has signed in with, by shelf, least recently active first.
pub(super) const ANONYMOUS: Index<SessionRow> = Index::many("sessions_anonymous", |r| {
    r.user_id.is_none().then(|| key().u8(shelf(r.session_id)).time(r.last_activity_at))
});
/// Sessions nobody has signed in with, by where they were opened, least recently active first.
pub(super) const BY_NETWORK: Index<SessionRow> = Index::many("sessions_by_network", |r| {
    let network = r.network.filter(|_| r.user_id.is_none())?;
    Some(network_key(network).time(r.last_activity_at))
});
/// All sessions by the time they are over, for the sweep.
pub(super) const SESSIONS_BY_END: Index<SessionRow> =
    Index::many("sessions_by_end", |r| Some(key().time(r.ends_at())));

/// Shelves of [`ANONYMOUS`]: their bound is kept shelf by shelf, so that opening a session counts one
/// shelf and not all of them.
pub(super) const SHELVES: u8 = 64;

/// The shelf of an anonymous session; the random end of the id spreads them evenly.
pub(super) fn shelf(session_id: SessionId) -> u8 {
    session_id.as_bytes().last().map_or(0, |byte| byte % SHELVES)
}

/// Start of the keys of [`BY_NETWORK`].
pub(super) fn network_key(network: IpAddr) -> KeyBuf {
    match network {
        IpAddr::V4(address) => key().u8(4).raw(&address.octets()),
        IpAddr::V6(address) => key().u8(6).raw(&address.octets()),
    }
}

/// Key of [`BY_CLIENT`].
pub(super) fn client_key(user: Option<UserId>, client: &str) -> KeyBuf {
    match user {
        Some(user) => key().u8(1).id(&user).str(client),
        None => key().u8(0).str(client),
    }
}

impl Row for SessionRow {
    type Key = SessionId;
    const TABLE: &'static str = "sessions";
    const INDEXES: &'static [Index<Self>] =
        &[BY_USER, BY_CLIENT, ANONYMOUS, BY_NETWORK, SESSIONS_BY_END];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<UserRow>(BY_USER, |r| r.user_id.map(|user| key().id(&user)))];

    fn key(&self) -> SessionId {
        self.session_id
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TokenKind {
    /// Names the caller of a request.
    Access,
    /// Buys the next pair, once.
    Refresh,
}

/// An issued token under the SHA-256 of its text; the text itself is never stored. About 90 bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TokenRow {
    pub(super) hash: [u8; 32],
    pub(super) kind: TokenKind,
    pub(super) user_id: UserId,
    /// The sign-in it belongs to: all tokens of one session are one family.
    pub(super) session_id: SessionId,
    pub(super) expires_at: Time,
    /// When a refresh token was exchanged; showing it again betrays a copy.
    pub(super) used_at: Option<Time>,
}

/// Tokens of a session, first to expire first.
pub(super) const BY_SESSION: Index<TokenRow> =
    Index::many("tokens_by_session", |r| Some(key().id(&r.session_id).time(r.expires_at)));
/// All tokens by expiry, for the sweep.
pub(super) const TOKENS_BY_EXPIRY: Index<TokenRow> =
    Index::many("tokens_by_expiry", |r| Some(key().time(r.expires_at)));

impl Row for TokenRow {
    type Key = [u8; 32];
    const TABLE: &'static str = "tokens";
    const INDEXES: &'static [Index<Self>] = &[BY_SESSION, TOKENS_BY_EXPIRY];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<SessionRow>(BY_SESSION, |r| Some(key().id(&r.session_id)))];

    fn key(&self) -> [u8; 32] {
        self.hash
    }
}
