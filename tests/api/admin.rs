//! Care of the store over HTTP: figures, check, compaction, a full disk, and the feed of changes.

use super::world::{Answer, Person, World};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

#[test]
fn only_administrators_take_care_of_the_store() {
    let world = World::new();
    let ada = world.person("ada");
    let asked = |who: &Person| {
        vec![
            who.get("/admin/storage").status,
            who.post("/admin/check", &json!({})).status,
            who.post("/admin/compact", &json!({})).status,
            who.get("/admin/changes").status,
            who.put("/admin/changes/one", &json!({ "sequence": 0 })).status,
            who.delete("/admin/changes/one").status,
        ]
    };
    assert_eq!(asked(&ada), [403; 6]);
    assert_eq!(asked(&world.anonymous()), [401; 6]);
}

#[test]
fn the_store_is_measured_checked_and_compacted_while_it_serves() {
    let world = World::new();
    let root = world.admin("root");
    let ada = world.person("ada");
    for n in 0..20 {
        ada.open_case(&format!("case {n}"));
    }
    let storage = root.get("/admin/storage").expect(200);
    let figure = |name: &str| storage[name].as_u64().unwrap_or_else(|| panic!("{name}: {storage}"));
    assert!(figure("file_bytes") >= figure("live_bytes") && figure("live_bytes") > 1000);
    assert!(figure("log_bytes") > 0 && figure("free_bytes") > 0 && figure("sequence") > 20);
    assert_eq!((&storage["full"], &storage["poisoned"]), (&json!(false), &json!(false)));
    assert_eq!(storage["store_id"].as_str().unwrap().len(), 32);
    let compacted = root.post("/admin/compact", &json!({})).expect(200);
    assert!(compacted["before_bytes"].as_u64() >= compacted["after_bytes"].as_u64(), "{compacted}");
    let checked = root.post("/admin/check", &json!({})).expect(200);
    assert_eq!(checked["faults"], json!([]));
    assert_eq!(ada.get("/cases").expect(200)["total_count"], 20);
    let metrics = world.anonymous().get("/metrics").text;
    for name in ["disk_free_bytes", "store_file_bytes", "store_live_bytes", "log_bytes"] {
        assert!(metrics.contains(&format!("faultmaven_{name} ")), "{name} in\n{metrics}");
    }
    assert!(metrics.contains("faultmaven_store_read_only 0"), "{metrics}");
}

#[test]
fn on_a_full_disk_reads_and_deletes_go_on_and_writing_resumes() {
    let world = World::new();
    world.admin("root");
    let ada = world.person("ada");
    let (kept, spare) = (ada.open_case("kept"), ada.open_case("spare"));
    // No disk has four exabytes left.
    let world = world.restart_with(|config| config.disk.floor_mib = u32::MAX);
    let ready = world.anonymous().get("/readyz?verbose").expect(200);
    let disk =
        ready["components"].as_array().unwrap().iter().find(|c| c["name"] == "disk").unwrap();
    assert_eq!((&ready["status"], &disk["state"]), (&json!("degraded"), &json!("degraded")));
    let (root, ada) = (world.sign_in("root"), world.sign_in("ada"));
    let refused = |answer: Answer| {
        answer.refused(507, "disk_full");
        assert_eq!(answer.header("retry-after"), "30");
    };
    refused(ada.post("/cases", &json!({ "title": "one more" })));
    refused(ada.put(&format!("/cases/{kept}"), &json!({ "title": "other" })));
    refused(ada.send("PATCH", &format!("/cases/{kept}"), &[], b"{}"));
    assert_eq!(ada.get(&format!("/cases/{kept}")).status, 200);
    assert_eq!(ada.post("/knowledge/search", &json!({ "query": "pool" })).status, 200);
    assert_eq!(ada.delete(&format!("/cases/{spare}")).status, 204);
    assert_eq!(ada.post("/nothing/here", &json!({})).status, 404);
    root.post("/admin/check", &json!({})).expect(200);
    root.post("/admin/compact", &json!({})).expect(200);
    let metrics = world.anonymous().get("/metrics").text;
    assert!(metrics.contains("faultmaven_store_read_only 1"), "{metrics}");
    let world = world.restart();
    let ada = world.sign_in("ada");
    ada.post("/cases", &json!({ "title": "one more" })).expect(201);
    assert_eq!(ada.get("/cases").expect(200)["total_count"], 2);
}

