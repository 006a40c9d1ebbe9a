//! A client that survives its server: an answer may not come, and that is an answer too.

use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for an answer; a server that is alive is far quicker.
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse battery staple";
const BOUNDARY: &str = "fm-drill-boundary-51c2";

/// A person with a connection.
#[derive(Clone)]
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    name: String,
    token: String,
}

impl Client {
    /// Registers a person, who is not signed in yet.
    pub(super) fn register(base: &str, name: &str) -> Self {
        let client = Self { token: String::new(), ..Self::known(base, name) };
        let body = json!({
            "username": name, "email": format!("{name}@example.org"), "password": PASSWORD,
        });
        let answer = client.send("POST", "/auth/register", Some(&body)).expect("an answer");
        assert_eq!(answer.0, 201, "{}", answer.1);
        client
    }

    fn known(base: &str, name: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { agent, base: base.to_owned(), name: name.to_owned(), token: String::new() }
    }

    /// The same person at a server that has started again; signs in when the session does not hold.
    pub(super) fn at(&self, base: &str) -> Self {
        let mut client = Self { token: self.token.clone(), ..Self::known(base, &self.name) };
        if client.send("GET", "/auth/me", None).is_none_or(|answer| answer.0 != 200) {
            let body = json!({ "username": self.name, "password": PASSWORD });
            let answer = client.send("POST", "/auth/login", Some(&body)).expect("an answer");
            assert_eq!(answer.0, 200, "{}", answer.1);
            client.token = answer.1["access_token"].as_str().unwrap().to_owned();
        }
        client
    }

    /// Sends a request; `None` when no whole answer came.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let body = body.map(Value::to_string);
        let kind = body.as_ref().map(|_| "application/json");
        let (status, bytes) = self.exchange(method, path, kind, body.unwrap_or_default())?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Uploads a file into a case.
    pub(super) fn upload(&self, case: &str, name: &str, content: &str) -> Option<(u16, Value)> {
        let body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"{name}\"\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
        );
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let path = format!("/cases/{case}/files");
        let (status, bytes) = self.exchange("POST", &path, Some(&kind), body)?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// The bytes under a path; what is there must be readable.
    pub(super) fn bytes(&self, path: &str) -> Vec<u8> {
        let (status, bytes) = self.exchange("GET", path, None, String::new()).expect("an answer");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
        bytes
    }

    /// All entries of a list, page by page.
    pub(super) fn list(&self, path: &str, field: &str) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let page = format!("{path}?limit=100&offset={}", found.len());
            let (status, mut body) = self.send("GET", &page, None).expect("an answer");
            assert_eq!(status, 200, "{page}: {body}");
            let Value::Array(items) = body[field].take() else { panic!("{page}: {body}") };
            let last = items.len() < 100;
            found.extend(items);
            if last {
                return found;
            }
        }
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: String,
    ) -> Option<(u16, Vec<u8>)> {
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        if let Some(kind) = kind {
            request = request.header("Content-Type", kind);
        }
        let mut answer = if kind.is_none() {
            self.agent.run(request.body(()).unwrap()).ok()?
        } else {
            self.agent.run(request.body(body).unwrap()).ok()?
        };
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_to_vec().ok()?))
    }
}
