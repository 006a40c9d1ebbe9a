//! The pipeline from bytes to findings, on small logs written for these tests.

use super::header::{self, Learned};
use super::level::Level;
use super::{LogFindings, extract};
use crate::base::Time;
use crate::uploads::analyse::{
    Extraction, FULL_EXTRACTION_CHARS_MAX, Findings, KEY_INSIGHTS_MAX, Location, Options,
    SUMMARY_CHARS_MAX, Verdict,
};
use proptest::prelude::*;
use std::fmt::Write;

fn run(content: &[u8]) -> (Extraction, LogFindings) {
    let found = extract("text", content, Options { lines: true, received: None });
    let Findings::Logs(findings) = found.findings.clone() else { panic!("no findings in a log") };
    (found, *findings)
}

fn verdict(found: &Extraction, id: &str) -> Verdict {
    found.checks.iter().find(|check| check.id == id).unwrap().verdict
}

fn check_head(line: &str, level: Level, source: (&str, &str, &str), message: &str) {
    let head = header::parse(line, &mut Learned::default());
    let (host, service, pid) = source;
    assert_eq!(head.level, level, "{line}");
    assert_eq!((head.host, head.service, head.pid), (host, service, pid), "{line}");
    assert_eq!(line[head.message..].trim_start(), message, "{line}");
    assert!(head.time.is_some() || !line.contains(':') || level != Level::Unknown, "{line}");
}

#[test]
fn heads_of_many_loggers_are_read_with_one_configuration() {
    use Level::{Critical, Debug, Error, Fatal, Info, Unknown, Warn};
    for (line, level, source, message) in [
        (
            "2024-01-02 10:00:00,123 - WARN  [pool-1:Cache@77] - slow disk",
            Warn,
            ("", "Cache", ""),
            "slow disk",
        ),
        (
            "2024-01-02 10:00:00,123 INFO [main] org.acme.Boot: ready now",
            Info,
            ("", "org.acme.Boot", ""),
            "ready now",
        ),
        (
            "2024-01-02 10:00:00.123 ERROR 4711 --- [worker] c.a.Jobs   : job lost",
            Error,
            ("", "c.a.Jobs", "4711"),
            "job lost",
        ),
        (
            "Jan  2 10:00:00 web1 sshd[99]: session opened",
            Unknown,
            ("web1", "sshd", "99"),
            "session opened",
        ),
        (
            "Jan  2 10:00:00 web1 cron(pam)[7]: job done",
            Unknown,
            ("web1", "cron(pam)", "7"),
            "job done",
        ),
        ("<11>Jan  2 10:00:00 web1 app: disk full", Error, ("web1", "app", ""), "disk full"),
        (
            "<34>1 2024-01-02T10:00:00Z web1 su 12 ID47 - failed for root",
            Critical,
            ("web1", "su", "12"),
            "failed for root",
        ),
        (
            "2024-01-02T10:00:00+01:00 nas login[12]: ok then",
            Unknown,
            ("nas", "login", "12"),
            "ok then",
        ),
        (
            "01-02 10:00:00.123  1702  2395 D WindowKeeper: hidden",
            Debug,
            ("", "WindowKeeper", "2395"),
            "hidden",
        ),
        ("E/Radio( 123): no signal", Error, ("", "Radio", ""), "no signal"),
        (
            "I0102 10:00:00.123456  1234 store.cc:88] opened",
            Info,
            ("", "store.cc:88", "1234"),
            "opened",
        ),
        (
            "240102 100000 148 INFO dfs.Node$Packet: done with it",
            Info,
            ("", "dfs.Node$Packet", "148"),
            "done with it",
        ),
        (
            "20240102-10:00:00:123|Step_A|30002|walked 12",
            Unknown,
            ("", "Step_A", "30002"),
            "walked 12",
        ),
        (
            "[01.02 10:00:00] mail.exe - peer:25 closed",
            Unknown,
            ("", "mail.exe", ""),
            "peer:25 closed",
        ),
        (
            "[Tue Jan 02 10:00:00 2024] [error] [client 1.2.3.4] no file",
            Error,
            ("", "", ""),
            "[client 1.2.3.4] no file",
        ),
        (
            "[Tue Jan 02 10:00:00.5 2024] [core:warn] [pid 12:tid 9] AH00: x",
            Warn,
            ("", "AH00", "12"),
            "x",
        ),
        (
            "2024/01/02 10:00:00 [crit] 55#55: *9 open() failed",
            Critical,
            ("", "", "55#55"),
            "*9 open() failed",
        ),
        (
            "2024-01-02 10:00:00.008 25746 INFO nova.api.wsgi [req-1 a b - - -] GET",
            Info,
            ("", "nova.api.wsgi", "25746"),
            "GET",
        ),
        (
            "2024-01-02 10:00:00, Info                  CBS    Loaded stack",
            Info,
            ("", "CBS", ""),
            "Loaded stack",
        ),
        (
            "24/01/02 10:00:00 INFO exec.Backend: Registered",
            Info,
            ("", "exec.Backend", ""),
            "Registered",
        ),
        (
            "[2024-01-02 10:00:00] local.ERROR: Class missing",
            Error,
            ("", "local", ""),
            "Class missing",
        ),
        (
            "Main::INFO::2024-01-02 10:00:00,101::vdsm::71::vds::(run) I am",
            Info,
            ("", "vdsm", ""),
            "(run) I am",
        ),
        (
            "2024-01-02T10:00:00.296 25376]ERROR:mod:bad news",
            Error,
            ("", "mod", "25376"),
            "bad news",
        ),
        ("2024-01-02 10:00:00.095 CEST [88] FATAL:  no role", Fatal, ("", "", "88"), "no role"),
        (
            "- 1704189600 2024.01.02 R02-J12 2024-01-02-10.00.00.675872 R02-J12 RAS KERNEL INFO \
            parity ok",
            Info,
            ("", "R02-J12", ""),
            "parity ok",
        ),
        ("INFO: started", Info, ("", "", ""), "started"),
        ("just words: and more", Unknown, ("", "", ""), "just words: and more"),
    ] {
        if line.starts_with("just") {
            let head = header::parse(line, &mut Learned::default());
            assert_eq!((head.message, head.level), (0, level));
            continue;
        }
        check_head(line, level, source, message);
    }
}

