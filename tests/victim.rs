//! The real binary as a process of its own.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A server told to stop ends well within this time, though it may take [`DRAIN_SECONDS`].
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Far longer than any test waits: a stop that needs the drain time is seen.
const DRAIN_SECONDS: &str = "600";

/// The binary under test: the one cargo built with the tests, or one a drill names.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("FAULTMAVEN_DRILL_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_faultmaven").into(), PathBuf::from)
}

/// A server process that a test may end in any way.
pub(crate) struct Victim {
    child: Child,
    /// From the start of the process until it served.
    pub(crate) started_in: Duration,
    /// Where it serves.
    pub(crate) base: String,
    /// What it logs after it began to serve.
    pub(crate) log: Receiver<String>,
}

impl Victim {
    /// Starts the binary on a free port and waits until it says that it serves.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    /// As [`Victim::start`] with further variables of the environment.
    pub(crate) fn start_with(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(directory)
            .env_clear()
            .env("FAULTMAVEN_SEARCH__MODEL", "none")
            .env("FAULTMAVEN_LOG__FORMAT", "json")
            .env("FAULTMAVEN_HTTP__DRAIN_SECONDS", DRAIN_SECONDS)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let base = loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("it does not serve: {said:#?}")).unwrap();
            if let Ok(Value::Object(event)) = serde_json::from_str(&line)
                && event.get("message").is_some_and(|m| m == "serving")
            {
                break format!("http://{}", event["address"].as_str().unwrap());
            }
            said.push(line);
        };
        // Somebody must read on, or the server would block on a full pipe.
        let (tell, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|l| tell.send(l)));
        Self { child, base, log, started_in: begun.elapsed() }
    }

    /// Sends a body; `None` when no answer came.
    pub(crate) fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request = agent.post(format!("{}/api/v1{path}", self.base));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send_json(body).ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_json().ok()?))
    }

    /// Reads as somebody.
    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .get(format!("{}/api/v1{path}", self.base))
            .header("Authorization", format!("Bearer {token}"))
            .call()
            .unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or(Value::Null))
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Its exit code and the rest of its log, if it ends in time.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > ENDS_WITHIN {
                self.child.kill().unwrap();
                panic!("still running; log: {:#?}", self.log.try_iter().collect::<Vec<_>>());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), self.log.iter().collect())
    }

    /// Waits for a line of the log.
    pub(crate) fn says(&self, part: &str) {
        while !self.log.recv_timeout(ENDS_WITHIN).expect(part).contains(part) {}
    }

    /// Sends the head of a request and leaves the connection open.
    pub(crate) fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.base.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(ENDS_WITHIN)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    /// SIGKILL: no destructor, no drain.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
