//! What can go wrong with accounts, sign-in and sessions, and what a caller is told of it.

use crate::base::{Class, Classify, FieldError};
use crate::engine::db::DbError;

/// A failure of this room. No variant tells whether a name exists, but for the refusal of a name
/// that somebody wants to take.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Fields of the request break the rules.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldError>),
    /// Another account, perhaps a deleted one, has this username in some spelling.
    #[error("this username is taken")]
    UsernameTaken,
    /// Another account, perhaps a deleted one, has this e-mail in some spelling.
    #[error("this e-mail is taken")]
    EmailTaken,
    /// Name or password is wrong, or the account may not sign in.
    #[error("the name or the password is wrong")]
    Credentials,
    /// The current password given with a change is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The account signs in without a password, so there is none to change.
    #[error("this account has no password")]
    NoPassword,
    /// Too many wrong guesses in a row.
    #[error("too many failed attempts; try again in {retry_after_s} s")]
    TooManyAttempts {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// More sign-ins wait than the server can hash in about a second.
    #[error("too many people sign in at this moment")]
    Busy,
    /// The token is unknown, used up or of another kind.
    #[error("the token is not valid")]
    TokenInvalid,
    /// The token was valid once.
    #[error("the token is no longer valid; refresh it or sign in")]
    TokenExpired,
    /// Self-registration is switched off.
    #[error("registration is closed; an administrator makes accounts")]
    RegistrationClosed,
    /// Development sign-in is switched off.
    #[error("there is nothing at this address")]
    DevLoginOff,
    /// The setup token is wrong or was replaced at the last start.
    #[error("the setup token is not valid; the newest one is in the server's log")]
    SetupToken,
    /// An administrator exists, so there is nothing to set up.
    #[error("the server is set up already")]
    SetupDone,
    /// No such account, or none that the caller may know of.
    #[error("there is no such user")]
    UserMissing,
    /// No such session, or none that the caller may know of.
    #[error("there is no such session")]
    SessionMissing,
    /// The caller may see the account but not change this of it.
    #[error("only an administrator may do this")]
    AdminOnly,
    /// The change would leave no administrator who can sign in.
    #[error("the last administrator must stay one")]
    LastAdmin,
    /// Somebody changed the account since the client read it.
    #[error("version {expected} was expected and version {actual} was found")]
    Version {
        /// The version the client named.
        expected: u64,
        /// The version there is.
        actual: u64,
    },
    /// A password hash could not be computed.
    #[error("hashing failed: {0}")]
    Hash(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

fn list(fields: &[FieldError]) -> String {
    let each: Vec<String> = fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
    each.join("; ")
}

impl UsersError {
    /// One wrong field.
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// Seconds after which the same request may succeed, for `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts { retry_after_s } => Some(*retry_after_s),
            Self::Busy => Some(1),
            _ => None,
        }
    }
}

impl Classify for UsersError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Invalid(_) => (Class::Invalid, "invalid_field"),
            Self::UsernameTaken => (Class::Conflict, "username_taken"),
            Self::EmailTaken => (Class::Conflict, "email_taken"),
            Self::Credentials => (Class::Unauthenticated, "invalid_credentials"),
            Self::WrongPassword => (Class::Invalid, "wrong_password"),
            Self::NoPassword => (Class::Conflict, "no_password"),
            Self::TooManyAttempts { .. } => (Class::TooMany, "too_many_attempts"),
            Self::Busy => (Class::Unavailable, "sign_in_busy"),
            Self::TokenInvalid => (Class::Unauthenticated, "token_invalid"),
            Self::TokenExpired => (Class::Unauthenticated, "token_expired"),
            Self::RegistrationClosed => (Class::Denied, "registration_closed"),
            Self::DevLoginOff => (Class::Missing, "not_found"),
            Self::SetupToken => (Class::Denied, "setup_token_invalid"),
            Self::SetupDone => (Class::Missing, "setup_done"),
            Self::UserMissing => (Class::Missing, "user_missing"),
            Self::SessionMissing => (Class::Missing, "session_missing"),
            Self::AdminOnly => (Class::Denied, "role_required"),
            Self::LastAdmin => (Class::Conflict, "last_admin"),
            Self::Version { .. } => (Class::Precondition, "version_mismatch"),
            Self::Hash(_) => (Class::Broken, "internal"),
            Self::Storage(error) => error.class(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let one = |field: &str| vec![FieldError::new(field, self.to_string())];
        match self {
            Self::Invalid(fields) => fields.clone(),
            Self::UsernameTaken => one("username"),
            Self::EmailTaken => one("email"),
            Self::WrongPassword => one("current_password"),
            _ => Vec::new(),
        }
    }
}