#[test]
fn an_empty_file_is_a_valid_log_with_a_warning() {
    for content in [&b""[..], b"\n\n", b"\xef\xbb\xbf", b"   \r\n"] {
        let (found, findings) = run(content);
        assert!(found.key_insights.is_empty());
        assert_eq!(found.warnings, ["the log is empty"]);
        assert!(findings.templates.is_empty());
    }
}

#[test]
fn even_a_quiet_log_yields_three_honest_insights() {
    for content in ["hello\n", "2024-01-02 10:00:00 INFO up\n", "a\nb\nc"] {
        let (found, _) = run(content.as_bytes());
        assert!(
            (3..=KEY_INSIGHTS_MAX).contains(&found.key_insights.len()),
            "{:?}",
            found.key_insights
        );
        assert!(
            found.key_insights.iter().all(|each| each.contains("line")),
            "{:?}",
            found.key_insights
        );
        assert!(found.checks.iter().all(|check| check.verdict == Verdict::Ok));
    }
}

#[test]
fn byte_order_marks_colours_and_line_ends_leave_no_trace() {
    let (_, plain) = run(b"2024-01-02 10:00:00 ERROR disk 7 failed\n");
    let coloured = b"\xef\xbb\xbf2024-01-02 10:00:00 \x1b[31;1mERROR\x1b[0m disk 7 failed\r\n";
    let mut wide = vec![0xff, 0xfe];
    wide.extend(
        "2024-01-02 10:00:00 ERROR disk 7 failed\n".encode_utf16().flat_map(u16::to_le_bytes),
    );
    for content in [&coloured[..], &wide] {
        assert_eq!(run(content).1, plain);
    }
    assert_eq!(plain.templates[0].template, "disk <*> failed");
}

#[test]
fn bytes_that_are_not_utf8_warn_and_name_their_line() {
    let (found, findings) = run(b"first\nse\xff\xfecond\nthird\n");
    assert_eq!(findings.lines, 3);
    assert_eq!(verdict(&found, "logs.invalid_utf8"), Verdict::Warn);
    let check = found.checks.iter().find(|check| check.id == "logs.invalid_utf8").unwrap();
    assert_eq!(check.locations, [Location::lines(2, 2)]);
}

