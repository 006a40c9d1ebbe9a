//! Who acts: the identity every permission decision starts from.

use super::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};

/// Platform roles (seed 2.2, 16.2).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Own data and what others share.
    User,
    /// Full access; each access to another person's data is audited.
    Admin,
    /// Read-only on all cases; audited.
    Analyst,
}

impl Role {
    /// The role's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Analyst => "analyst",
        }
    }
}

/// The identity behind a request or a background job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody is signed in.
    Anonymous,
    /// A signed-in person.
    User {
        /// The account.
        user_id: UserId,
        /// Platform roles at the time of the request.
        roles: Vec<Role>,
        /// The session the token belongs to, when there is one.
        session_id: Option<SessionId>,
    },
    /// The program itself; the text says which part and why (shown in the audit trail).
    System(&'static str),
}

impl Actor {
    /// The account behind the actor, if it is a person.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { user_id, .. } => Some(*user_id),
            Self::Anonymous | Self::System(_) => None,
        }
    }

    /// Whether the actor holds a platform role.
    pub fn has(&self, role: Role) -> bool {
        matches!(self, Self::User { roles, .. } if roles.contains(&role))
    }

    /// How the actor is named in audit entries and `created_by` fields.
    pub fn label(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".into(),
            Self::User { user_id, .. } => user_id.to_string(),
            Self::System(part) => format!("system:{part}"),
        }
    }
}
