//! Signing in, staying in and signing out.

use super::account::{self, Application, NewAccount};
use super::backoff::{BackOff, Guessed};
use super::error::UsersError;
use super::hash::Hasher;
use super::name;
use super::password::Password;
use super::session;
use super::tables::UserRow;
use super::token::{self, Exchange, Pair};
use super::trail::{Event, Trail};
use super::{Config, Lifetimes};
use crate::base::id::{SessionId, UserId};
use crate::base::{Actor, Ids, Role, Time};
use crate::engine::db::{Db, DbError, View, Write};
use serde_json::json;

/// Longest name that is looked up, in bytes: an e-mail, with room for other spellings of it.
const NAME_BYTES_MAX: usize = 4 * name::EMAIL_BYTES_MAX;

/// What sign-in needs besides the store: the configuration, the hash pool and the memory of
/// failed guesses. One per process.
#[derive(Debug)]
pub struct SignIn {
    config: Config,
    hasher: Hasher,
    back_off: BackOff,
}

/// A name and a password as typed.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// A username or an e-mail.
    pub name: String,
    /// The password.
    pub password: Password,
    /// The anonymous session the client already has, to be bound to the person.
    pub session_id: Option<SessionId>,
}

/// A person who is signed in, with the tokens to show for it.
#[derive(Debug)]
pub struct SignedIn {
    pub(super) user: UserRow,
    pub(super) pair: Pair,
    /// The session of this sign-in.
    pub session_id: SessionId,
    /// Life of the access token in seconds.
    pub expires_in_s: u32,
}

impl SignedIn {
    /// The account.
    pub fn user_id(&self) -> UserId {
        self.user.user_id
    }

    /// The token for `Authorization: Bearer`.
    pub fn access_token(&self) -> &str {
        &self.pair.access.text
    }

    /// The token that buys the next pair, once.
    pub fn refresh_token(&self) -> &str {
        &self.pair.refresh.text
    }
}

/// The secrets and ids of one sign-in, made before the transaction that uses them.
pub(super) struct Admission {
    pair: Pair,
    fresh: SessionId,
    joined: Option<SessionId>,
    method: &'static str,
}

impl Admission {
    pub(super) fn new(
        ids: &Ids,
        now: Time,
        joined: Option<SessionId>,
        method: &'static str,
    ) -> Self {
        Self { pair: Pair::fresh(ids), fresh: ids.next(now), joined, method }
    }

    /// Opens or binds the session, issues its tokens and stamps the account.
    pub(super) fn admit(
        &self,
        tx: &Write<'_>,
        mut user: UserRow,
        lifetimes: Lifetimes,
        trail: &Trail,
    ) -> Result<SignedIn, UsersError> {
        user.last_login_at = Some(trail.at);
        tx.put(&user)?;
        let user_id = user.user_id;
        let mut session = session::bind_or_open(tx, self.joined, self.fresh, user_id, trail.at)?;
        token::issue(tx, &mut session, user_id, &self.pair, lifetimes, trail.at)?;
        let session_id = session.session_id;
        let details = json!({ "method": self.method, "session_id": session_id });
        trail.by(user_id).record(tx, Event::Login, user_id, &details)?;
        let expires_in_s = lifetimes.access_s;
        Ok(SignedIn { user, pair: self.pair.clone(), session_id, expires_in_s })
    }
}

/// What a sign-out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignedOut {
    pub(super) revoked_tokens: usize,
    pub(super) all_sessions_ended: bool,
}

