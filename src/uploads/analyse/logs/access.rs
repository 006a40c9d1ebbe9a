//! HTTP access logs: common and combined format, AWS load balancers, and logs with named columns
//! (W3C extended format of IIS and others, Zeek).

use super::level::Level;
use super::record::{Request, Told};
use super::timestamp::{self, Calendar};
use memchr::memmem::Finder;
use std::sync::LazyLock;

static PROTOCOL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" HTTP/"));

/// Reads a line of the common or combined log format, or of an AWS load balancer.
pub(super) fn tell<'a>(line: &'a str, calendar: &mut Calendar) -> Option<Told<'a>> {
    let protocol = PROTOCOL.find(line.as_bytes())?;
    let open = line.get(..protocol)?.rfind('"')?;
    let close = protocol + line.get(protocol..)?.find('"')?;
    let mut words = line.get(open + 1..protocol)?.splitn(2, ' ');
    let (method, path) = (words.next()?, words.next()?);
    if !(3..=7).contains(&method.len()) || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let before = line.get(..open)?;
    let after = line.get(close + 1..)?;
    let mut request = Request { method: method.into(), path: path.into(), ..Request::default() };
    let mut told = match before.rfind('[') {
        Some(bracket) => {
            let status = after.split_ascii_whitespace().next()?;
            request.status = Some(status.parse().ok().filter(|s| (100..600).contains(s))?);
            let stamp = timestamp::parse(before.get(bracket + 1..)?.as_bytes())?;
            Told { time_us: Some(calendar.settle(stamp)), ..Told::default() }
        }
        None => balancer(before, &mut request, calendar)?,
    };
    told.level = request.status.map(Level::from_http_status).unwrap_or_default();
    told.message = request.message().into();
    told.request = Some(request);
    Some(told)
}

/// `https 2023-04-26T12:22:55.463821Z app/... client target 0.086 0.048 0.037 200 200 ...`
fn balancer<'a>(
    before: &'a str,
    request: &mut Request<'a>,
    calendar: &mut Calendar,
) -> Option<Told<'a>> {
    let words: Vec<&str> = before.split_ascii_whitespace().take(16).collect();
    let at = words.iter().position(|word| timestamp::parse(word.as_bytes()).is_some())?;
    let stamp = timestamp::parse(words.get(at)?.as_bytes())?;
    let waits = words.get(at + 4..at + 7)?;
    let seconds: f64 =
        waits.iter().filter_map(|wait| wait.parse::<f64>().ok()).filter(|s| *s > 0.0).sum();
    request.status = words.get(at + 7)?.parse().ok();
    request.status?;
    request.duration_ms = Some(seconds * 1000.0);
    Some(Told {
        time_us: Some(calendar.settle(stamp)),
        service: (*words.get(at + 1)?).into(),
        ..Told::default()
    })
}

/// Columns that a `#Fields:` line named.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    names: Vec<String>,
    tab: bool,
}

/// Most columns that are read.
const COLUMNS_MAX: usize = 100;

impl Columns {
    /// The columns that a header line of the W3C format or of Zeek names.
    pub(super) fn from_header(line: &str) -> Option<Self> {
        let (names, tab) = match line.strip_prefix("#Fields:") {
            Some(names) => (names, false),
            None => (line.strip_prefix("#fields\t")?, true),
        };
        let names = names.split(if tab { '\t' } else { ' ' }).filter(|name| !name.is_empty());
        Some(Self { names: names.take(COLUMNS_MAX).map(str::to_owned).collect(), tab })
    }

    /// Reads a row, or `None` when it has fewer columns than were named.
    pub(super) fn tell<'a>(&self, line: &'a str, calendar: &mut Calendar) -> Option<Told<'a>> {
        let cells = if self.tab { line.split('\t').collect() } else { quoted_cells(line) };
        if cells.len() < self.names.len() {
            return None;
        }
        let cell = |name: &str| {
            let at = self.names.iter().position(|each| each == name)?;
            cells.get(at).copied().filter(|cell| !matches!(*cell, "-" | "" | "(empty)"))
        };
        let stamp = match (cell("date"), cell("time")) {
            (Some(date), Some(time)) => timestamp::parse(format!("{date} {time}").as_bytes()),
            _ => None,
        };
        let time_us = match stamp {
            Some(stamp) => Some(calendar.settle(stamp)),
            None => cell("ts").and_then(|ts| ts.parse().ok()).and_then(timestamp::epoch_us),
        };
        let status =
            ["sc-status", "status_code", "x-edge-result-status"].iter().find_map(|name| cell(name));
        let request =
            ["cs-method", "method"].iter().find_map(|name| cell(name)).map(|method| Request {
                method: method.into(),
                path: ["cs-uri-stem", "cs-uri", "uri"]
                    .iter()
                    .find_map(|name| cell(name))
                    .unwrap_or_default()
                    .into(),
                status: status.and_then(|status| status.parse().ok()),
                duration_ms: cell("time-taken").and_then(|taken| taken.parse().ok()),
            });
        let level = request.as_ref().and_then(|r| r.status).map(Level::from_http_status);
        let message = match &request {
            Some(request) => request.message().into(),
            None => line.into(),
        };
        Some(Told {
            time_us,
            level: level.unwrap_or(Level::Unknown),
            host: ["s-computername", "s-ip", "host", "cs-host"]
                .iter()
                .find_map(|name| cell(name))
                .unwrap_or_default()
                .into(),
            message,
            request,
            ..Told::default()
        })
    }
}

/// Cells between spaces; quotes keep spaces together.
fn quoted_cells(line: &str) -> Vec<&str> {
    let mut cells = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && cells.len() <= COLUMNS_MAX {
        let (cell, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        cells.push(cell);
        rest = tail.trim_start();
    }
    cells
}