#[test]
fn a_line_of_five_megabytes_is_cut_and_the_rest_is_read() {
    let mut content = b"2024-01-02 10:00:00 INFO ".to_vec();
    content.resize(5 * 1024 * 1024, b'x');
    content.extend_from_slice(b"\n2024-01-02 10:00:01 ERROR after it\n");
    let (found, findings) = run(&content);
    assert_eq!((findings.lines, findings.levels.error), (2, 1));
    assert_eq!(verdict(&found, "logs.truncated_line"), Verdict::Warn);
}

#[test]
fn a_burst_of_errors_is_found_where_it_is() {
    let mut log = String::new();
    for second in 0..1800 {
        let (minute, rest) = (second / 60, second % 60);
        let _ = writeln!(log, "2024-01-02 10:{minute:02}:{rest:02} INFO request {second} served");
        let storm = (900..930).contains(&second);
        for n in 0..if storm { 4 } else { u32::from(second % 300 == 7) } {
            let _ =
                writeln!(log, "2024-01-02 10:{minute:02}:{rest:02} ERROR upstream {n} timed out");
        }
    }
    let (found, findings) = run(log.as_bytes());
    assert_eq!(verdict(&found, "logs.error_burst"), Verdict::Fail);
    let burst = &findings.bursts[0];
    assert!(burst.time_start.starts_with("2024-01-02T10:15:0"), "{burst:?}");
    assert!(burst.count >= 110 && burst.baseline < 5.0, "{burst:?}");
    assert!(findings.crime_scene.iter().any(|scene| scene.reason.contains("burst")));
    assert!(found.key_insights.iter().any(|each| each.contains("Burst of")));
}

#[test]
fn steady_errors_are_no_burst() {
    let mut log = String::new();
    for second in 0..1800 {
        let (minute, rest) = (second / 60, second % 60);
        let _ = writeln!(log, "2024-01-02 10:{minute:02}:{rest:02} ERROR job {second} failed");
    }
    let (found, _) = run(log.as_bytes());
    assert_eq!(verdict(&found, "logs.error_burst"), Verdict::Ok);
    assert_eq!(verdict(&found, "logs.error_rate"), Verdict::Fail);
}

#[test]
fn a_silence_is_a_gap_and_a_clock_that_goes_back_is_noticed() {
    let mut log = String::new();
    for second in (0..60).chain(1000..1060) {
        let (minute, rest) = (second / 60, second % 60);
        let _ = writeln!(log, "2024-01-02 10:{minute:02}:{rest:02} INFO beat {second}");
    }
    let (found, findings) = run(log.as_bytes());
    assert_eq!(findings.gaps.len(), 1);
    let gap = &findings.gaps[0];
    assert_eq!((gap.line_start, gap.line_end, gap.seconds), (60, 61, 941.0));
    assert_eq!(verdict(&found, "logs.gap"), Verdict::Warn);
    log.push_str("2024-01-02 09:00:00 INFO beat late\n");
    let (found, _) = run(log.as_bytes());
    assert_eq!(verdict(&found, "logs.clock_backwards"), Verdict::Warn);
}

#[test]
fn rare_trouble_stands_out_among_many_equal_lines() {
    let mut log = String::new();
    for n in 0..500 {
        let _ = writeln!(log, "2024-01-02 10:00:00 INFO served item {n}");
        if n == 250 {
            log.push_str("2024-01-02 10:00:00 INFO replica checksum mismatch on shard 9\n");
        }
    }
    let (found, findings) = run(log.as_bytes());
    assert_eq!(findings.rare_templates, ["T2"]);
    assert_eq!(findings.templates[1].first_line, 252);
    assert_eq!(verdict(&found, "logs.rare_event"), Verdict::Warn);
    assert!(found.full_extraction.contains("checksum mismatch"));
    let lines = findings.line_templates.unwrap();
    assert_eq!((lines.len(), lines[251].as_str(), lines[0].as_str()), (501, "T2", "T1"));
}

