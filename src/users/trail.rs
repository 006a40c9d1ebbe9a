//! What an operation leaves in the audit trail, in the commit it describes.

use crate::base::id::{EventId, UserId};
use crate::base::{Actor, Ids, Json, Time};
use crate::engine::db::{DbError, Write};
use crate::ops::audit::{self, Category, Entry, Who};
use crate::ops::event;
use std::net::IpAddr;

/// When, by whom and from where an operation is done; carries the id of its audit entry.
#[derive(Debug, Clone)]
pub struct Trail {
    event_id: EventId,
    pub(super) at: Time,
    who: Who,
}

impl Trail {
    /// The trail of one operation at one instant.
    pub fn new(ids: &Ids, at: Time, actor: &Actor, address: Option<IpAddr>) -> Self {
        Self { event_id: ids.next(at), at, who: Who::from(actor, address) }
    }

    /// The trail of a further operation in the same commit.
    pub(super) fn another(&self, ids: &Ids) -> Self {
        Self { event_id: ids.next(self.at), ..self.clone() }
    }

    /// The same trail, left by a person who was anonymous until this operation.
    pub(super) fn by(&self, user_id: UserId) -> Self {
        let who = Who { actor: user_id.to_string(), address: self.who.address.clone() };
        Self { who, ..self.clone() }
    }

    /// Records an event about an account.
    pub(super) fn record(
        &self,
        tx: &Write<'_>,
        event: Event,
        user_id: UserId,
        details: &serde_json::Value,
    ) -> Result<(), DbError> {
        self.write(tx, event, user_id.to_string(), details)
    }

    /// Records a failed sign-in under a name that no account has. The name itself is left out:
    /// people type passwords into the wrong field.
    pub(super) fn record_unknown(&self, tx: &Write<'_>) -> Result<(), DbError> {
        let details = serde_json::json!({ "reason": "unknown_name" });
        self.write(tx, Event::LoginFailed, "unknown".into(), &details)
    }

    fn write(
        &self,
        tx: &Write<'_>,
        event: Event,
        resource_id: String,
        details: &serde_json::Value,
    ) -> Result<(), DbError> {
        let (event_type, category) = event.named();
        let entry = Entry {
            event_id: self.event_id,
            at: self.at,
            actor: self.who.actor.clone(),
            event_type,
            category,
            resource_type: "user",
            resource_id,
            details: Json::from_value(details).unwrap_or_default(),
            address: self.who.address.clone(),
            success: !matches!(event, Event::LoginFailed | Event::TokenReused),
        };
        audit::record(tx, entry)
    }
}

/// Events of this room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Login,
    LoginFailed,
    Logout,
    TokenReused,
    PasswordChanged,
    AccountCreated,
    AccountUpdated,
    AccountDeleted,
    RoleAssigned,
    RoleRemoved,
}

impl Event {
    fn named(self) -> (&'static str, Category) {
        match self {
            Self::Login => (event::LOGIN, Category::Authentication),
            Self::LoginFailed => (event::LOGIN_FAILED, Category::Authentication),
            Self::Logout => (event::LOGOUT, Category::Authentication),
            Self::TokenReused => (event::TOKEN_REUSED, Category::Security),
            Self::PasswordChanged => (event::PASSWORD_CHANGED, Category::Authentication),
            Self::AccountCreated => (event::ACCOUNT_CREATED, Category::Administration),
            Self::AccountUpdated => (event::ACCOUNT_UPDATED, Category::Administration),
            Self::AccountDeleted => (event::ACCOUNT_DELETED, Category::Administration),
            Self::RoleAssigned => (event::ROLE_ASSIGNED, Category::Authorization),
            Self::RoleRemoved => (event::ROLE_REMOVED, Category::Authorization),
        }
    }
}
