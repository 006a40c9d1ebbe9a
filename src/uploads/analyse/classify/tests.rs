//! Small files of every type, under a neutral name; then what names add, and what must not break.

use super::super::DataType::{
    LogsAndErrors, MetricsAndPerformance, ProfilingData, SourceCode, StructuredConfig, TraceData,
    UnstructuredText, VisualEvidence,
};
use super::*;
use proptest::prelude::*;

/// Name that says nothing.
const NEUTRAL: &str = "upload.bin";

fn check(name: &str, content: impl AsRef<[u8]>, data_type: DataType, format: &str) {
    let content = content.as_ref();
    let found = classify(name, None, content);
    let shown = String::from_utf8_lossy(content.get(..80).unwrap_or(content)).into_owned();
    assert_eq!((found.data_type, found.format.as_str()), (data_type, format), "{shown}: {found:?}");
    assert!((0.0..=1.0).contains(&found.confidence_score));
    assert!(!found.alternative_types.contains(&data_type));
}

#[test]
fn magic_bytes_name_images_and_documents() {
    let check = |content: &[u8], format| check(NEUTRAL, content, VisualEvidence, format);
    check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png");
    check(b"\xff\xd8\xff\xe0\0\x10JFIF\0", "jpeg");
    check(b"GIF89a\x01\0\x01\0", "gif");
    check(b"RIFF\x10\0\0\0WEBPVP8 ", "webp");
    check(b"II\x2a\0\x08\0\0\0", "tiff");
    check(b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0", "bmp");
    check(b"%PDF-1.3\nThis is not a valid PDF file\n%%EOF\n", "pdf");
    check(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"1\"/></svg>", "svg");
}

#[test]
fn traces_are_known_by_their_keys() {
    let check = |content: &str, format| check(NEUTRAL, content, TraceData, format);
    check(
        r#"{"data":[{"traceID":"a1","spans":[{"traceID":"a1","spanID":"b2","operationName":"GET",
            "references":[],"startTime":1485467191639875,"duration":5}],"processes":{}}]}"#,
        "jaeger",
    );
    check(r#"[{"traceID":"a1","spanID":"b2","duration":"invalid"}"#, "jaeger");
    check(
        r#"[{"traceId":"a1","parentId":"b2","id":"c3","kind":"CLIENT","name":"get",
            "timestamp":1472470996199000,"localEndpoint":{"serviceName":"web"}}]"#,
        "zipkin",
    );
    check(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}"#, "otlp");
    let line = r#"{"resource_spans":[{"resource":{"attributes":[]}}]}"#;
    check(&format!("{line}\n{line}\n"), "otlp");
    check(
        r#"{"name":"api","id":"53995c3f42cd8ad8","trace_id":"1-581cf771-a006649127e371903a2de979",
            "start_time":1478293361.271,"end_time":1478293361.449}"#,
        "xray",
    );
    check(
        r#"[{"trace_id":"a","span_id":"b","parent_id":"","name":"x","start_time":1,"end_time":2}]"#,
        "spans",
    );
}

