//! The kinds of audit event (reference facts 1.2), and those this server adds.

use serde::{Deserialize, Serialize};

/// What an audit event is about (reference facts 1.2).
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
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Signing in and out.
    Authentication,
    /// Roles and permissions.
    Authorization,
    /// Reading and writing what people store.
    DataAccess,
    /// Organizations, teams and the server.
    Administration,
    /// What may be an attack.
    Security,
}

impl Category {
    /// The category's name on the wire and in the hash of an entry; never changed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::DataAccess => "data_access",
            Self::Administration => "administration",
            Self::Security => "security",
        }
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: &str = $text;
    )*};
}

events! {
    /// Somebody signed in.
    LOGIN "login";
    /// Somebody signed out.
    LOGOUT "logout";
    /// Somebody failed to sign in.
    LOGIN_FAILED "login_failed";
    /// A password was changed.
    PASSWORD_CHANGED "password_changed";
    /// An e-mail address was confirmed.
    EMAIL_VERIFIED "email_verified";
    /// An account was made.
    ACCOUNT_CREATED "account_created";
    /// An account was changed.
    ACCOUNT_UPDATED "account_updated";
    /// An account was deleted.
    ACCOUNT_DELETED "account_deleted";
    /// A person's data was erased.
    ACCOUNT_ERASED "account_erased";
    /// A person's data was exported.
    ACCOUNT_EXPORTED "account_exported";
    /// A refresh token was used twice; its family is revoked.
    TOKEN_REUSED "token_reused";
    /// An API key was made.
    API_KEY_CREATED "api_key_created";
    /// An API key was revoked.
    API_KEY_REVOKED "api_key_revoked";
    /// A role was given.
    ROLE_ASSIGNED "role_assigned";
    /// A role was taken.
    ROLE_REMOVED "role_removed";
    /// A permission was given.
    PERMISSION_GRANTED "permission_granted";
    /// A permission was taken.
    PERMISSION_REVOKED "permission_revoked";
    /// A case was opened.
    CASE_CREATED "case_created";
    /// A case was read by somebody whose platform role allows it.
    CASE_VIEWED "case_viewed";
    /// A case was changed.
    CASE_UPDATED "case_updated";
    /// A case was deleted.
    CASE_DELETED "case_deleted";
    /// A case was shared, or the share was changed.
    CASE_SHARED "case_shared";
    /// A share of a case was taken back.
    CASE_UNSHARED "case_unshared";
    /// A file was uploaded to a case.
    FILE_UPLOADED "file_uploaded";
    /// The unredacted content of a file was read.
    FILE_CONTENT_READ "file_content_read";
    /// A file was deleted.
    FILE_DELETED "file_deleted";
    /// A document was added to a knowledge base.
    KB_DOCUMENT_UPLOADED "kb_document_uploaded";
    /// A document of a knowledge base was read by somebody whose platform role allows it.
    KB_DOCUMENT_VIEWED "kb_document_viewed";
    /// A document of a knowledge base was changed.
    KB_DOCUMENT_UPDATED "kb_document_updated";
    /// A document of a knowledge base was deleted.
    KB_DOCUMENT_DELETED "kb_document_deleted";
    /// A document of a knowledge base was shared, or the share was changed.
    KB_DOCUMENT_SHARED "kb_document_shared";
    /// A report was generated.
    REPORT_GENERATED "report_generated";
    /// A report was deleted.
    REPORT_DELETED "report_deleted";
    /// An organization was made.
    ORG_CREATED "org_created";
    /// The settings of an organization were changed.
    ORG_SETTINGS_CHANGED "org_settings_changed";
    /// A team was made.
    TEAM_CREATED "team_created";
    /// Somebody joined a team.
    TEAM_MEMBER_ADDED "team_member_added";
    /// Somebody left a team.
    TEAM_MEMBER_REMOVED "team_member_removed";
    /// A backup was made.
    BACKUP_CREATED "backup_created";
    /// The master key was replaced.
    KEY_ROTATED "key_rotated";
    /// The whole store was verified.
    STORE_CHECKED "store_checked";
    /// The store file was compacted.
    STORE_COMPACTED "store_compacted";
    /// The search index was built again.
    STORE_REINDEXED "store_reindexed";
    /// Somebody began to follow the changes of the store.
    CHANGES_READ "changes_read";
    /// A consumer of changes was forgotten.
    CHANGES_FORGOTTEN "changes_forgotten";
    /// A retention run deleted what had expired.
    RETENTION_RUN "retention_run";
}
