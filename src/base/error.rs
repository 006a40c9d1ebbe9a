//! What a failure means to the caller, independent of the room it came from.

use serde::Serialize;

/// The caller's view of a failure; `web` maps each class to exactly one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request cannot be parsed at all (400).
    Malformed,
    /// Nobody, or nobody valid, is signed in (401).
    Unauthenticated,
    /// The caller may see the thing but not do this to it (403).
    Denied,
    /// The thing does not exist, or the caller may not know that it does (404).
    Missing,
    /// It was there and will not come back (410).
    Gone,
    /// The state of the thing forbids the request (409).
    Conflict,
    /// `If-Match` names another version (412).
    Precondition,
    /// The body is larger than the limit (413).
    TooLarge,
    /// The media type is not accepted (415).
    Unsupported,
    /// The request parses but a field is wrong (422).
    Invalid,
    /// The caller must slow down (429).
    TooMany,
    /// Our fault; the cause goes to the log, never to the client (500).
    Broken,
    /// The server is not able to serve this now (503).
    Unavailable,
    /// The disk is too full to accept writes (507).
    Full,
}

/// One wrong field of a request: its path in the body or query, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field, for example `tags[2]`.
    pub field: String,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
}

impl FieldError {
    /// Names a wrong field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Gives an error its [`Class`] and stable machine-readable code.
pub trait Classify: std::error::Error {
    /// The class and the code, for example `(Class::Missing, "case_missing")`.
    fn class(&self) -> (Class, &'static str);

    /// The wrong fields, for [`Class::Invalid`].
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }
}
