//! The command line, run as a person runs it: the real binary in an empty directory.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

fn faultmaven(directory: &Path, arguments: &[&str]) -> Output {
    with_input(directory, arguments, "")
}

fn with_input(directory: &Path, arguments: &[&str], input: &str) -> Output {
    run(directory, arguments, input, &[])
}

fn with_env(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    run(directory, arguments, "", variables)
}

fn run(directory: &Path, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_faultmaven"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        // The key command of a test is run by a shell.
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied())
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

/// The server as a child process, killed when dropped.
struct Serving {
    child: Child,
    /// Kept open, or the server would write into a closed pipe.
    _log: std::io::Lines<BufReader<ChildStderr>>,
}

impl Serving {
    fn start(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faultmaven"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(directory)
            .env_clear()
            .env("FAULTMAVEN_SEARCH__MODEL", "none")
            .env("FAULTMAVEN_LOG__FORMAT", "json")
            .env("FAULTMAVEN_DISK__FLOOR_MIB", "0")
            .env("FAULTMAVEN_DISK__RESERVE_MIB", "1")
            .env("FAULTMAVEN_BACKUP__EVERY_HOURS", "0")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let serving = |line: &String| line.contains("\"message\":\"serving\"");
        let found = log.by_ref().map_while(Result::ok).any(|line| serving(&line));
        assert!(found, "the server serves");
        Self { child, _log: log }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asserts a failure that is told in one line.
#[track_caller]
fn refused(output: &Output, with: &str) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("faultmaven: ")).collect();
    assert!(lines.len() == 1 && lines[0].contains(with), "{said}");
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", out(output), err(output));
    out(output)
}

#[test]
fn an_encrypted_store_is_made_with_its_key_and_opens_with_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let inside = ["init", "--encrypt", "--new-key-file", "faultmaven-data/key"];
    refused(&faultmaven(at, &inside), "lies in the data directory");
    let said = done(&faultmaven(at, &["init", "--encrypt"]));
    assert!(said.contains("faultmaven-data.key") && said.contains("safe place"), "{said}");
    let file = at.join("faultmaven-data.key");
    let key = std::fs::read_to_string(&file).unwrap();
    assert_eq!(key.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    refused(&faultmaven(at, &["init"]), "holds a store already");
    refused(&faultmaven(at, &["check"]), "is encrypted and no master key is configured");
    let by_file = [("FAULTMAVEN_MASTER_KEY_FILE", "faultmaven-data.key")];
    done(&with_env(at, &["check"], &by_file));
    let by_command = [("FAULTMAVEN_KEY_COMMAND", "cat faultmaven-data.key")];
    done(&with_env(at, &["check"], &by_command));
    let by_text = [("FAULTMAVEN_MASTER_KEY", key.trim())];
    done(&with_env(at, &["check"], &by_text));
    let shown = with_env(at, &["config", "print", "--origin"], &by_text);
    assert!(!done(&shown).contains(key.trim()) && !err(&shown).contains(key.trim()));
    let other = "0f".repeat(32);
    let wrong = with_env(at, &["check"], &[("FAULTMAVEN_MASTER_KEY", &other)]);
    refused(&wrong, "does not open the store");
    assert!(!err(&wrong).contains(&other));
    let both = [by_file[0], by_text[0]];
    refused(&with_env(at, &["check"], &both), "the master key comes from one place");
    let server = with_env(at, &["serve", "--listen", "127.0.0.1:0"], &[]);
    refused(&server, "is encrypted and no master key is configured");
}

#[test]
fn a_plain_store_refuses_a_key() {
    let directory = tempfile::tempdir().unwrap();
    done(&faultmaven(directory.path(), &["init"]));
    let key = "0f".repeat(32);
    let run = with_env(directory.path(), &["check"], &[("FAULTMAVEN_MASTER_KEY", &key)]);
    refused(&run, "is not encrypted, but FAULTMAVEN_MASTER_KEY is configured");
}

#[test]
fn a_plain_store_is_encrypted_by_restoring_its_backup_with_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    done(&faultmaven(at, &["init"]));
    done(&faultmaven(at, &["backup", "create", "--output", "plain.tar.zst"]));
    let key = "0f".repeat(32);
    let key = [("FAULTMAVEN_MASTER_KEY", key.as_str())];
    done(&with_env(at, &["backup", "restore", "plain.tar.zst"], &key));
    done(&with_env(at, &["check"], &key));
    refused(&faultmaven(at, &["check"]), "is encrypted and no master key is configured");
}

#[test]
fn a_generated_key_is_new_and_is_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let generate = |more: &[&str]| {
        let arguments: Vec<_> =
            ["key", "generate"].into_iter().chain(more.iter().copied()).collect();
        faultmaven(directory.path(), &arguments)
    };
    let (one, two) = (done(&generate(&[])), done(&generate(&[])));
    assert!(one.trim().len() == 64 && one != two);
    done(&generate(&["--output", "a.key"]));
    refused(&generate(&["--output", "a.key"]), "exists already and is not overwritten");
    assert!(!directory.path().join("faultmaven-data").exists());
}