impl SignIn {
    /// Sign-in as configured.
    ///
    /// # Errors
    /// [`UsersError::Hash`] when the configured cost is outside what Argon2 allows.
    pub fn new(config: Config, ids: &Ids) -> Result<Self, UsersError> {
        let hasher = Hasher::new(config.hash, ids)?;
        Ok(Self { config, hasher, back_off: BackOff::default() })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The hash pool, for accounts made outside of HTTP.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Signs a person in by name and password. An unknown name takes as long as a wrong password.
    ///
    /// # Errors
    /// [`UsersError::Credentials`], [`UsersError::TooManyAttempts`] or [`UsersError::Busy`].
    pub async fn with_password(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        credentials: Credentials,
    ) -> Result<SignedIn, UsersError> {
        let folded = match credentials.name.len() {
            ..=NAME_BYTES_MAX => name::fold(&credentials.name),
            _ => String::new(),
        };
        let found = db.read(|tx| account::by_name(tx, &folded))?;
        let user_id = found.as_ref().map(|row| row.user_id);
        let changed_at = found.as_ref().and_then(|row| row.last_password_change_at);
        let stored = found.filter(UserRow::is_live).and_then(|row| row.hashed_password);
        let guessed = Guessed::name(&folded);
        let verdict =
            self.verify(ids, trail.at, guessed, credentials.password, stored.clone()).await?;
        let (Some(user_id), true) = (user_id, verdict.right) else {
            // A name without a usable account looks the same to the caller, not to an auditor.
            let reason = if stored.is_some() { "wrong_password" } else { "no_usable_account" };
            self.fail(db, trail, guessed, user_id, reason).await?;
            return Err(UsersError::Credentials);
        };
        self.back_off.succeeded(guessed);
        let admission = Admission::new(ids, trail.at, credentials.session_id, "password");
        let (trail, lifetimes) = (trail.clone(), self.config.lifetimes);
        db.write(move |tx| {
            // Not the hash is compared: a sign-in at the same time may have made it stronger.
            let unchanged =
                |row: &UserRow| row.is_live() && row.last_password_change_at == changed_at;
            let user = tx.get::<UserRow>(&user_id)?.filter(unchanged);
            let mut user = user.ok_or(UsersError::Credentials)?;
            if verdict.stronger.is_some() {
                user.hashed_password.clone_from(&verdict.stronger);
            }
            admission.admit(tx, user, lifetimes, &trail)
        })
        .await
    }

    /// Checks a password in its turn, unless its name has to wait.
    async fn verify(
        &self,
        ids: &Ids,
        now: Time,
        guessed: Guessed,
        password: Password,
        stored: Option<String>,
    ) -> Result<super::hash::Verdict, UsersError> {
        let allowed = || {
            let wait = self.back_off.check(guessed, now);
            wait.map_err(|retry_after_s| UsersError::TooManyAttempts { retry_after_s })
        };
        allowed()?;
        let turn = self.hasher.turn().await?;
        // Guesses sent together queue here: the first to fail stop the rest.
        allowed()?;
        turn.verify(password, stored, ids).await
    }

    /// Notes and records a wrong guess. Known and unknown names cost the same commit.
    async fn fail(
        &self,
        db: &Db,
        trail: &Trail,
        guessed: Guessed,
        user_id: Option<UserId>,
        reason: &'static str,
    ) -> Result<(), DbError> {
        self.back_off.failed(guessed, trail.at);
        let trail = trail.clone();
        db.write(move |tx| match user_id {
            Some(user_id) => {
                trail.record(tx, Event::LoginFailed, user_id, &json!({ "reason": reason }))
            }
            None => trail.record_unknown(tx),
        })
        .await
    }

    /// Hashes the password of a new account.
    pub(super) async fn hashed(
        &self,
        ids: &Ids,
        mut new: NewAccount,
        password: Option<Password>,
    ) -> Result<NewAccount, UsersError> {
        if let Some(password) = password {
            new.hashed_password = Some(self.hasher.turn().await?.hash(password, ids).await?);
        }
        Ok(new)
    }

    /// Makes an account for the person who asks and signs them in.
    ///
    /// # Errors
    /// [`UsersError::RegistrationClosed`], [`UsersError::Invalid`] or a taken name.
    pub(super) async fn register(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        application: &Application,
        joined: Option<SessionId>,
    ) -> Result<SignedIn, UsersError> {
        if !self.config.registration {
            return Err(UsersError::RegistrationClosed);
        }
        self.create_and_admit(db, ids, trail, application, joined, "registration").await
    }

    /// Makes a development account without a password and signs it in.
    ///
    /// # Errors
    /// [`UsersError::DevLoginOff`], [`UsersError::Invalid`] or a taken name.
    pub(super) async fn dev_register(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        application: &Application,
        joined: Option<SessionId>,
    ) -> Result<SignedIn, UsersError> {
        self.dev_login_on()?;
        self.create_and_admit(db, ids, trail, application, joined, "dev").await
    }

    async fn create_and_admit(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        application: &Application,
        joined: Option<SessionId>,
        method: &'static str,
    ) -> Result<SignedIn, UsersError> {
        let new = application.check(ids.next(trail.at), vec![Role::User])?;
        db.read(|tx| new.check_free(tx))?;
        let new = self.hashed(ids, new, application.password.clone()).await?;
        let admission = Admission::new(ids, trail.at, joined, method);
        let created = trail.by(new.user_id);
        let (entered, lifetimes) = (created.another(ids), self.config.lifetimes);
        db.write(move |tx| {
            let user = account::create(tx, &new, &created)?;
            admission.admit(tx, user, lifetimes, &entered)
        })
        .await
    }

    fn dev_login_on(&self) -> Result<(), UsersError> {
        if self.config.dev_login { Ok(()) } else { Err(UsersError::DevLoginOff) }
    }

    /// Signs a development account in by its name. An account with a password is never open
    /// without it, whatever is configured.
    ///
    /// # Errors
    /// [`UsersError::DevLoginOff`] or [`UsersError::Credentials`].
    pub(super) async fn dev_login(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        name: &str,
        joined: Option<SessionId>,
    ) -> Result<SignedIn, UsersError> {
        self.dev_login_on()?;
        let folded = if name.len() <= NAME_BYTES_MAX { name::fold(name) } else { String::new() };
        let admission = Admission::new(ids, trail.at, joined, "dev");
        let (trail, lifetimes) = (trail.clone(), self.config.lifetimes);
        let found = db.write(move |tx| -> Result<_, UsersError> {
            let open =
                |row: &UserRow| row.is_live() && row.is_dev_user && row.hashed_password.is_none();
            match account::by_name(tx, &folded)?.filter(open) {
                Some(user) => admission.admit(tx, user, lifetimes, &trail).map(Some),
                None => trail.record_unknown(tx).map(|()| None).map_err(UsersError::from),
            }
        });
        found.await?.ok_or(UsersError::Credentials)
    }

    /// Exchanges a refresh token for the next pair. A token shown twice is held by two parties:
    /// the whole sign-in is revoked.
    ///
    /// # Errors
    /// [`UsersError::TokenInvalid`] or [`UsersError::TokenExpired`].
    pub async fn refresh(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        token: String,
    ) -> Result<SignedIn, UsersError> {
        let pair = Pair::fresh(ids);
        let (trail, lifetimes) = (trail.clone(), self.config.lifetimes);
        let exchanged = db.write(move |tx| -> Result<_, UsersError> {
            match token::exchange(tx, &token, &pair, lifetimes, trail.at)? {
                Exchange::Issued { user, session_id } => {
                    let (pair, expires_in_s) = (pair.clone(), lifetimes.access_s);
                    Ok(Some(SignedIn { user: *user, pair, session_id, expires_in_s }))
                }
                Exchange::Reused { user_id, session_id, revoked_tokens } => {
                    let details =
                        json!({ "session_id": session_id, "revoked_tokens": revoked_tokens });
                    trail.record(tx, Event::TokenReused, user_id, &details)?;
                    Ok(None)
                }
            }
        });
        exchanged.await?.ok_or(UsersError::TokenInvalid)
    }

    /// Changes a person's own password, which ends the other sessions; answers how many.
    ///
    /// # Errors
    /// [`UsersError::WrongPassword`], [`UsersError::NoPassword`], [`UsersError::Invalid`] or
    /// [`UsersError::TooManyAttempts`].
    pub(super) async fn change_password(
        &self,
        db: &Db,
        ids: &Ids,
        trail: &Trail,
        user_id: UserId,
        keep: Option<SessionId>,
        (current, new): (Password, Password),
    ) -> Result<usize, UsersError> {
        let user = db.read(|tx| account::load(tx, user_id))?;
        let stored = user.hashed_password.ok_or(UsersError::NoPassword)?;
        new.check_new(&[&user.username, &user.email])
            .map_err(|message| UsersError::field("new_password", message))?;
        let guessed = Guessed::name(&user.username_folded);
        let verdict = self.verify(ids, trail.at, guessed, current, Some(stored.clone())).await?;
        if !verdict.right {
            self.fail(db, trail, guessed, Some(user_id), "wrong_current_password").await?;
            return Err(UsersError::WrongPassword);
        }
        self.back_off.succeeded(guessed);
        let hashed = self.hasher.turn().await?.hash(new, ids).await?;
        let trail = trail.clone();
        db.write(move |tx| account::set_password(tx, user_id, Some(&stored), &hashed, keep, &trail))
            .await
    }
}

/// Signs a person out of one session, or of all.
pub(super) fn sign_out(
    tx: &Write<'_>,
    user_id: UserId,
    session_id: Option<SessionId>,
    everywhere: bool,
    trail: &Trail,
) -> Result<SignedOut, UsersError> {
    let ended = match everywhere {
        true => session::ids(tx, user_id)?,
        false => session_id.into_iter().collect(),
    };
    let mut revoked_tokens = 0;
    for session_id in &ended {
        revoked_tokens += token::valid_count(tx, *session_id, trail.at)?;
        session::end(tx, *session_id)?;
    }
    let all_sessions_ended = session::ids(tx, user_id)?.is_empty();
    let details = json!({ "sessions": ended, "revoked_tokens": revoked_tokens });
    trail.record(tx, Event::Logout, user_id, &details)?;
    Ok(SignedOut { revoked_tokens, all_sessions_ended })
}

/// Who sent this access token at this instant.
///
/// # Errors
/// [`UsersError::TokenInvalid`] or [`UsersError::TokenExpired`].
pub fn actor_of(tx: &impl View, token: &str, now: Time) -> Result<Actor, UsersError> {
    token::resolve(tx, token, now)
}
