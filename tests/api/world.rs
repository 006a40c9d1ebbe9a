//! A running server, the people who use it, and their requests.

use faultmaven::app::{Config, Server};
use faultmaven::base::{Actor, Clock, Ids, Time};
use faultmaven::users;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The instant at which every test begins.
pub(crate) const START: Time = Time::from_unix_us(1_790_000_000_000_000);
/// Longest wait for background work: generous, because machines differ; tests end as soon as it is
/// done.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A password that satisfies the rules.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A job that took this long may wait for the clock.
const LONG: Duration = Duration::from_millis(400);
/// What such a job waits for, at least.
const LOOK_AGAIN_MS: i64 = 600;

/// One server on its own directory and port. Its clock stands still until a test moves it.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) directory: Arc<TempDir>,
    base: String,
    server: Option<Server>,
    runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A server whose configuration a test changes first.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        Self::over(directory, Clock::standing_at(START), change)
    }

    pub(crate) fn over(
        directory: Arc<TempDir>,
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".into(),
            data_dir: directory.path().join("data"),
            ..Config::default()
        };
        config.search.models_dir =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embed");
        config.search.model = "bert-tiny".into();
        config.http.workers = 2;
        config.http.drain_seconds = 10;
        // No test may depend on what the machine has left, or leave it less.
        config.disk.floor_mib = 0;
        config.disk.reserve_mib = 1;
        config.backup.every_hours = 0;
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server =
            runtime.block_on(Server::start(&config, clock.clone(), Ids::system())).unwrap();
        let base = format!("http://{}", server.address());
        Self { clock, directory, base, server: Some(server), runtime }
    }

    /// Stops the server and starts another on the same directory.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    /// The same with a configuration that a test changes first.
    pub(crate) fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.close();
        Self::over(Arc::clone(&self.directory), self.clock.clone(), change)
    }

    /// Makes an administrator and signs in.
    pub(crate) fn admin(&self, name: &str) -> Person {
        let (ids, now) = (Ids::system(), self.clock.now());
        let db = self.server.as_ref().expect("a server").db().clone();
        let hasher = users::Hasher::new(users::HashCost::default(), &ids).unwrap();
        let application = users::Application {
            username: name.into(),
            email: format!("{name}@example.org"),
            display_name: None,
            password: Some(users::Password::new(PASSWORD.into())),
        };
        let actor = Actor::System("test");
        users::create_admin(&db, &hasher, &ids, now, &actor, &application).unwrap();
        self.sign_in(name)
    }

    fn close(&mut self) {
        if let Some(server) = self.server.take() {
            let faults = server.db().check().unwrap();
            self.runtime.block_on(server.stop());
            if !std::thread::panicking() {
                assert_eq!(faults, vec![], "the store is not sane after the test");
            }
        }
    }

    /// A request by nobody.
    pub(crate) fn anonymous(&self) -> Person {
        let (base, clock) = (self.base.clone(), self.clock.clone());
        Person { base, token: None, user_id: String::new(), clock }
    }

    /// Registers a person and signs in.
    pub(crate) fn person(&self, name: &str) -> Person {
        let anonymous = self.anonymous();
        let body = json!({
            "username": name, "email": format!("{name}@example.org"),
            "display_name": name, "password": PASSWORD,
        });
        anonymous.post("/auth/register", &body).expect(201);
        self.sign_in(name)
    }

    /// Signs an existing person in.
    pub(crate) fn sign_in(&self, name: &str) -> Person {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = self.anonymous().post("/auth/login", &body).expect(200);
        Person {
            base: self.base.clone(),
            token: Some(answer["access_token"].as_str().unwrap().to_owned()),
            user_id: answer["user"]["user_id"].as_str().unwrap().to_owned(),
            clock: self.clock.clone(),
        }
    }

    /// `host:port` of the server.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.close();
    }
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) base: String,
    pub(crate) token: Option<String>,
    pub(crate) user_id: String,
    /// The world's.
    clock: Clock,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON, after asserting the status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// A refusal: the status, and the stable code in body and header.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(self.header("x-error-code"), code);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(problem["request_id"].is_string() && problem["detail"].is_string(), "{problem}");
        problem
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// One part of a multipart form.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) filename: Option<&'a str>,
    pub(crate) content: &'a [u8],
}

const BOUNDARY: &str = "fm-test-boundary-7f3a";

/// A multipart body, whole.
pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let filename = part.filename.map(|f| format!("; filename=\"{f}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"{filename}\r\n\r\n",
                part.name
            )
            .as_bytes(),
        );
        body.extend_from_slice(part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

impl Person {
    fn url(&self, path: &str) -> String {
        let rooted = ["/livez", "/readyz", "/metrics", "/openapi", "/docs", "/setup", "/healthz"];
        if path.starts_with("/api") || rooted.iter().any(|r| path.starts_with(r)) {
            format!("{}{path}", self.base)
        } else {
            format!("{}/api/v1{path}", self.base)
        }
    }

    /// Sends a request with any body and further headers.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = if body.is_empty() && ["GET", "DELETE"].contains(&method) {
            agent.run(request.body(()).unwrap()).unwrap()
        } else {
            agent.run(request.body(body).unwrap()).unwrap()
        };
        let text = answer.body_mut().read_to_string().unwrap();
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
    }

    fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        self.send(method, path, &json, body.to_string().as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_json("POST", path, body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_json("PUT", path, body)
    }

    /// Sends a multipart form.
    pub(crate) fn post_form(&self, path: &str, body: &[u8]) -> Answer {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send("POST", path, &[("Content-Type", &kind)], body)
    }

    /// Opens a case that is being investigated; answers its id.
    pub(crate) fn open_case(&self, title: &str) -> String {
        let body = json!({ "title": title, "description": "checkout answers 502" });
        let case = self.post("/cases", &body).expect(201);
        let id = case["case_id"].as_str().unwrap().to_owned();
        self.post(&format!("/cases/{id}/status"), &json!({ "status": "investigating" }))
            .expect(200);
        id
    }

    /// Uploads a file into a case; answers the upload's body.
    #[track_caller]
    pub(crate) fn upload(&self, case: &str, filename: &str, content: &[u8]) -> Value {
        let body = form(&[Part { name: "file", filename: Some(filename), content }]);
        self.post_form(&format!("/cases/{case}/files"), &body).expect(202)
    }

    /// Waits until a job ended by reading its event stream to the end; answers the job. While it
    /// takes long, time goes on: on a busy machine a job may have to be looked at again later.
    #[track_caller]
    pub(crate) fn wait(&self, job: &Value) -> Value {
        let path = format!("/jobs/{}/events", job.as_str().expect("a job id"));
        let (done, waiting) = std::sync::mpsc::channel::<()>();
        let clock = self.clock.clone();
        let stream = std::thread::scope(|scope| {
            scope.spawn(move || {
                while waiting.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                    clock.advance_ms(LOOK_AGAIN_MS);
                }
            });
            let stream = self.get(&path);
            drop(done);
            stream
        });
        assert_eq!(stream.status, 200, "{}", stream.text);
        let last = stream.text.lines().rev().find_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(last.expect("an event")).unwrap()
    }
}