#[test]
fn a_master_key_is_rotated_in_a_closed_store_and_in_one_that_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    done(&faultmaven(at, &["init", "--encrypt", "--new-key-file", "one.key"]));
    let with = |key: &'static str| [("FAULTMAVEN_MASTER_KEY_FILE", key)];
    done(&with_env(at, &["backup", "create", "--output", "early.fmb"], &with("one.key")));
    let said =
        done(&with_env(at, &["key", "rotate", "--new-key-file", "two.key"], &with("one.key")));
    assert!(
        said.contains("key_file one.key") && said.contains("earlier backups open with it here"),
        "{said}"
    );
    refused(&with_env(at, &["check"], &with("one.key")), "does not open the store");
    done(&with_env(at, &["check"], &with("two.key")));
    let old = with_env(at, &["key", "rotate", "--new-key-file", "x.key"], &with("one.key"));
    refused(&old, "does not open the store");
    assert!(!at.join("x.key").exists(), "nothing is left of a refused rotation");

    let server = Serving::start(at, &with("two.key"));
    done(&with_env(at, &["key", "rotate", "--new-key-file", "three.key"], &with("two.key")));
    done(&with_env(at, &["check"], &with("two.key")));
    let backup = json(&with_env(at, &["backup", "create", "-o", "json"], &with("two.key")));
    drop(server);
    refused(&with_env(at, &["check"], &with("two.key")), "does not open the store");
    done(&with_env(at, &["check"], &with("three.key")));
    // A backup made after the rotation has the data keys under the new master key.
    let verify = ["backup", "verify", backup["path"].as_str().unwrap()];
    done(&with_env(at, &verify, &with("three.key")));
    // One from before has the same data keys, which this store's ring holds under the new one.
    done(&with_env(at, &["backup", "verify", "early.fmb"], &with("three.key")));
    done(&with_env(at, &["backup", "restore", "early.fmb"], &with("three.key")));
    done(&with_env(at, &["check"], &with("three.key")));
    refused(&with_env(at, &verify, &with("two.key")), "not the one");
    let status = ["key", "status", "-o", "json"];
    let status: Value =
        serde_json::from_str(&done(&with_env(at, &status, &with("three.key")))).unwrap();
    assert_eq!((&status["encrypted"], &status["opens"]), (&true.into(), &true.into()));
    assert_eq!(status["data_keys"], 1);
    refused(&with_env(at, &["key", "status"], &with("one.key")), "does not open it");
    let inside = ["key", "rotate", "--new-key-file", "faultmaven-data/four.key"];
    refused(&with_env(at, &inside, &with("three.key")), "lies in the data directory");
}

#[test]
fn a_store_is_compacted_closed_and_served() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    refused(&faultmaven(at, &["compact"]), "no store in");
    done(&faultmaven(at, &["init"]));
    let figures = |output: &Output| -> (u64, u64) {
        let answer: Value = serde_json::from_str(&done(output)).unwrap();
        let figure = |name: &str| answer[name].as_u64().unwrap();
        (figure("before_bytes"), figure("after_bytes"))
    };
    let (before, after) = figures(&faultmaven(at, &["compact", "-o", "json"]));
    assert!(before > 0 && after > 0);
    let _server = Serving::start(at, &[]);
    let (before, after) = figures(&faultmaven(at, &["compact", "-o", "json"]));
    assert!(before > 0 && after > 0);
    done(&faultmaven(at, &["check"]));
}

#[test]
fn care_of_a_store_is_on_record_closed_and_served() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    create_admin(at, "ada", &[]);
    let mut before = entries(at, &[]);
    let mut grown = || {
        for command in ["check", "compact", "reindex"] {
            let run = faultmaven(at, &[command]);
            assert!(!err(&run).contains("audit trail"), "{}", err(&run));
            done(&run);
        }
        let grown = entries(at, &[]) - before;
        before += grown;
        grown
    };
    assert_eq!(grown(), 4, "the check that counts, then the three");
    let server = Serving::start(at, &[]);
    assert_eq!(grown(), 4);
    drop(server);
}

#[test]
fn a_store_of_an_earlier_format_is_migrated_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let data = at.join("faultmaven-data");
    let expected = super::api::format_1(&data);
    let old = std::fs::read(data.join("store.redb")).unwrap();
    refused(&faultmaven(at, &["check"]), "`faultmaven migrate`");
    let would = done(&faultmaven(at, &["migrate", "--dry-run"]));
    assert!(would.starts_with("would bring the store from format 1 to 2: "), "{would}");
    assert!(std::fs::read(data.join("store.redb")).unwrap() == old && !data.join("db").exists());
    let done_so = done(&faultmaven(at, &["migrate", "-o", "json"]));
    let migrated: Value = serde_json::from_str(&done_so).unwrap();
    assert_eq!((&migrated["from"], &migrated["to"]), (&1.into(), &2.into()));
    let before = Path::new(migrated["before"].as_str().unwrap()).join("store.redb");
    assert!(std::fs::read(at.join(before)).unwrap() == old);
    let check = done(&faultmaven(at, &["check", "-o", "json"]));
    let checked: Value = serde_json::from_str(&check).unwrap();
    assert_eq!(checked["audit_entries"], expected["audit_entries"]);
    let again = done(&faultmaven(at, &["migrate"]));
    assert!(again.contains("nothing to do"), "{again}");
}

