//! Category 1, users: who people are and how they show it.
//!
//! **Keeps** accounts (seed 2.2), sessions and issued tokens; passwords only as Argon2id hashes and
//! tokens only as SHA-256; of a session nobody has signed in with, the network it was opened from. In
//! memory: how often a name was guessed wrongly.
//!
//! **How long** accounts until erased (deletion is soft: names stay taken, ruling 6); sessions
//! 30 minutes of idleness, 60 to 480 on request, longer only while a refresh token lives (7 days);
//! expired tokens a further day, to say so. Every read enforces these times; the sweep only cleans.
//!
//! **Who may**: everybody registers (when open) and signs in; a person reads and changes their own
//! account and sessions; an administrator all accounts. Every event of sign-in and every change is
//! in the audit trail, in the same commit.
//!
//! **Never** tells whether a name exists, but to whoever wants to take it; never stores or records
//! a typed password; never leaves the store without an administrator once it had one; never locks
//! an account for good.

pub mod account;
mod backoff;
mod error;
mod hash;
mod http;
mod name;
mod password;
mod session;
pub mod setup;
mod signin;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod token;
mod trail;

pub use account::{Application, Profile, create_admin, display_name, profile};
pub use error::UsersError;
pub use hash::{HashCost, Hasher};
pub use http::{Doc, authenticate, pages, routes};
pub use password::Password;
pub use signin::{Credentials, SignIn, SignedIn, actor_of};
pub use sweep::sweep;
pub use trail::Trail;

use crate::engine::db::Schema;

/// How people get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether anybody may make an account.
    pub registration: bool,
    /// Whether development accounts, which have no password, can be made and used.
    pub dev_login: bool,
    /// How long tokens live.
    pub lifetimes: Lifetimes,
    /// Cost of a password hash.
    pub hash: HashCost,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            registration: true,
            dev_login: false,
            lifetimes: Lifetimes::default(),
            hash: HashCost::default(),
        }
    }
}

/// How long tokens live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access tokens.
    pub access_s: u32,
    /// Refresh tokens.
    pub refresh_s: u32,
}

impl Default for Lifetimes {
    /// 15 minutes and 7 days (reference-facts 8.3).
    fn default() -> Self {
        Self { access_s: 900, refresh_s: 604_800 }
    }
}

/// Adds the tables of this room.
#[must_use]
pub fn schema(schema: Schema) -> Schema {
    schema.with::<tables::UserRow>().with::<tables::SessionRow>().with::<tables::TokenRow>()
}