#[test]
fn profiles_are_known_by_their_shape() {
    let check = |content: &str, format| check(NEUTRAL, content, ProfilingData, format);
    check(r#"{"$schema":"https://www.speedscope.app/file-format-schema.json"}"#, "speedscope");
    check(r#"{"nodes":[{"id":1,"callFrame":{"functionName":"(root)"}}]}"#, "cpuprofile");
    check(r#"[{"pid":0,"tid":0,"ph":"B","name":"alpha","ts":0}]"#, "trace_event");
    check("main;parse;read 12\nmain;parse 3\nmain;write;flush 40\n", "collapsed");
    check(
        "dd 29776 666709.771979:   10101010 cpu-clock: \n\t  414b3b fsnotify (/build/vmlinux)\n\t  \
         3d6b4c vfs_read (/build/vmlinux)\n\n",
        "perf_script",
    );
    check(
        "         197 function calls (192 primitive calls) in 0.002 seconds\n\n   Ordered by: \
         cumulative time\n\n   ncalls  tottime  percall  cumtime  percall filename:lineno\n",
        "cprofile",
    );
    check(
        "heap profile: 13: 1595680 [47: 25] @ heap/1048576\n1: 5 [3: 1] @ 0x42\n",
        "pprof_legacy",
    );
    check("--- contentionz 1 ---\ncycles/second = 3201000000\n", "pprof_legacy");
    check("# callgrind format\nevents: Instructions\n\nfn=(1) main\n16 20\n", "callgrind");
}

#[test]
fn binary_profiles_are_known_by_their_fields() {
    // Value type {1, 2}, a sample, a function, and strings of which the first is empty.
    let pprof = b"\x0a\x04\x08\x01\x10\x02\x12\x05\x0a\x01\x01\x12\x00\x2a\x02\x08\x01\x32\x00\x32\
        \x03cpu\x32\x02ns\x48\x05";
    check(NEUTRAL, pprof, ProfilingData, "pprof");
    check(NEUTRAL, b"FLR\0\0\x02\0\x01", ProfilingData, "jfr");
    let words: Vec<u8> = [0u64, 3, 0, 10_000, 0, 1].iter().flat_map(|w| w.to_le_bytes()).collect();
    check(NEUTRAL, words, ProfilingData, "pprof_legacy");
    check(NEUTRAL, b"\n\nplain words after empty lines", UnstructuredText, "text");
    check(NEUTRAL, [0u8, 200, 3, 9, 0, 0, 1, 77], UnstructuredText, "binary");
}

#[test]
fn measurements_are_known_by_their_numbers() {
    let check = |content: &str, format| check(NEUTRAL, content, MetricsAndPerformance, format);
    check("# HELP up Up.\n# TYPE up gauge\nup{job=\"a\"} 1\nup{job=\"b\"} 0\n", "prometheus");
    check("# TYPE a counter\na_total 9223372036854775808\n# EOF\n", "openmetrics");
    check("timestamp,value\n2014-04-10 00:00:00,0.12\n2014-04-10 00:05:00,0.13\n", "csv");
    check("time;cpu;mem\n1700000000;0.5;12\n1700000060;0.7;13\n", "csv");
    check(
        "cpu,host=a usage=0.5 1465839830100400200\ncpu,host=b usage=1 1465839830100400200",
        "influx",
    );
    check("servers.web1.cpu 0.5 1465839830\nservers.web1.cpu 0.6 1465839890\n", "graphite");
    check(r#"{"resourceMetrics":[{"scopeMetrics":[]}]}"#, "otlp_metrics");
    check(
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"}}]}}"#,
        "prometheus_json",
    );
    check(
        "{\"time\":\"2026-11-23T10:00:00Z\",\"cpu\":0.5}\n{\"time\":1700000000,\"cpu\":0.6}\n",
        "json_series",
    );
}

#[test]
fn logs_of_many_programs_are_logs() {
    let check = |content: &str, format| check(NEUTRAL, content, LogsAndErrors, format);
    check("Nov  3 09:23:38 web1 sshd[7998]: failed password\n", "syslog");
    check("2026-11-23 10:00:00,123 ERROR [main] c.e.App - pool full\n  at once\n", "text_log");
    check(
        "127.0.0.1 - - [30/Sep/2021:11:11:54 +0200] \"GET /foo HTTP/1.1\" 404 162 \"-\" \"curl\"\n",
        "access_log",
    );
    check("level=error ts=2026-11-23T10:00:00Z msg=\"no route\" host=a\n", "logfmt");
    check(
        "#Software: IIS\n#Fields: date time cs-method\n2015-01-13 00:32:17 GET\n",
        "w3c_extended",
    );
    check(
        "{\"ts\":\"2026-11-23T10:00:00Z\",\"lvl\":\"INFO\",\"msg\":\"a\"}\n\
         {\"ts\":\"2026-11-23T10:00:01Z\",\"lvl\":\"WARN\",\"msg\":\"b\"}\n",
        "json_lines",
    );
    check(r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[]}]}]}"#, "otlp_logs");
    check(
        "web-1  | {\"level\":\"info\",\"msg\":\"up\"}\nweb-1  | {\"level\":\"warn\"}\n",
        "json_lines",
    );
    check(
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 8, in <module>\n    \
         f()\nValueError: no\n",
        "stack_trace",
    );
    check("\u{1b}[32m2026-11-23T10:00:00Z\u{1b}[0m  INFO app: started\n", "text_log");
}

