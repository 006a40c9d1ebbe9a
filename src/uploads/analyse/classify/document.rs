//! What a JSON document or JSON lines hold, by the keys that the formats define.

use super::super::DataType::{
    LogsAndErrors, MetricsAndPerformance, ProfilingData, SourceCode, StructuredConfig, TraceData,
};
use super::super::logs;
use super::Guess;
use super::json::{Key, Outline};
use super::sample::Sample;

/// Score of a document that has the keys of a format.
const NAMED: f64 = 0.97;
/// Score of a document that has the shape of a type, but no format's keys.
const SHAPED: f64 = 0.88;

/// Keys under which records carry their time.
const TIME_KEYS: &[&str] = &[
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "t",
    "$date",
    "date",
    "datetime",
    "eventTime",
    "event_time",
    "created_at",
    "started_at",
    "logged_at",
    "asctime",
    "Timestamp",
    "Time",
    "@t",
    "timeUnixNano",
    "_time",
    "EdgeStartTimestamp",
    "StartUTC",
    "startTime",
    "start_time",
    "__REALTIME_TIMESTAMP",
    "creationTimestamp",
    "lastTimestamp",
    "received_at",
    "instant",
];
/// Keys that say how bad or what happened.
const LOG_KEYS: &[&str] = &[
    "level",
    "lvl",
    "severity",
    "severityText",
    "severity_text",
    "log.level",
    "loglevel",
    "levelname",
    "logLevel",
    "@l",
    "msg",
    "message",
    "@message",
    "MESSAGE",
    "logger",
    "@mt",
    "logger_name",
    "event",
    "event_type",
    "eventName",
    "log",
    "error",
    "exception",
    "stack_trace",
    "textPayload",
    "jsonPayload",
    "attr",
    "code",
    "text",
];
/// Keys of a record of one HTTP request.
const REQUEST_KEYS: &[&str] = &[
    "method",
    "request",
    "response",
    "status",
    "status_code",
    "path",
    "uri",
    "url",
    "remote_addr",
    "client_ip",
    "ClientIP",
    "ClientHost",
    "ClientRequestMethod",
    "RequestMethod",
    "user_agent",
    "request_id",
    "response_code",
    "httpRequest",
    "requestId",
];

/// Types that the document may have; configuration is what any JSON can be.
pub(super) fn guess(outline: &Outline<'_>, sample: &Sample<'_>) -> Vec<Guess> {
    let mut guesses = Vec::new();
    if let Some(format) = trace(outline) {
        guesses.push(Guess::new(TraceData, format, NAMED));
    } else if let Some(format) = profile(outline, sample) {
        guesses.push(Guess::new(ProfilingData, format, NAMED));
    } else if let Some(format) = metrics(outline) {
        guesses.push(Guess::new(MetricsAndPerformance, format, NAMED));
    } else if let Some(format) = log(outline) {
        guesses.push(Guess::new(LogsAndErrors, format, NAMED));
    } else if outline.has_all(&["cells", "nbformat"]) {
        guesses.push(Guess::new(SourceCode, "jupyter", NAMED));
    } else if is_dashboard(outline) {
        guesses.push(Guess::new(StructuredConfig, "grafana_dashboard", 0.9));
        guesses.push(Guess::new(MetricsAndPerformance, "grafana_dashboard", 0.5));
        return guesses;
    } else {
        guesses.extend(records(outline));
    }
    let format = match () {
        () if outline.relaxed => "json5",
        () if outline.roots > 1 => "json_lines",
        () => "json",
    };
    // Bare keys and single quotes are also how programs write objects.
    let score = if outline.relaxed { 0.55 } else { 0.6 };
    guesses.push(Guess::new(StructuredConfig, format, score));
    guesses
}