/// An open stream of changes.
struct Stream {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Stream {
    fn open(world: &World, who: &Person, query: &str, last: Option<u64>) -> Self {
        let mut socket = TcpStream::connect(world.address()).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let token = who.token.as_ref().unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            socket,
            "GET /api/v1/admin/changes{query} HTTP/1.1\r\nHost: test\r\n\
             Authorization: Bearer {token}\r\n{last}\r\n"
        )
        .unwrap();
        let mut lines = BufReader::new(socket).lines();
        let status = lines.next().unwrap().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        Self { lines }
    }

    /// The next event's id and data.
    fn next(&mut self) -> (u64, Value) {
        let mut id = None;
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().ok();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (id.unwrap(), serde_json::from_str(data).unwrap());
            }
        }
        panic!("the stream ended");
    }

    /// Reads on until a commit changes a row of `table`; answers its sequence.
    fn until(&mut self, table: &str, op: &str) -> u64 {
        loop {
            let (id, event) = self.next();
            assert_eq!(event["sequence"], id);
            let rows = event["changes"].as_array().unwrap();
            if rows.iter().any(|row| row["table"] == table && row["op"] == op) {
                return id;
            }
        }
    }
}

#[test]
fn changes_are_told_as_they_are_made_and_resume_where_a_reader_stopped() {
    let world = World::new();
    let (root, ada) = (world.admin("root"), world.person("ada"));
    let mut live = Stream::open(&world, &root, "", None);
    let title = "a title that no event may hold";
    let case = ada.open_case(title);
    let first = live.until("cases", "put");
    ada.delete(&format!("/cases/{case}")).expect(204);
    let second = live.until("cases", "delete");
    assert!(second > first);
    drop(live);
    let mut again = Stream::open(&world, &root, "?consumer=copy", Some(first));
    assert_eq!(again.until("cases", "delete"), second);
    drop(again);
    // The position was kept: without an id the stream resumes after `first`, also after a restart.
    let world = world.restart();
    let root = world.sign_in("root");
    let storage = root.get("/admin/storage").expect(200);
    assert_eq!(storage["consumers"], json!([{ "consumer": "copy", "sequence": first }]));
    let mut resumed = Stream::open(&world, &root, "?consumer=copy", None);
    assert_eq!(resumed.until("cases", "delete"), second);
    drop(resumed);
    root.put("/admin/changes/copy", &json!({ "sequence": second })).expect(200);
    let ahead = root.put("/admin/changes/copy", &json!({ "sequence": second + 100_000 }));
    ahead.refused(409, "changes_ahead");
    assert_eq!(root.delete("/admin/changes/copy").status, 204);
    assert_eq!(root.delete("/admin/changes/copy").status, 404);
    assert_eq!(root.get("/admin/changes?consumer=a%20b").status, 422);
}