#[test]
fn json_records_of_several_loggers_are_understood() {
    let log = concat!(
        r#"{"level":50,"time":1700000000000,"pid":7,"hostname":"h1","msg":"db down","#,
        r#""trace_id":"abc123def456"}"#,
        "\n",
        r#"{"@timestamp":"2023-11-14T22:13:21Z","log.level":"warn","#,
        r#""message":"slow 12 ms","service":{"name":"x"}}"#,
        "\n",
        r#"{"level":"info","ts":1700000002.5,"logger":"http","msg":"handled","#,
        r#""request":{"method":"GET","uri":"/a?b=1"},"status":503,"duration":0.25}"#,
        "\n",
        r#"{"log":"2023-11-14 22:13:23 ERROR inner failed\n","stream":"stderr","#,
        r#""time":"2023-11-14T22:13:23.1Z"}"#,
        "\n",
        r#"{"t":{"$date":"2023-11-14T22:13:24Z"},"s":"E","c":"NET","ctx":"conn1","msg":"refused"}"#,
        "\n",
        r#"{"severity":"CRITICAL","timestamp":"2023-11-14T22:13:25Z","textPayload":"gone"}"#,
        "\n",
    );
    let (found, findings) = run(log.as_bytes());
    assert_eq!(found.format.as_deref(), Some("json_lines"));
    let levels = findings.levels;
    assert_eq!((levels.error, levels.warn, levels.info, levels.critical), (3, 1, 1, 1));
    let range = findings.time_range.unwrap();
    assert_eq!(
        (range.start.as_str(), range.end.as_str()),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:25Z")
    );
    assert_eq!(findings.trace_ids, ["abc123def456"]);
    let http = findings.http.unwrap();
    assert_eq!(http.status["503"], 1);
    assert_eq!((http.slowest[0].path.as_str(), http.slowest[0].duration_ms), ("/a", 250.0));
    assert_eq!(verdict(&found, "logs.http_5xx"), Verdict::Fail);
}

#[test]
fn a_document_of_records_keeps_the_lines_of_each() {
    let log = "[\n {\"level\":\"info\",\n  \"msg\":\"one\"},\n {\"level\":\"error\",\n  \
         \"msg\":\"two\"}\n]\n";
    let (_, findings) = run(log.as_bytes());
    assert_eq!((findings.lines, findings.levels.error, findings.levels.info), (6, 1, 1));
    let error = &findings.errors[0];
    assert_eq!((error.line_start, error.line_end), (4, 5));
}

#[test]
fn open_telemetry_exports_are_unpacked() {
    let log = r#"{"resourceLogs":[{"resource":{"attributes":[
      {"key":"service.name","value":{"stringValue":"pay"}}]},
      "scopeLogs":[{"logRecords":[
        {"timeUnixNano":"1700000000000000000","severityNumber":17,
        "body":{"stringValue":"card refused"},"traceId":"5b8efff798038103d269b633813fc60c"},
        {"timeUnixNano":"1700000001000000000","severityNumber":9,
        "body":{"stringValue":"card 2 accepted"}}]}]}]}"#;
    let (found, findings) = run(log.as_bytes());
    assert_eq!(found.format.as_deref(), Some("otlp_logs"));
    assert_eq!((findings.levels.error, findings.levels.info), (1, 1));
    assert_eq!(findings.errors[0].line_start, 4);
    assert_eq!(findings.sources[0].name, "pay");
    assert_eq!(findings.trace_ids.len(), 1);
}

#[test]
fn logfmt_is_read_with_quotes_and_escapes() {
    let log = "time=2024-01-02T10:00:00Z level=error msg=\"no \\\"route\\\" to 10.0.0.1\" \
         service=api\n\
               time=2024-01-02T10:00:01Z level=info msg=ok service=api\n";
    let (found, findings) = run(log.as_bytes());
    assert_eq!(found.format.as_deref(), Some("logfmt"));
    assert_eq!((findings.levels.error, findings.levels.info), (1, 1));
    assert!(
        findings.templates.iter().any(|t| t.template == "no \"route\" to <*>"),
        "{:?}",
        findings.templates
    );
}

#[test]
fn access_logs_are_grouped_by_method_status_and_path() {
    let mut log = String::new();
    for n in 0..20 {
        let status = if n % 5 == 0 { 502 } else { 200 };
        let _ = writeln!(
            log,
            "10.0.0.{n} - - [02/Jan/2024:10:00:{n:02} +0000] \"GET /users/{n}/cart?x=1 \
            HTTP/1.1\" {status} 12 \"-\" \"curl\""
        );
    }
    let (found, findings) = run(log.as_bytes());
    assert_eq!(found.format.as_deref(), Some("access_log"));
    assert_eq!(findings.templates[0].template, "GET[200] /users/<*>/cart");
    assert_eq!(findings.http.unwrap().status["502"], 4);
    assert_eq!((findings.levels.error, findings.levels.info), (4, 16));
}

