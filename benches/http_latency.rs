//! Targets (seed 17.2): user authentication < 50 ms, full case load < 20 ms, evidence query < 10 ms,
//! knowledge search < 200 ms. Measured over HTTP on loopback under 8 connections, server and clients
//! on the same cores. Run as a plain program: it prints p50 and p99 per operation.

#![allow(clippy::print_stdout, reason = "a bench that reports to the terminal")]

use faultmaven::app::{Config, Server};
use faultmaven::base::{Clock, Ids};
use serde_json::{Value, json};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 8;
const RUN: Duration = Duration::from_secs(3);
const EVIDENCE: usize = 200;
const DOCUMENTS: usize = 200;
const PASSWORD: &str = "correct horse battery staple";

struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    fn new(base: &str, token: &str) -> Self {
        Self { agent: ureq::Agent::new_with_defaults(), base: base.into(), token: token.into() }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.base));
        let mut answer = request
            .header("Authorization", format!("Bearer {}", self.token))
            .send_json(body)
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        answer.body_mut().read_json().expect("a JSON answer")
    }

    fn get(&self, path: &str) -> String {
        let request = self.agent.get(format!("{}{path}", self.base));
        let mut answer = request
            .header("Authorization", format!("Bearer {}", self.token))
            .call()
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        answer.body_mut().read_to_string().expect("a body")
    }
}

/// Runs one operation on all connections and prints its latency.
fn measure(name: &str, target: &str, base: &str, token: &str, act: impl Fn(&Client, usize) + Sync) {
    let until = Instant::now() + RUN;
    let mut took: Vec<Duration> = thread::scope(|scope| {
        let act = &act;
        let spawn = |connection: usize| {
            scope.spawn(move || {
                let client = Client::new(base, token);
                let mut took = Vec::new();
                while Instant::now() < until {
                    let start = Instant::now();
                    act(&client, connection * 100_000 + took.len());
                    took.push(start.elapsed());
                }
                took
            })
        };
        let spawned: Vec<_> = (0..CONNECTIONS).map(spawn).collect();
        spawned.into_iter().flat_map(|t| t.join().expect("a connection")).collect()
    });
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let rate = took.len() as f64 / RUN.as_secs_f64();
    println!("{name:<34} {target:>9} {:>9.2} {:>9.2} {rate:>9.0}", at(0.50), at(0.99));
}

fn main() {
    let directory = tempfile::tempdir_in(".").expect("a directory on the disk under test");
    let config = Config {
        listen: "127.0.0.1:0".into(),
        data_dir: directory.path().join("data"),
        search: faultmaven::app::Search {
            models_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("models"),
            ..Config::default().search
        },
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let start = Instant::now();
    let server =
        runtime.block_on(Server::start(&config, Clock::system(), Ids::system())).expect("a server");
    println!("start to serving: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let base = format!("http://{}/api/v1", server.address());
    let ada = json!({
        "username": "ada", "email": "ada@example.org", "display_name": "Ada", "password": PASSWORD,
    });
    let nobody = Client::new(&base, "");
    nobody.post("/auth/register", &ada);
    let credentials = json!({ "username": "ada", "password": PASSWORD });
    let signed_in = nobody.post("/auth/login", &credentials);
    let token = signed_in["access_token"].as_str().expect("a token").to_owned();
    let client = Client::new(&base, &token);
    let case = client.post("/cases", &json!({ "title": "bench", "description": "x" }));
    let case = case["case_id"].as_str().expect("a case").to_owned();
    for at in 0..EVIDENCE {
        let content = format!("observation {at}: {}", "the pool is exhausted ".repeat(20));
        let evidence =
            json!({ "content": content, "source_type": "user_report", "form": "user_input" });
        client.post(&format!("/cases/{case}/evidence"), &evidence);
    }
    for at in 0..DOCUMENTS {
        let content = format!(
            "# Runbook {at}\n\nWhen service number {at} fails, drain node {at} and restart it. {}",
            "Watch the queue length, the error rate and the latency while it comes back. "
                .repeat(8)
        );
        let document = json!({ "title": format!("Runbook {at}"), "content": content, "document_type": "runbook" });
        let made = client.post("/knowledge/documents", &document);
        let job = made["job_id"].as_str().expect("a job");
        if at + 1 == DOCUMENTS {
            client.get(&format!("/jobs/{job}/events"));
        }
    }
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9}",
        "operation", "target ms", "p50 ms", "p99 ms", "per s"
    );
    let case_path = format!("/cases/{case}");
    let full = format!("{case_path}?include=evidence,hypotheses,solutions,messages,files,tags");
    let evidence = format!("{case_path}/evidence?limit=20");
    measure("case load", "20", &base, &token, |c, _| drop(c.get(&case_path)));
    measure("full case load, 200 evidence", "20", &base, &token, |c, _| drop(c.get(&full)));
    measure("evidence list, 20 of 200", "10", &base, &token, |c, _| drop(c.get(&evidence)));
    measure("knowledge search (hybrid), k=5", "200", &base, &token, |c, at| {
        let query = json!({ "query": format!("service {} keeps failing", at % 977), "k": 5 });
        drop(c.post("/knowledge/search", &query));
    });
    measure("create a case (durable)", "", &base, &token, |c, at| {
        drop(c.post("/cases", &json!({ "title": format!("case {at}") })));
    });
    measure("login (Argon2id 19 MiB, t=2)", "50", &base, &token, |c, _| {
        drop(c.post("/auth/login", &credentials));
    });
    runtime.block_on(server.stop());
}