/// Checks the store, which must be sane; answers how many audit entries it held before the check,
/// which leaves one more.
fn entries(directory: &Path, variables: &[(&str, &str)]) -> u64 {
    let check = with_env(directory, &["check", "-o", "json"], variables);
    let checked: Value = serde_json::from_str(&done(&check)).unwrap();
    assert_eq!(checked["faults"], serde_json::json!([]));
    checked["audit_entries"].as_u64().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&done(output)).unwrap()
}

fn create_admin(directory: &Path, name: &str, variables: &[(&str, &str)]) {
    let email = format!("{name}@example.org");
    let create = ["admin", "create", "--username", name, "--email", &email, "--password-stdin"];
    done(&run(directory, &create, "correct horse battery staple\n", variables));
}

fn backed_up_and_restored(variables: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let ask = |arguments: &[&str]| with_env(at, arguments, variables);
    refused(&ask(&["backup", "create"]), "no store in");
    create_admin(at, "ada", variables);
    let made = json(&ask(&["backup", "create", "-o", "json"]));
    assert!(made["rows"].as_u64().unwrap() > 3, "{made}");
    let first = made["path"].as_str().unwrap().to_owned();
    let before = entries(at, variables);
    create_admin(at, "bob", variables);
    {
        let _server = Serving::start(at, variables);
        let chosen = at.join("chosen.backup");
        let chosen = chosen.to_str().unwrap();
        json(&ask(&["backup", "create", "--output", chosen, "-o", "json"]));
        refused(&ask(&["backup", "create", "--output", chosen]), "exists already");
        refused(&ask(&["backup", "restore", &first]), "stop it before a restore");
    }
    assert_eq!(json(&ask(&["backup", "list", "-o", "json"])).as_array().unwrap().len(), 1);
    for file in [first.as_str(), "chosen.backup"] {
        assert!(
            done(&ask(&["backup", "verify", file])).starts_with("the backup is good"),
            "{file}"
        );
    }
    let restored = json(&ask(&["backup", "restore", &first, "-o", "json"]));
    // What was recorded after the backup was taken is not in it; the backup itself is recorded later.
    assert_eq!(entries(at, variables), before - 1);
    let kept = Path::new(restored["before"].as_str().unwrap());
    assert!(at.join(kept).join("db/store.db").exists(), "{restored}");
    create_admin(at, "bob", variables);
    done(&ask(&["backup", "restore", "chosen.backup"]));
    assert!(entries(at, variables) > before);

    let mut damaged = std::fs::read(at.join(&first)).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(at.join("damaged.backup"), damaged).unwrap();
    let now = entries(at, variables);
    for command in ["verify", "restore"] {
        assert_eq!(ask(&["backup", command, "damaged.backup"]).status.code(), Some(1));
    }
    assert_eq!(entries(at, variables), now + 1, "a damaged backup changes nothing");
}

#[test]
fn a_store_is_backed_up_and_restored() {
    backed_up_and_restored(&[]);
}

#[test]
fn an_encrypted_store_is_backed_up_and_restored() {
    backed_up_and_restored(&[("FAULTMAVEN_MASTER_KEY", &"3c".repeat(32))]);
}

#[test]
fn a_store_is_restored_to_a_point_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let ask = |arguments: &[&str]| with_env(at, arguments, &[]);
    // The archive is written by a server, at the latest when it stops.
    let serve_until_stopped = || {
        let mut server = Serving::start(at, &[]);
        let pid = server.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(server.child.wait().unwrap().success());
    };
    create_admin(at, "ada", &[]);
    serve_until_stopped();
    let file = json(&ask(&["backup", "create", "-o", "json"]))["path"].clone();
    create_admin(at, "bob", &[]);
    serve_until_stopped();
    let before = entries(at, &[]);
    let file = file.as_str().unwrap();
    let restore = ["backup", "restore", file, "--at", "2999-01-01T00:00:00Z", "-o", "json"];
    // Twice: a first try, of the wrong moment perhaps, must not cost the archive.
    let replayed = [(); 2].map(|()| {
        let restored = json(&ask(&restore));
        assert_eq!(entries(at, &[]), before);
        restored["replayed"].as_u64().unwrap()
    });
    assert!(replayed[0] > 0 && replayed[0] == replayed[1], "{replayed:?}");
    let config = std::fs::read_to_string(at.join("faultmaven-data/restored-config.toml")).unwrap();
    assert!(config.contains("[backup]"), "{config}");
    let usage = ask(&["backup", "restore", "x", "--at", "yesterday"]);
    assert_eq!(usage.status.code(), Some(2));
}
