//! What one record says, whatever the format of its line.

use super::level::Level;
use std::borrow::Cow;

/// One record as a line, a JSON object or a row of columns tells it; borrowed from the text where
/// nothing had to be unescaped. Empty strings stand for what is not named.
#[derive(Debug, Clone, Default)]
pub(super) struct Told<'a> {
    /// Microseconds since 1970.
    pub(super) time_us: Option<i64>,
    /// Severity.
    pub(super) level: Level,
    /// Machine.
    pub(super) host: Cow<'a, str>,
    /// Program, logger or component.
    pub(super) service: Cow<'a, str>,
    /// Process or thread.
    pub(super) pid: Cow<'a, str>,
    /// The message.
    pub(super) message: Cow<'a, str>,
    /// A stack trace that the record carries in a field of its own.
    pub(super) stack: Option<Cow<'a, str>>,
    /// An HTTP request, if the record is about one.
    pub(super) request: Option<Request<'a>>,
    /// Trace id.
    pub(super) trace_id: Cow<'a, str>,
}

/// An HTTP request and its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Request<'a> {
    /// Method.
    pub(super) method: Cow<'a, str>,
    /// Path, perhaps with a query.
    pub(super) path: Cow<'a, str>,
    /// Status code.
    pub(super) status: Option<u16>,
    /// Duration in milliseconds.
    pub(super) duration_ms: Option<f64>,
}

impl Request<'_> {
    /// Path without query and fragment.
    pub(super) fn bare_path(&self) -> &str {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        // Load balancers and proxies log the whole URL.
        match path.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None if path.is_empty() => "/",
            None => path,
        }
    }

    /// What happened, as a message: method, path, status.
    pub(super) fn message(&self) -> String {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.method, self.bare_path())
    }

    /// Method and status, the part of a request's signature that is never a value.
    pub(super) fn label(&self) -> String {
        match self.status {
            Some(status) => format!("{}[{status}]", self.method),
            None => format!("{}[-]", self.method),
        }
    }

    /// The segments of the path as words, so that grouping can find which of them are values.
    pub(super) fn segments(&self) -> String {
        self.bare_path().replace('/', " ")
    }
}