#[test]
fn named_columns_and_load_balancers_are_access_logs_too() {
    let iis = "#Version: 1.0\n#Fields: date time cs-method cs-uri-stem sc-status time-taken\n\
               2024-01-02 10:00:00 GET /slow 500 2400\n2024-01-02 10:00:01 GET /fast 200 3\n";
    let (_, findings) = run(iis.as_bytes());
    let http = findings.http.unwrap();
    assert_eq!((http.status["500"], http.slowest[0].duration_ms), (1, 2400.0));
    let balancer = "https 2024-01-02T10:00:00.5Z app/x/1 10.0.0.1:1 10.0.0.2:80 0.1 0.2 0.0 504 \
         504 1 2 \"GET https://a.example:443/b HTTP/1.1\" \"curl\"\n";
    let (_, findings) = run(balancer.as_bytes());
    let http = findings.http.unwrap();
    assert_eq!((http.status["504"], http.slowest[0].path.as_str()), (1, "/b"));
}

#[test]
fn redaction_placeholders_are_values() {
    let mut log = String::new();
    for n in 1..9 {
        let _ = writeln!(
            log,
            "Jan  2 10:00:0{n} h sshd[{n}]: Failed password for <USER_{n}> from <IP_{n}> port \
            [SECRET_REDACTED]"
        );
    }
    let (_, findings) = run(log.as_bytes());
    assert_eq!(findings.templates.len(), 1);
    assert_eq!(findings.templates[0].template, "Failed password for <*> from <*> port <*>");
}

#[test]
fn the_value_behind_most_failures_is_named() {
    let mut log = String::new();
    for n in 0..60 {
        let address = if n % 3 == 0 { format!("10.1.1.{n}") } else { "10.9.9.9".to_owned() };
        let _ = writeln!(
            log,
            "2024-01-02 10:00:{n:02} ERROR login refused from {address} port {}",
            4000 + n
        );
    }
    let (found, _) = run(log.as_bytes());
    assert!(
        found.key_insights.iter().any(|each| each.contains("\"10.9.9.9\" appears in 40 of the 60")),
        "{:?}",
        found.key_insights
    );
}

#[test]
fn memory_and_restarts_have_checks_of_their_own() {
    let log = "Jan  2 10:00:00 h kernel: Out of memory: Killed process 7 (java)\n\
               Jan  2 10:00:05 h app[8]: server started, listening on port 80\n";
    let (found, _) = run(log.as_bytes());
    assert_eq!(verdict(&found, "logs.oom"), Verdict::Fail);
    assert_eq!(verdict(&found, "logs.restart"), Verdict::Warn);
    assert!(found.key_insights[0].starts_with("Memory ran out once"));
}

#[test]
fn the_year_of_syslog_times_comes_from_the_reception() {
    let log = b"Dec 31 23:59:59 h app: a\nJan  1 00:00:01 h app: b\n";
    let received = Time::parse("2026-11-23T12:00:00Z");
    let found = extract("syslog", log, Options { lines: false, received });
    let Findings::Logs(findings) = found.findings else { panic!("no findings") };
    let range = findings.time_range.unwrap();
    assert_eq!(
        (range.start.as_str(), range.end.as_str()),
        ("2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z")
    );
    assert!(run(log).0.warnings[0].contains("no year"));
}

#[test]
fn lines_without_a_head_belong_to_the_record_before_them() {
    let log =
        "2024-01-02 10:00:00 ERROR query failed\nSELECT *\nFROM t\n2024-01-02 10:00:01 INFO next\n";
    let (_, findings) = run(log.as_bytes());
    assert_eq!((findings.errors[0].line_start, findings.errors[0].line_end), (1, 3));
    assert_eq!(findings.line_templates.unwrap()[2], findings.templates[0].id);
}

#[test]
fn the_same_bytes_give_the_same_analysis() {
    let log: String = (0..300).fold(String::new(), |mut log, n| {
        let _ = writeln!(log, "2024-01-02 10:00:00 WARN {} node{} lost peer {}", n % 7, n % 5, n);
        log
    });
    assert_eq!(run(log.as_bytes()), run(log.as_bytes()));
}

