//! `kill -9` at any moment: the real binary is killed under load and started again; everything it
//! acknowledged must be there. And the gentle way: a signal ends it soon, whatever is still open.

use super::victim::{ENDS_WITHIN, Victim};
use faultmaven::app::schema;
use faultmaven::base::{Clock, Ids, Json};
use faultmaven::engine::db::{Db, Options};
use faultmaven::jobs::{NewJob, submit};
use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Times the server is killed.
const CYCLES: usize = 4;
/// Cases that are created while the server waits to be killed.
const CASES_PER_CYCLE: usize = 25;
fn token(victim: &Victim) -> String {
    sign_in(victim)["access_token"].as_str().unwrap().to_owned()
}

fn sign_in(victim: &Victim) -> Value {
    let body = json!({ "username": "ada", "password": "correct horse battery staple" });
    let (status, answer) = victim.post("/auth/login", None, &body).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let victim = Victim::start(directory.path());
    let ada = json!({
        "username": "ada", "email": "ada@example.org", "password": "correct horse battery staple",
    });
    assert_eq!(victim.post("/auth/register", None, &ada).unwrap().0, 201);
    victim.kill();
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    let mut documents: Vec<String> = Vec::new();
    for cycle in 0..CYCLES {
        let victim = Victim::start(directory.path());
        let token = token(&victim);
        for at in 0..CASES_PER_CYCLE {
            let title = format!("case {cycle}-{at}");
            let made = victim.post("/cases", Some(&token), &json!({ "title": title }));
            if let Some((201, case)) = made {
                acknowledged.push((case["case_id"].as_str().unwrap().to_owned(), title));
            }
        }
        let word = format!("zebra{cycle}");
        let document = json!({
            "title": word, "document_type": "runbook",
            "content": format!("# {word}\n\nRestart the {word} daemon and watch the queue."),
        });
        let made = victim.post("/knowledge/documents", Some(&token), &document);
        if let Some((201, _)) = made {
            documents.push(word);
        }
        // Killed with the index job most likely still waiting.
        victim.kill();
    }
    assert_eq!(acknowledged.len(), CYCLES * CASES_PER_CYCLE);
    let victim = Victim::start(directory.path());
    let token = token(&victim);
    for (id, title) in &acknowledged {
        let (status, case) = victim.get(&format!("/cases/{id}"), &token);
        assert_eq!((status, case["title"].as_str()), (200, Some(title.as_str())));
    }
    let (_, list) = victim.get("/cases?limit=1", &token);
    assert_eq!(list["total_count"], acknowledged.len(), "no phantom cases");
    // Every interrupted job runs again, and its document is found.
    let (_, jobs) = victim.get("/jobs?limit=100", &token);
    let jobs = jobs["jobs"].as_array().unwrap().clone();
    assert_eq!(jobs.len(), documents.len());
    for job in &jobs {
        let agent: ureq::Agent = ureq::agent();
        let events =
            format!("{}/api/v1/jobs/{}/events", victim.base, job["job_id"].as_str().unwrap());
        let stream = agent.get(events).header("Authorization", format!("Bearer {token}"));
        let text = stream.call().unwrap().body_mut().read_to_string().unwrap();
        assert!(text.contains("\"status\":\"completed\""), "{text}");
    }
    for word in &documents {
        let asked = json!({ "query": word, "k": 3 });
        let (status, found) = victim.post("/knowledge/search", Some(&token), &asked).unwrap();
        assert_eq!(status, 200, "{found}");
        assert_eq!(found["results"][0]["title"], word.as_str(), "{found}");
    }
    victim.kill();
    let check = Command::new(env!("CARGO_BIN_EXE_faultmaven"))
        .args(["check"])
        .current_dir(directory.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

fn register_ada(victim: &Victim) {
    let ada = json!({
        "username": "ada", "email": "ada@example.org", "password": "correct horse battery staple",
    });
    let (status, answer) = victim.post("/auth/register", None, &ada).unwrap();
    assert_eq!(status, 201, "{answer}");
}

/// Puts a job into the closed store that is not due for a day; answers its id.
fn job_for_tomorrow(directory: &Path, owner: &str) -> String {
    let database = directory.join("faultmaven-data/db");
    let db = Db::open_in(&database, Options::default(), schema()).unwrap();
    let now = Clock::system().now().plus_ms(24 * 60 * 60 * 1000);
    let job = NewJob {
        job_id: Ids::system().next(now),
        job_type: "knowledge_index",
        owner: owner.parse().unwrap(),
        case_id: None,
        payload: Json::default(),
        now,
    };
    let id = job.job_id.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(db.write(move |tx| submit(tx, job.clone()))).unwrap();
    id
}

/// A connection in the middle of a request that will never be whole.
fn stuck_request(victim: &Victim) -> TcpStream {
    let token = token(victim);
    let stream = victim.connect(&format!(
        "POST /api/v1/cases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    ));
    // The server must have begun with it.
    std::thread::sleep(Duration::from_millis(300));
    stream
}

#[test]
fn an_open_event_stream_does_not_hold_a_stop() {
    let directory = tempfile::tempdir().unwrap();
    let victim = Victim::start(directory.path());
    register_ada(&victim);
    let ada = sign_in(&victim)["user"]["user_id"].as_str().unwrap().to_owned();
    victim.kill();
    let job = job_for_tomorrow(directory.path(), &ada);
    let victim = Victim::start(directory.path());
    let token = token(&victim);
    let mut stream = victim.connect(&format!(
        "GET /api/v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    ));
    let (mut seen, mut piece) = (String::new(), [0; 4096]);
    while !seen.contains("\"status\":\"pending\"") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    victim.signal("TERM");
    let (code, log) = victim.end();
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(log.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log:#?}");
    stream.read_to_string(&mut seen).unwrap();
    assert!(seen.ends_with("0\r\n\r\n"), "the stream ends in order: {seen}");
    assert!(!directory.path().join("faultmaven-data/operator.json").exists());
}

#[test]
fn a_request_that_never_ends_holds_a_stop_for_the_drain_time_only() {
    let directory = tempfile::tempdir().unwrap();
    let victim = Victim::start_with(directory.path(), &[("FAULTMAVEN_HTTP__DRAIN_SECONDS", "2")]);
    register_ada(&victim);
    let _stuck = stuck_request(&victim);
    victim.signal("TERM");
    let (code, log) = victim.end();
    assert_eq!(code, Some(0), "{log:#?}");
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let victim = Victim::start(directory.path());
    register_ada(&victim);
    let _stuck = stuck_request(&victim);
    victim.signal("TERM");
    victim.says("\"stopping\"");
    victim.signal("INT");
    let (code, log) = victim.end();
    assert_eq!(code, Some(1), "{log:#?}");
    assert_eq!(log.iter().filter(|line| line.contains("second time")).count(), 1, "{log:#?}");
}

#[test]
fn the_setup_link_is_an_event_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let victim = Victim::start(directory.path());
    let event = loop {
        let line = victim.log.recv_timeout(ENDS_WITHIN).expect("the event");
        let event: Value = serde_json::from_str(&line).expect("every line is JSON");
        if event["message"] == "no administrator yet" {
            break event;
        }
    };
    let link = event["setup_url"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/setup?token=", victim.base)), "{link}");
    victim.kill();
}