#[test]
fn settings_are_known_in_their_dialects() {
    let check = |content: &str, format| check(NEUTRAL, content, StructuredConfig, format);
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: |\n    any text\n",
        "yaml",
    );
    check("version: '3'\nservices:\n  web:\n    image: nginx\n    ports:\n      - 80:80\n", "yaml");
    check("[package]\nname = \"a\"\nedition = \"2024\"\n\n[dependencies]\nserde = \"1\"\n", "toml");
    check("[Unit]\nDescription=A service\n\n[Service]\nExecStart=/bin/a --b=c\n", "ini");
    check("DB_HOST=example.com\nDB_PORT=443\nDEBUG=true\n", "env");
    check("appenders=console\nappender.console.type=Console\nlog.level = info\n", "properties");
    check("<?xml version=\"1.0\"?>\n<catalog><book id=\"1\"/></catalog>\n", "xml");
    check(
        "resource \"aws_instance\" \"web\" {\n  ami = \"a\"\n  tags = {\n    a = \"b\"\n  }\n}\n",
        "hcl",
    );
    check(
        "events {\n  worker_connections 4096;\n}\nhttp {\n  server {\n    listen 80;\n  }\n}\n",
        "nginx",
    );
    check("ServerSignature Off\nRewriteEngine On\nRewriteCond %{X} ^$ [OR]\n", "apache");
    check("{\"name\": \"a\", \"nested\": {\"b\": [1, 2, 3]}}", "json");
    check("// comment\n{\n  name: 'a',\n  nested: { b: [1, 2], },\n}\n", "json5");
    check(
        "{\"panels\":[{\"gridPos\":{\"h\":1},\"targets\":[]}],\"schemaVersion\":14}",
        "grafana_dashboard",
    );
}

