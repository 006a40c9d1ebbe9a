//! Records written as JSON objects: any logger's names for time, level, message and the rest.

use super::level::Level;
use super::record::{Request, Told};
use super::timestamp::{self, Calendar};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Most keys of an object that make up the message of a record without one.
const KEYS_IN_MESSAGE_MAX: usize = 8;

/// How far into a message an object may start, in bytes.
const OBJECT_OFFSET_MAX: usize = 64;

const TIMES: &[&str] = &[
    "time",
    "ts",
    "timestamp",
    "@timestamp",
    "t",
    "datetime",
    "date",
    "eventTime",
    "@t",
    "_time",
    "asctime",
    "time_local",
    "time_iso8601",
    "start_time",
    "started_at",
    "StartUTC",
    "EdgeStartTimestamp",
    "timeUnixNano",
    "time_unix_nano",
    "observedTimeUnixNano",
    "observed_time_unix_nano",
    "created_at",
    "epoch",
];
const LEVELS: &[&str] = &[
    "level",
    "lvl",
    "severity",
    "log.level",
    "levelname",
    "loglevel",
    "log_level",
    "severityText",
    "severity_text",
    "@l",
    "priority",
];
const MESSAGES: &[&str] = &[
    "msg",
    "message",
    "@m",
    "@mt",
    "short_message",
    "log",
    "MESSAGE",
    "textPayload",
    "event",
    "eventName",
    "text",
    "body",
    "error",
];
const SERVICES: &[&str] = &[
    "logger",
    "service",
    "service.name",
    "logger_name",
    "loggerName",
    "name",
    "app",
    "component",
    "target",
    "module",
    "program",
    "c",
    "eventSource",
];
const HOSTS: &[&str] = &["host", "hostname", "host.name", "node", "cluster_name"];
const PIDS: &[&str] = &["pid", "process", "process.pid", "ctx", "thread", "threadName"];
const TRACES: &[&str] = &["trace_id", "traceId", "trace.id", "traceID", "traceparent", "TraceId"];
const STACKS: &[&str] = &[
    "stack",
    "stacktrace",
    "stack_trace",
    "exception",
    "error.stack_trace",
    "exc_info",
    "traceback",
    "err",
    "error",
    "stackTrace",
    "exception.stacktrace",
];
const STATUSES: &[&str] = &[
    "status",
    "status_code",
    "statusCode",
    "DownstreamStatus",
    "EdgeResponseStatus",
    "response_code",
    "http.status_code",
    "http.response.status_code",
    "resp_status",
    "response_status",
];
const METHODS: &[&str] = &[
    "method",
    "request_method",
    "RequestMethod",
    "ClientRequestMethod",
    "http.method",
    "http.request.method",
];
const PATHS: &[&str] = &[
    "path",
    "uri",
    "url",
    "RequestPath",
    "ClientRequestURI",
    "request_uri",
    "http.target",
    "url.path",
    "x-envoy-original-path",
    ":path",
];
/// Names of durations and milliseconds in one of their units.
const DURATIONS: &[(&str, f64)] = &[
    ("duration_ms", 1.0),
    ("durationMillis", 1.0),
    ("durationMs", 1.0),
    ("responseTime", 1.0),
    ("response_time_ms", 1.0),
    ("latency_ms", 1.0),
    ("elapsed_ms", 1.0),
    ("duration_s", 1000.0),
    ("request_time", 1000.0),
    ("Duration", 1e-6),
    ("elapsed", 1.0),
];

/// Reads a line that is one JSON object, or `None` when it is not.
pub(super) fn parse_line(line: &str) -> Option<Map<String, Value>> {
    let trimmed = line.trim().trim_end_matches(',');
    if !trimmed.starts_with('{') || !trimmed.ends_with('}') {
        return None;
    }
    serde_json::from_str(trimmed).ok()
}

/// The JSON object that ends a message and starts within its first words.
pub(super) fn at_end(message: &str) -> Option<&str> {
    let trimmed = message.trim_ascii_end();
    if !trimmed.ends_with('}') {
        return None;
    }
    let start = trimmed.bytes().take(OBJECT_OFFSET_MAX).position(|b| b == b'{')?;
    let object = trimmed.get(start..)?;
    let quoted = object.get(1..)?.trim_ascii_start().starts_with('"');
    // Words before the object are its message, unless there is next to nothing.
    let bare = message.get(..start)?.split_ascii_whitespace().count() <= 1;
    (quoted && bare && parse_line(object).is_some()).then_some(object)
}