fn trace(outline: &Outline<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| outline.has_all(names);
    let any = |names: &[&str]| outline.has_any(names);
    if any(&["resourceSpans", "resource_spans", "scopeSpans", "instrumentationLibrarySpans"]) {
        return Some("otlp");
    }
    let jaeger = ["operationName", "references", "processID", "startTime", "duration", "processes"];
    if has(&["traceID", "spanID"]) && any(&jaeger) {
        return Some("jaeger");
    }
    let logs = any(&["level", "msg", "message", "severity", "lvl", "severityText"]);
    let zipkin = ["localEndpoint", "remoteEndpoint", "annotations", "binaryAnnotations", "kind"];
    if has(&["traceId", "id", "name"]) && any(&zipkin) && !logs {
        return Some("zipkin");
    }
    let xray = outline.key("trace_id").is_some_and(|key| key.first.starts_with("1-"));
    if (xray && has(&["start_time"])) || has(&["Segments", "Document"]) {
        return Some("xray");
    }
    let datadog = ["service", "resource", "start", "duration"];
    if has(&["trace_id", "span_id", "parent_id"]) && has(&datadog) {
        return Some("datadog");
    }
    if has(&["traceSegmentId", "spans"]) || has(&["segmentId", "spanId", "endpointName"]) {
        return Some("skywalking");
    }
    let spans = any(&["traceId", "trace_id", "traceID", "TraceID"])
        && any(&["spanId", "span_id", "spanID", "SpanID", "SpanContext"])
        && any(&[
            "parentSpanId",
            "parent_id",
            "parentId",
            "parent_span_id",
            "ParentSpanId",
            "Parent",
        ])
        && any(&[
            "duration",
            "start_time",
            "startTime",
            "end_time",
            "endTime",
            "StartTime",
            "start",
        ]);
    (spans && !logs).then_some("spans")
}

fn profile(outline: &Outline<'_>, sample: &Sample<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| outline.has_all(names);
    let speedscope = outline.key("$schema").is_some_and(|key| key.first.contains("speedscope"));
    Some(match () {
        () if speedscope || has(&["profiles", "shared", "frames"]) => "speedscope",
        () if sample.tail.contains("speedscope.app/file-format-schema") => "speedscope",
        () if has(&["callFrame", "nodes"]) || has(&["functionName", "hitCount"]) => "cpuprofile",
        () if has(&["callFrame", "selfSize"]) => "heapprofile",
        () if has(&["node_fields", "snapshot"]) => "heapsnapshot",
        () if has(&["traceEvents"]) || has(&["ph", "ts", "pid"]) => "trace_event",
        () if has(&["profile", "ticks"]) || has(&["stackTable", "frameTable"]) => "firefox",
        () if has(&["libs", "threads", "meta"]) => "firefox",
        () if has(&["mode", "interval", "samples", "frames"]) => "stackprof",
        () if has(&["sampleStackTraces"]) || has(&["recording", "records"]) => "safari",
        () if has(&["code", "functions", "ticks"]) => "v8_log",
        () if has(&["cost_centres", "profile"]) => "ghc_prof",
        () if has(&["root_frame", "sample_count"]) => "pyinstrument",
        () => return None,
    })
}

fn metrics(outline: &Outline<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| outline.has_all(names);
    if outline.has_any(&["resourceMetrics", "resource_metrics", "scopeMetrics"]) {
        return Some("otlp_metrics");
    }
    let result = outline.key("resultType").map(|key| key.first);
    if result.is_some_and(|kind| matches!(kind, "matrix" | "vector" | "scalar")) {
        return Some("prometheus_json");
    }
    Some(match () {
        () if has(&["results", "frames", "schema", "values"]) => "grafana_json",
        () if has(&["target", "datapoints"]) => "graphite_json",
        () if has(&["results", "series", "columns", "values"]) => "influx_json",
        () if has(&["MetricDataResults"]) || has(&["Datapoints", "Label"]) => "cloudwatch",
        () if has(&["pointlist"]) || has(&["series", "points", "metric"]) => "datadog",
        () if has(&["metric", "dps"]) => "opentsdb",
        () => return None,
    })
}

