//! The server's own log: text for people, JSON for machines; never a secret, by what is passed in.

use super::error::OpsError;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Libraries that say much at `info`; a filter that names them wins over this.
const QUIET: &str = "actix_server=warn,actix_http=warn,mio=warn,tantivy=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Colours in text.
    pub colour: bool,
}

impl Style {
    /// Text in front of a person, JSON otherwise; colours unless `NO_COLOR` is set.
    pub fn of(is_terminal: bool, no_color: bool) -> Self {
        Self { json: !is_terminal, colour: is_terminal && !no_color }
    }
}

/// Starts the log of this process on standard error. `filter` is a level (`info`) or directives
/// (`info,faultmaven::search=debug`).
///
/// # Errors
/// [`OpsError::LogFilter`] when the filter does not parse, [`OpsError::LogStarted`] the second
/// time.
pub fn init(filter: &str, style: Style) -> Result<(), OpsError> {
    subscriber(filter, style, std::io::stderr)?.try_init().map_err(|_| OpsError::LogStarted)
}

/// A log that goes to `writer`.
///
/// # Errors
/// [`OpsError::LogFilter`] when the filter does not parse.
pub fn subscriber<W>(
    filter: &str,
    style: Style,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, OpsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .map_err(|error| OpsError::LogFilter(error.to_string()))?;
    let lines = fmt::layer().with_writer(writer).with_ansi(style.colour);
    let lines = if style.json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.with_target(false).boxed()
    };
    Ok(tracing_subscriber::registry().with(filter).with(lines))
}
