//! The one shape of every error: problem details (RFC 9457).

use crate::base::{Class, Classify, FieldError};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue, TryIntoHeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;

/// What a handler gives back.
pub type Answer = Result<HttpResponse, Failure>;

/// Media type of an error (RFC 9457, 3).
const PROBLEM_JSON: &str = "application/problem+json";
/// Header that repeats the code; existing clients read it.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// Seconds after which an unavailable server is worth asking again, unless a failure knows better.
const RETRY_AFTER_S: &str = "5";
/// Seconds after which a full disk is worth asking again: somebody has to make room.
const RETRY_WHEN_FULL_S: &str = "30";
/// What a client learns of a failure of ours.
const OUR_FAULT: &str = "the server failed to do this; the request id finds the cause in its log";

/// An error as a client sees it, with the headers and the cause that belong to it.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fields: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log, never for the client.
    cause: Option<String>,
    request_id: Option<String>,
}

/// The body of an error answer (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem<'a> {
    /// Names the kind of problem: `urn:faultmaven:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for a person.
    pub detail: &'a str,
    /// What happened, for a program; stable.
    pub code: &'a str,
    /// Finds the request in the server's log.
    pub request_id: Option<&'a str>,
    /// The wrong fields, when the status is 422.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    pub errors: &'a [FieldError],
}

/// The status of each class.
fn status_of(class: Class) -> StatusCode {
    match class {
        Class::Malformed => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Denied => StatusCode::FORBIDDEN,
        Class::Missing => StatusCode::NOT_FOUND,
        Class::Gone => StatusCode::GONE,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Precondition => StatusCode::PRECONDITION_FAILED,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Class::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Class::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Class::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Full => StatusCode::INSUFFICIENT_STORAGE,
    }
}

impl Failure {
    /// A failure of a class. The detail of a [`Class::Broken`] goes to the log, not to the client.
    pub fn new(class: Class, code: &'static str, detail: impl Into<String>) -> Self {
        let failure = Self::with_status(status_of(class), code, detail);
        match class {
            Class::Broken => failure.hidden(),
            Class::Unauthenticated => failure.with_header(header::WWW_AUTHENTICATE, "Bearer"),
            Class::Unavailable => failure.with_header(header::RETRY_AFTER, RETRY_AFTER_S),
            Class::Full => failure.with_header(header::RETRY_AFTER, RETRY_WHEN_FULL_S),
            _ => failure,
        }
    }

    /// A failure whose status no class has: 405, 414, 431 and what the HTTP library finds.
    pub(super) fn with_status(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            fields: Vec::new(),
            headers: Vec::new(),
            cause: None,
            request_id: None,
        }))
    }

    /// One wrong field (422).
    pub fn invalid(
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let error = FieldError::new(field, message);
        let detail = format!("{}: {}", error.field, error.message);
        Self::new(Class::Invalid, code, detail).with_fields(vec![error])
    }

    /// A failure of ours: `cause` is logged once, the client learns only that it happened.
    pub(super) fn broken(cause: impl Into<String>) -> Self {
        Self::new(Class::Broken, "internal", cause)
    }

    /// Names the wrong fields.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    /// Sets a header of the answer; a value that is no header value is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: impl TryIntoHeaderValue) -> Self {
        if let Ok(value) = value.try_into_value() {
            self.0.headers.retain(|(known, _)| *known != name);
            self.0.headers.push((name, value));
        }
        self
    }

    /// Stamps the request's id.
    #[must_use]
    pub(super) fn of_request(mut self, request_id: &str) -> Self {
        self.0.request_id = Some(request_id.to_owned());
        self
    }

    /// The same failure again: the HTTP library lends an error and does not give it.
    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Moves the detail to the cause.
    fn hidden(mut self) -> Self {
        let inner = &mut *self.0;
        inner.cause = Some(std::mem::replace(&mut inner.detail, OUR_FAULT.into()));
        if inner.code != "storage" {
            inner.code = "internal";
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the client reads.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The wrong fields.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// What the log is told, for a failure of ours.
    pub(super) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The headers that belong to this failure.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The body, with `request_id` unless one is stamped already.
    pub(super) fn body(&self, request_id: Option<&str>) -> String {
        let inner = &*self.0;
        let problem = Problem {
            kind: format!("urn:faultmaven:problem:{}", inner.code),
            title: inner.status.canonical_reason().unwrap_or("Error"),
            status: inner.status.as_u16(),
            detail: &inner.detail,
            code: inner.code,
            request_id: inner.request_id.as_deref().or(request_id),
            errors: &inner.fields,
        };
        serde_json::to_string(&problem).unwrap_or_default()
    }

    /// The headers of every error answer: type and code.
    pub(super) fn marks(&self) -> [(HeaderName, HeaderValue); 2] {
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)),
            (ERROR_CODE, HeaderValue::from_static(self.0.code)),
        ]
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl<E: Classify> From<E> for Failure {
    fn from(error: E) -> Self {
        let (class, code) = error.class();
        let detail = match class {
            Class::Broken => chain(&error),
            _ => error.to_string(),
        };
        Self::new(class, code, detail).with_fields(error.fields())
    }
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.0.status);
        for header in self.marks() {
            answer.insert_header(header);
        }
        for (name, value) in self.headers() {
            answer.append_header((name.clone(), value.clone()));
        }
        answer.body(self.body(None))
    }
}