fn log(outline: &Outline<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| outline.has_all(names);
    if outline.has_any(&["resourceLogs", "resource_logs", "scopeLogs"]) {
        return Some("otlp_logs");
    }
    let events = outline.key("kind").is_some_and(|key| matches!(key.first, "EventList" | "Event"));
    Some(match () {
        () if has(&["eventVersion", "eventTime", "eventSource"]) => "cloudtrail",
        () if has(&["insertId", "logName"]) => "gcp_log",
        () if has(&["__REALTIME_TIMESTAMP"]) => "journald",
        () if has(&["logEvents"]) || has(&["ingestionTime", "message"]) => "cloudwatch_logs",
        () if outline.key("resultType").is_some_and(|key| key.first == "streams") => "loki",
        () if events && has(&["involvedObject"]) => "kubernetes_events",
        () if has(&["exception", "stacktrace", "event_id"]) => "sentry",
        () if has(&["hits", "_source", "_index"]) && outline.has_any(LOG_KEYS) => "elasticsearch",
        () => return None,
    })
}

fn is_dashboard(outline: &Outline<'_>) -> bool {
    outline.has("panels") && outline.has_any(&["schemaVersion", "templating", "gridPos", "targets"])
}

/// Records without the keys of a known format: events when they speak, else measurements.
fn records(outline: &Outline<'_>) -> Option<Guess> {
    let root = if outline.array { 2 } else { 1 };
    // One level of nesting: `{"result": {...}}`, `{"t": {"$date": ...}}`, `{"fields": {...}}`.
    let near = |key: &Key<'_>| key.depth <= root + 1;
    let lines = outline.roots > 1;
    let many = lines || (outline.array && outline.objects > 1);
    let present =
        |names: &[&str]| names.iter().filter(|n| outline.key(n).is_some_and(near)).count();
    let timed = TIME_KEYS
        .iter()
        .any(|name| outline.key(name).is_some_and(|key| near(key) && logs::is_time(key.first)));
    let spoken = present(LOG_KEYS);
    let asked = present(REQUEST_KEYS);
    let leveled = ["level", "lvl", "severity", "levelname", "log.level", "@l", "s"]
        .iter()
        .any(|name| outline.key(name).is_some_and(|key| near(key) && is_level(key)));
    if timed && spoken + asked == 0 && many {
        return Some(measured(outline, root, lines));
    }
    let format = if lines || !outline.array { "json_lines" } else { "json_log" };
    // One record may be a settings file with a time stamp; it must say more to be an event.
    let score = match (timed, leveled, spoken + asked >= 2) {
        (true, true, _) if many => 0.96,
        (true, _, true) | (false, true, true) if many => 0.92,
        (true, _, _) | (false, true, _) if many => 0.75,
        (true, true, _) => 0.85,
        (true, _, true) => 0.72,
        _ => return None,
    };
    Some(Guess::new(LogsAndErrors, format, score))
}

fn is_level(key: &Key<'_>) -> bool {
    logs::is_level(key.first)
        || matches!(key.first, "I" | "W" | "E" | "F" | "D1" | "D2")
        || (key.numbers > 0 && matches!(key.first.parse(), Ok(10..=60u32)))
}

/// Records with a time and neither a level nor a message.
fn measured(outline: &Outline<'_>, root: u32, lines: bool) -> Guess {
    let (mut numbers, mut texts) = (0, 0);
    for (name, key) in outline.keys().filter(|(_, key)| key.depth <= root + 1) {
        if !TIME_KEYS.contains(&name) {
            numbers += u32::from(key.numbers > key.texts);
            texts += u32::from(key.texts >= key.numbers && key.texts > 0);
        }
    }
    if numbers > 0 && numbers >= texts {
        Guess::new(MetricsAndPerformance, "json_series", SHAPED)
    } else {
        Guess::new(LogsAndErrors, if lines { "json_lines" } else { "json_log" }, 0.65)
    }
}