/// What an object tells.
pub(super) fn tell(object: &Map<String, Value>, calendar: &mut Calendar) -> Told<'static> {
    let inner = ["@fields", "fields", "log", "attr", "error", "err"]
        .map(|key| object.get(key).and_then(Value::as_object));
    let [at_fields, fields, log, attributes, error, err] = inner;
    let nested = [Some(object), at_fields, fields, log, attributes];
    let find = |names: &[&str]| -> Option<&Value> {
        nested.iter().flatten().find_map(|map| names.iter().find_map(|name| map.get(*name)))
    };
    let text = |names: &[&str]| -> Option<String> {
        nested
            .iter()
            .flatten()
            .find_map(|map| names.iter().find_map(|name| map.get(*name).and_then(scalar)))
    };
    let mut told = Told {
        time_us: find(TIMES).and_then(|value| time(value, calendar)),
        level: level(object, find(LEVELS)),
        host: text(HOSTS).unwrap_or_default().into(),
        service: text(SERVICES).unwrap_or_default().into(),
        pid: text(PIDS).unwrap_or_default().into(),
        trace_id: text(TRACES).map(trace_id).unwrap_or_default().into(),
        request: request(object),
        ..Told::default()
    };
    told.stack = [Some(object), error, err, at_fields, fields]
        .iter()
        .flatten()
        .find_map(|map| {
            STACKS.iter().find_map(|name| map.get(*name)?.as_str().filter(|s| s.contains('\n')))
        })
        .map(|stack| Cow::Owned(stack.to_owned()));
    let status = told.request.as_ref().and_then(|request| request.status);
    let failed = !object.get("errorCode").is_none_or(Value::is_null)
        || object.get("success") == Some(&Value::Bool(false));
    if told.level == Level::Unknown {
        told.level = match status {
            Some(status) => Level::from_http_status(status),
            None if failed => Level::Warn,
            None => Level::Unknown,
        };
    }
    if told.pid.len() > 40 {
        told.pid = Cow::Borrowed("");
    }
    told.message = match text(MESSAGES).filter(|message| !message.trim().is_empty()) {
        Some(message) => super::text::plain(message).into(),
        None => match &told.request {
            Some(request) => request.message().into(),
            None => skeleton(object).into(),
        },
    };
    told
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The 32 hex digits of a trace id, also out of a W3C `traceparent`.
fn trace_id(text: String) -> String {
    match text.split('-').nth(1) {
        Some(id) if text.starts_with("00-") && id.len() == 32 => id.to_owned(),
        _ => text,
    }
}

fn time(value: &Value, calendar: &mut Calendar) -> Option<i64> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse::<f64>() {
                return timestamp::epoch_us(number);
            }
            timestamp::parse(text.trim_start_matches('[').as_bytes())
                .map(|stamp| calendar.settle(stamp))
        }
        Value::Number(number) => number.as_f64().and_then(timestamp::epoch_us),
        // MongoDB: {"$date": "..."}
        Value::Object(map) => map.get("$date").and_then(|inner| match inner {
            Value::Object(_) => None,
            other => time(other, calendar),
        }),
        _ => None,
    }
}

fn level(object: &Map<String, Value>, named: Option<&Value>) -> Level {
    let by_number = |value: &Value| value.as_i64().and_then(Level::from_number);
    let by_word = |value: &Value| {
        let word = value.as_str()?.trim();
        Level::from_word(word.as_bytes())
            .or_else(|| word.parse().ok().and_then(Level::from_number))
            .or_else(|| {
                Level::from_word(word.trim_end_matches(|c: char| c.is_ascii_digit()).as_bytes())
            })
            .or_else(|| match word.as_bytes() {
                [letter] => Level::from_letter(letter.to_ascii_uppercase()),
                _ => None,
            })
    };
    if let Some(level) = named.and_then(|value| by_word(value).or_else(|| by_number(value))) {
        return level;
    }
    let otel = ["severityNumber", "severity_number", "SeverityNumber"];
    let number = otel.iter().find_map(|name| object.get(*name)?.as_i64());
    if let Some(level) = number.and_then(Level::from_otel) {
        return level;
    }
    // MongoDB names the severity "s" beside the component "c".
    match (object.get("s").and_then(Value::as_str), object.get("c")) {
        (Some(letter), Some(_)) if letter.len() == 1 => {
            letter.bytes().next().and_then(Level::from_letter).unwrap_or_default()
        }
        (Some(letter), Some(_)) if letter.starts_with('D') => Level::Debug,
        _ => Level::Unknown,
    }
}

fn request(object: &Map<String, Value>) -> Option<Request<'static>> {
    let part = |name: &str| object.get(name).and_then(Value::as_object);
    let http = part("http");
    let places = [
        Some(object),
        part("request"),
        part("req"),
        part("response"),
        part("res"),
        http,
        http.and_then(|map| map.get("request")).and_then(Value::as_object),
        http.and_then(|map| map.get("response")).and_then(Value::as_object),
    ];
    let find = |names: &[&str]| {
        places.iter().flatten().find_map(|map| names.iter().find_map(|name| map.get(*name)))
    };
    let status = find(STATUSES).and_then(|value| match value {
        Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let method = find(METHODS).and_then(Value::as_str).unwrap_or_default();
    let is_method =
        (3..=7).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase());
    let path = find(PATHS).and_then(Value::as_str).unwrap_or_default();
    let status = status.filter(|status| (100..600).contains(status));
    if !is_method || (status.is_none() && path.is_empty()) {
        return None;
    }
    Some(Request {
        method: method.to_owned().into(),
        path: path.to_owned().into(),
        status,
        duration_ms: duration_ms(object),
    })
}