#[test]
fn findings_survive_json() {
    let log = "2024-01-02 10:00:00 ERROR a failed\n10.0.0.1 - - [02/Jan/2024:10:00:00 +0000] \
         \"GET /a HTTP/1.1\" 500 1\n";
    let (found, _) = run(log.as_bytes());
    let text = serde_json::to_string(&found.findings).unwrap();
    let back: Findings = serde_json::from_str(&text).unwrap();
    assert_eq!(back, found.findings);
}

/// Every place that findings and checks name lies within the file.
fn assert_in_range(found: &Extraction, findings: &LogFindings) {
    let within = |start: u64, end: u64| {
        assert!(
            1 <= start && start <= end && end <= findings.lines,
            "{start}-{end} of {}",
            findings.lines
        );
    };
    for check in &found.checks {
        for location in &check.locations {
            let Location::Lines { line_start, line_end } = location else { panic!("{location:?}") };
            within(*line_start, *line_end);
        }
    }
    findings.templates.iter().for_each(|t| within(t.first_line, t.last_line.max(t.first_line)));
    findings.errors.iter().for_each(|e| within(e.line_start, e.line_end));
    findings.stack_traces.iter().for_each(|t| within(t.line_start, t.line_end));
    findings.crime_scene.iter().for_each(|s| within(s.line_start, s.line_end));
    findings.gaps.iter().for_each(|g| within(g.line_start, g.line_end));
    findings.bursts.iter().for_each(|b| within(b.line_start, b.line_end));
    findings.timeline.iter().for_each(|e| within(e.line, e.line));
    assert_eq!(findings.line_templates.as_ref().map(Vec::len), Some(findings.lines as usize));
    assert!(found.summary.chars().count() <= SUMMARY_CHARS_MAX);
    assert!(found.full_extraction.chars().count() <= FULL_EXTRACTION_CHARS_MAX);
    assert!(found.key_insights.len() <= KEY_INSIGHTS_MAX);
    assert!(
        found.key_insights.len() >= 3 || findings.templates.is_empty(),
        "{:?}",
        found.key_insights
    );
}

/// Pieces that the parsers react to, so that random lines reach deep into them.
const PIECES: &[&str] = &[
    "2024-01-02 10:00:00",
    "Jan  2 10:00:00",
    "1700000000",
    "[02/Jan/2024:10:00:00 +0000]",
    "ERROR",
    "INFO",
    "[warn]",
    "<34>1 ",
    "host",
    "app[12]:",
    "{\"msg\":\"x\",\"level\":\"error\"}",
    "level=info msg=\"a b\"",
    "\"GET /a/1 HTTP/1.1\" 500 12",
    "at a.b.C.m(F.java:1)",
    "Caused by: x.YException: z",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 3, in f",
    "panic: oh",
    "goroutine 1 [running]:",
    "main.f(0x1)",
    "\t/a/b.go:12 +0x1",
    "#0 /a.php(3): f()",
    "thread 'main' panicked at a.rs:1:2:",
    "::",
    "|",
    " - ",
    "[",
    "]",
    "(",
    ")",
    "\u{1b}[31m",
    "\u{fffd}",
    "\u{e9}",
    "\u{65e5}\u{672c}",
    "0x1f",
    "10.0.0.1:80",
    "/var/log/x",
    "<IP_1>",
    " ",
    "\t",
    "#Fields: date time cs-method",
    "*** SIGSEGV",
    "stdout F ",
    "web-1  | ",
    "E/Tag(1): x",
    "((((((",
    "\"",
    "=",
    "audit(1700000000.1:2):",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic_and_name_places_in_the_file(
        content in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let (found, findings) = run(&content);
        assert_in_range(&found, &findings);
    }

    #[test]
    fn arbitrary_mixtures_of_log_pieces_name_places_in_the_file(
        lines in prop::collection::vec(
            prop::collection::vec(prop::sample::select(PIECES), 0..7),
            0..40,
        ),
        glue in prop::sample::select(&["", " "][..]),
    ) {
        let log: Vec<String> = lines.iter().map(|pieces| pieces.join(glue)).collect();
        let (found, findings) = run(log.join("\n").as_bytes());
        assert_in_range(&found, &findings);
    }
}