#[test]
fn consumers_are_bounded_and_a_shortened_log_says_where_it_begins() {
    let world = World::with(|config| config.search.model = "none".into());
    let root = world.admin("root");
    let now = root.get("/admin/storage").expect(200)["sequence"].as_u64().unwrap();
    for n in 0..16 {
        root.put(&format!("/admin/changes/c{n}"), &json!({ "sequence": now })).expect(200);
    }
    root.put("/admin/changes/c16", &json!({ "sequence": now })).refused(409, "consumers_max");
    for n in 0..16 {
        root.delete(&format!("/admin/changes/c{n}")).expect(204);
    }
    // Nobody holds the log now. It is shortened by whole segments, of which this fills some.
    let page = "Restart the worker, then look at the pool.\n\n".repeat(12_000);
    for n in 0..8 {
        let document = json!({ "title": format!("page {n}"), "content": page });
        root.post("/knowledge/documents", &document).expect(201);
    }
    let world = world.restart();
    let root = world.sign_in("root");
    let gone = root.send("GET", "/admin/changes", &[("Last-Event-ID", "0")], b"");
    gone.refused(410, "changes_gone");
    let oldest: u64 = gone.header("x-oldest-sequence").parse().unwrap();
    assert!(oldest > 0 && gone.text.contains(&oldest.to_string()), "{}", gone.text);
}

#[test]
fn a_stop_ends_the_streams() {
    let world = World::new();
    let root = world.admin("root");
    let stream = Stream::open(&world, &root, "", None);
    let begun = std::time::Instant::now();
    let world = world.restart();
    assert!(begun.elapsed() < std::time::Duration::from_secs(9), "the drain time was not needed");
    assert!(stream.lines.map_while(Result::ok).all(|line| !line.starts_with("event: gone")));
    drop(world);
}

/// Every file below a directory.
fn files(at: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

fn found_in(directory: &Path, marker: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(directory, &mut all);
    let holds = |path: &PathBuf| {
        let content = std::fs::read(path).unwrap();
        memchr::memmem::find(&content, marker.as_bytes()).is_some()
    };
    all.into_iter().filter(holds).collect()
}

#[test]
fn nothing_that_is_stored_can_be_read_from_the_files_of_an_encrypted_store() {
    const MARKER: &str = "xylophonequagga";
    let fill = |key: Option<&str>| {
        let key_command = key.map(|key| format!("echo {key}")).unwrap_or_default();
        let world = World::with(|config| config.key_command = key_command.clone());
        let (root, ada) = (world.admin("root"), world.person("ada"));
        let case = ada.open_case(&format!("case {MARKER}"));
        let log = format!("2026-01-01 00:00:00 ERROR {MARKER} failed\n").repeat(20);
        let upload = ada.upload(&case, "app.log", log.as_bytes());
        assert_eq!(ada.wait(&upload["job_id"])["status"], "completed");
        let page = format!("# {MARKER}\n\nLook at the {MARKER} first.\n");
        let document = json!({ "title": MARKER, "content": page });
        let made = ada.post("/knowledge/documents", &document).expect(201);
        // A job that waits for the indexer looks again when the clock goes on.
        let job = format!("/jobs/{}?follow=false", made["job_id"].as_str().unwrap());
        let indexed = (0..1000).any(|_| {
            world.clock.advance_ms(500);
            ada.get(&job).expect(200)["status"] == "completed"
        });
        assert!(indexed, "the page is indexed");
        let query = json!({ "query": MARKER, "mode": "lexical" });
        let found = ada.post("/knowledge/search", &query).expect(200);
        assert_eq!(found["results"].as_array().unwrap().len(), 1);
        let job = root.post("/admin/backup", &json!({})).expect(202)["job_id"].clone();
        assert_eq!(root.wait(&job)["status"], "completed");
        let directory = std::sync::Arc::clone(&world.directory);
        // A stop writes what was still in memory: the word index, the archive.
        drop(world);
        directory
    };
    let plain = fill(None);
    let data = plain.path().join("data");
    for part in ["db", "blobs"] {
        assert!(!found_in(&data.join(part), MARKER).is_empty(), "{part} shows what it holds");
    }
    let sealed = fill(Some(&"7e".repeat(32)));
    let data = sealed.path().join("data");
    for part in ["db", "blobs", "text", "archive", "backups"] {
        assert!(data.join(part).exists(), "{part}");
    }
    assert_eq!(found_in(&data, MARKER), Vec::<PathBuf>::new());
}
