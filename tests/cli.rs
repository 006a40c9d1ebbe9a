//! The command line, run as a person runs it: the real binary in an empty directory.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn faultmaven(directory: &Path, arguments: &[&str]) -> Output {
    with_input(directory, arguments, "")
}

fn with_input(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_faultmaven"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const LOG: &str = "\
2026-11-23 10:00:00,000 INFO [main] shop.Checkout - order 1 accepted
2026-11-23 10:00:01,000 INFO [main] shop.Checkout - order 2 accepted
2026-11-23 10:00:02,000 ERROR [main] shop.Checkout - order 3 failed for ada@example.org
java.lang.IllegalStateException: no stock
\tat shop.Stock.take(Stock.java:42)
\tat shop.Checkout.pay(Checkout.java:7)
2026-11-23 10:00:03,000 INFO [main] shop.Checkout - order 4 accepted
";

#[test]
fn a_log_is_analysed_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("app.log"), LOG).unwrap();
    let run = faultmaven(directory.path(), &["analyze", "app.log", "--lines", "-o", "json"]);
    assert!(run.status.success(), "{}", err(&run));
    let analysis: Value = serde_json::from_str(&out(&run)).unwrap();
    assert_eq!(analysis["data_type"], "logs_and_errors");
    assert_eq!(analysis["file"]["name"], "app.log");
    assert_eq!(analysis["findings"]["lines"], 7);
    assert_eq!(analysis["findings"]["levels"]["error"], 1);
    assert_eq!(analysis["findings"]["line_templates"].as_array().unwrap().len(), 7);
    let trace = &analysis["findings"]["stack_traces"][0];
    assert_eq!(trace["exception"], "java.lang.IllegalStateException");
    assert_eq!((&trace["line_start"], &trace["line_end"]), (&4.into(), &6.into()));
    assert_eq!(analysis["pii_detected"], true);
    assert!(!out(&run).contains("ada@example.org"), "redacted everywhere");
    let insights = analysis["key_insights"].as_array().unwrap().len();
    assert!((3..=10).contains(&insights), "{insights} insights");

    let text = faultmaven(directory.path(), &["analyze", "app.log"]);
    assert!(out(&text).starts_with("app.log: logs_and_errors ("), "{}", out(&text));
    assert!(!directory.path().join("faultmaven-data").exists(), "no store was made");
}

#[test]
fn a_missing_file_fails_and_the_others_are_answered() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("app.log"), LOG).unwrap();
    let run = faultmaven(directory.path(), &["analyze", "nowhere.log", "app.log", "-o", "json"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(err(&run).contains("nowhere.log"), "{}", err(&run));
    let found: Value = serde_json::from_str(&out(&run)).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[test]
fn wrong_usage_exits_with_2_and_says_how() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["analyse", "x"][..], &["analyze"][..], &["serve", "--port", "1"][..]] {
        let run = faultmaven(directory.path(), arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(err(&run).contains("Usage"), "{}", err(&run));
    }
    let help = faultmaven(directory.path(), &["--help"]);
    assert!(help.status.success() && out(&help).contains("Examples:"));
}

#[test]
fn the_configuration_tells_where_each_value_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("faultmaven.toml"), "[jobs]\nworkers = 7\n").unwrap();
    let run = faultmaven(directory.path(), &["config", "print", "--origin", "--data-dir", "d"]);
    let text = out(&run);
    let line = |start: &str| text.lines().find(|l| l.starts_with(start)).unwrap().to_owned();
    assert!(line("workers = 7").ends_with("# file faultmaven.toml"), "{text}");
    assert!(line("data_dir").ends_with("# flag --data-dir"), "{text}");
    assert!(line("listen").ends_with("# default"), "{text}");
    // What is printed is itself a valid configuration.
    let plain = out(&faultmaven(directory.path(), &["config", "print"]));
    std::fs::write(directory.path().join("faultmaven.toml"), plain).unwrap();
    assert!(faultmaven(directory.path(), &["config", "check"]).status.success());

    std::fs::write(directory.path().join("faultmaven.toml"), "lisen = 'x'\n").unwrap();
    let wrong = faultmaven(directory.path(), &["config", "check"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("did you mean `listen`?"), "{}", err(&wrong));
}

#[test]
fn an_administrator_is_created_in_a_closed_store_and_the_store_checks_out() {
    let directory = tempfile::tempdir().unwrap();
    let create = ["admin", "create", "--username", "root", "--email", "root@example.org"];
    let create: Vec<_> = create.into_iter().chain(["--password-stdin"]).collect();
    let weak = with_input(directory.path(), &create, "password\n");
    assert_eq!(weak.status.code(), Some(1));
    assert!(err(&weak).contains("password"), "{}", err(&weak));
    let made = with_input(directory.path(), &create, "correct horse battery staple\n");
    assert!(made.status.success(), "{}", err(&made));
    assert_eq!(out(&made), "administrator root created\n");
    let twice = with_input(directory.path(), &create, "correct horse battery staple\n");
    assert_eq!(twice.status.code(), Some(1));
    let check = faultmaven(directory.path(), &["check", "-o", "json"]);
    assert!(check.status.success(), "{}{}", out(&check), err(&check));
    let checked: Value = serde_json::from_str(&out(&check)).unwrap();
    assert_eq!(checked["faults"].as_array().unwrap().len(), 0);
    assert!(checked["audit_entries"].as_u64().unwrap() >= 1);
}

#[test]
fn a_check_without_a_store_fails_and_makes_none() {
    let directory = tempfile::tempdir().unwrap();
    let run = faultmaven(directory.path(), &["check"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(err(&run).contains("no store in"), "{}", err(&run));
    assert!(!directory.path().join("faultmaven-data").exists());
}

#[test]
fn completions_and_version_are_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    let bash = out(&faultmaven(directory.path(), &["completions", "bash"]));
    assert!(bash.contains("_faultmaven()"));
    let version = out(&faultmaven(directory.path(), &["version", "-o", "json"]));
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}