#[test]
fn programs_are_known_in_their_languages() {
    let check = |content: &str, format| check(NEUTRAL, content, SourceCode, format);
    check(
        "import os\n\n\ndef main():\n    # A remark.\n    print(os.name)\n    return None\n",
        "python",
    );
    check("#!/bin/sh\necho hello\n", "shell");
    check("fn main() {\n    let mut a = vec![1];\n    println!(\"{a:?}\");\n}\n", "rust");
    check("package main\n\nimport \"fmt\"\n\nfunc main() {\n\tx := 1\n\tfmt.Println(x)\n}\n", "go");
    check(
        "const a = require('a');\n\nmodule.exports = () => {\n  console.log(a);\n};\n",
        "javascript",
    );
    check("import java.util.List;\n\npublic class A {\n    private int b;\n}\n", "java");
    check("#include <stdio.h>\n\nint main(void) {\n    printf(\"a\");\n    return 0;\n}\n", "c");
    check("CREATE TABLE a (id INT PRIMARY KEY);\nSELECT id\nFROM a\nWHERE id > 1;\n", "sql");
    check("FROM debian:12\nRUN apt-get update\nCOPY . /app\nCMD [\"/app/a\"]\n", "dockerfile");
    check("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "diff");
}

#[test]
fn prose_may_quote_code_and_logs() {
    let check = |content: &str, format| check(NEUTRAL, content, UnstructuredText, format);
    check(
        "# Outage\n\nThe pool ran full and every request had to wait.\n\n- restart it\n",
        "markdown",
    );
    check(
        "# Steps\n\nRun this on the host that is affected:\n\n```python\nimport os\ndef f():\n    \
         return os\n```\n\nThen look for this line in its log.\n\n```\n2026-11-23 10:00:00 \
         ERROR full\n```\n",
        "markdown",
    );
    check("We saw the first errors at noon. Nobody had changed anything before that.\n", "text");
    check("From: a@example.com\nTo: b@example.com\nSubject: down\n\nIt is down again.\n", "email");
    check("<!DOCTYPE html>\n<html><body><p>Words</p></body></html>\n", "html");
}

#[test]
fn names_decide_only_where_the_content_says_little() {
    let jaeger = r#"{"data":[{"spans":[{"traceID":"a","spanID":"b","startTime":1}]}]}"#;
    check("settings.json", jaeger, TraceData, "jaeger");
    check("notes.txt", "Nov  3 09:23:38 web1 sshd[7998]: failed\n", LogsAndErrors, "syslog");
    check("a.py", "x\n", SourceCode, "python");
    check("deploy/Dockerfile", "FROM a\n", SourceCode, "dockerfile");
    check("app.log.2026-11-23.gz", "stopped\n", LogsAndErrors, "text_log");
    check("x.prof", "?\n", ProfilingData, "pprof");
    check("util.h", "int f(void);\nstruct a { int b; };\n", SourceCode, "c");
    let mime = classify(NEUTRAL, Some("text/x-python; charset=utf-8"), b"x = 1\n");
    assert!(mime.confidence_score < 0.8, "{mime:?}");
}

#[test]
fn empty_content_is_text_without_confidence() {
    for content in [&b""[..], b" \n\t\n", b"\xef\xbb\xbf"] {
        let found = classify("a.log", Some("text/csv"), content);
        assert_eq!((found.data_type, found.format.as_str()), (UnstructuredText, "empty"));
        assert!(found.confidence_score <= 0.1);
    }
}

#[test]
fn depth_and_length_cost_nothing() {
    check(NEUTRAL, "[".repeat(100_000), StructuredConfig, "json");
    check(NEUTRAL, "{\"a\":".repeat(100_000), StructuredConfig, "json");
    check(NEUTRAL, "- ".repeat(1_000_000), UnstructuredText, "text");
    for line in ["=", ":", "\"", "{", "(", "a:", "a;", "a,", "[", "<a>", "|", "@["] {
        classify(NEUTRAL, None, line.repeat(200_000).as_bytes());
        classify(NEUTRAL, None, format!("{line}\n").repeat(200_000).as_bytes());
    }
}

#[test]
fn the_end_of_a_long_file_is_seen() {
    let mut exposition = "# TYPE a counter\n".to_owned();
    exposition.push_str(&"a_total{b=\"c\"} 1\n".repeat(10_000));
    exposition.push_str("# EOF\n");
    check(NEUTRAL, exposition, MetricsAndPerformance, "openmetrics");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..600)) {
        classify(NEUTRAL, None, &content);
    }

    #[test]
    fn arbitrary_text_never_panics(
        name in "\\PC{0,20}",
        mime in "\\PC{0,20}",
        content in "(\\PC|[\\n\\t:={}\\[\\]\",;#|<>/0-9 -]){0,400}",
    ) {
        let found = classify(&name, Some(&mime), content.as_bytes());
        prop_assert!((0.0..=1.0).contains(&found.confidence_score));
        prop_assert!(found.alternative_types.len() <= ALTERNATIVES_MAX);
    }

    #[test]
    fn a_file_cut_anywhere_never_panics(at in 0usize..400) {
        let text = "{\"\u{e9}\":[1,{\"b\":\"\\\"\u{fc}\"}]} # \u{fc}\n2026-11-23T10:00:00Z ERROR \
            \u{e9}: '\u{fc}\n[\u{e4}]\n\u{f6} = \"";
        let text = text.repeat(4);
        let bytes = text.as_bytes();
        classify(NEUTRAL, None, bytes.get(at..).unwrap_or_default());
        classify(NEUTRAL, None, bytes.get(..at).unwrap_or_default());
    }
}