fn duration_ms(object: &Map<String, Value>) -> Option<f64> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    for (name, factor) in DURATIONS {
        if let Some(value) = object.get(*name).and_then(number) {
            return Some(value * factor);
        }
    }
    // "duration" is seconds when written with a fraction (Caddy), milliseconds otherwise (Envoy).
    match object.get("duration")? {
        Value::Number(n) if n.is_f64() => n.as_f64().map(|seconds| seconds * 1000.0),
        value => number(value),
    }
}

/// The message of an object without one: its first keys and short values.
fn skeleton(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (key, value) in object {
        let value = match value {
            Value::String(text) if text.len() <= 40 => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => continue,
        };
        if TIMES.contains(&key.as_str()) {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(&value);
        if text.bytes().filter(|b| *b == b'=').count() >= KEYS_IN_MESSAGE_MAX {
            break;
        }
    }
    text
}

/// The records of a document that is one JSON value: an array of objects, CloudTrail's `Records`,
/// or OpenTelemetry's export. With the text of each, from which its lines follow.
pub(super) fn document(text: &str) -> Option<Vec<&RawValue>> {
    #[derive(Deserialize)]
    struct Records<'a> {
        #[serde(borrow, rename = "Records")]
        records: Vec<&'a RawValue>,
    }
    match text.trim_start().as_bytes().first()? {
        b'[' => serde_json::from_str::<Vec<&RawValue>>(text).ok(),
        b'{' => match serde_json::from_str::<Records<'_>>(text) {
            Ok(document) => Some(document.records),
            Err(_) => otel(text).map(|records| records.into_iter().map(|each| each.raw).collect()),
        },
        _ => None,
    }
}

/// One record of an OpenTelemetry export.
pub(super) struct OtelRecord<'a> {
    /// The record's own text.
    pub(super) raw: &'a RawValue,
    /// `service.name` of its resource.
    pub(super) service: String,
    /// `host.name` of its resource.
    pub(super) host: String,
}

#[derive(Deserialize)]
struct Export<'a> {
    #[serde(borrow, rename = "resourceLogs", alias = "resource_logs")]
    resources: Vec<ResourceLogs<'a>>,
}

#[derive(Deserialize)]
struct ResourceLogs<'a> {
    #[serde(default)]
    resource: Value,
    #[serde(borrow, default, rename = "scopeLogs", alias = "scope_logs")]
    scopes: Vec<ScopeLogs<'a>>,
}

#[derive(Deserialize)]
struct ScopeLogs<'a> {
    #[serde(borrow, default, rename = "logRecords", alias = "log_records")]
    records: Vec<&'a RawValue>,
}

/// The records of an OpenTelemetry export, in either spelling of its names.
pub(super) fn otel(text: &str) -> Option<Vec<OtelRecord<'_>>> {
    if !text.contains("resource") {
        return None;
    }
    let export: Export<'_> = serde_json::from_str(text).ok()?;
    let mut records = Vec::new();
    for resource in export.resources {
        let attributes = resource.resource.get("attributes");
        let service = attribute(attributes, "service.name");
        let host = attribute(attributes, "host.name");
        for scope in resource.scopes {
            records.extend(scope.records.into_iter().map(|raw| OtelRecord {
                raw,
                service: service.clone(),
                host: host.clone(),
            }));
        }
    }
    Some(records)
}

fn attribute(attributes: Option<&Value>, name: &str) -> String {
    let list = attributes.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .find(|each| each.get("key").and_then(Value::as_str) == Some(name))
        .and_then(|each| each.get("value"))
        .map(any_value)
        .unwrap_or_default()
}

/// Text of an OpenTelemetry `AnyValue`.
fn any_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => map
            .values()
            .next()
            .map(|inner| scalar(inner).unwrap_or_else(|| inner.to_string()))
            .unwrap_or_default(),
        other => other.to_string(),
    }
}

/// What an OpenTelemetry record tells.
pub(super) fn tell_otel(record: &OtelRecord<'_>, calendar: &mut Calendar) -> Option<Told<'static>> {
    let object: Map<String, Value> = serde_json::from_str(record.raw.get()).ok()?;
    let mut told = tell(&object, calendar);
    if let Some(body) = object.get("body") {
        told.message = any_value(body).into();
    }
    let attributes = object.get("attributes");
    let stack = attribute(attributes, "exception.stacktrace");
    if stack.contains('\n') {
        told.stack = Some(stack.into());
    }
    told.service = record.service.clone().into();
    told.host = record.host.clone().into();
    Some(told)
}
