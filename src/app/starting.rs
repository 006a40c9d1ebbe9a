//! What the server answers while its store is not there yet: probes hear how far it is, everybody
//! else to come back.

use crate::base::Class;
use crate::ops::health::Readiness;
use crate::web::{self, Answer, Failure};
use actix_web::dev::ServerHandle;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, to};
use actix_web::{App, HttpRequest, HttpServer};
use serde_json::json;
use std::io;
use std::net::TcpListener;
use tokio::task::JoinHandle;

/// Paths that ask whether the server is of use.
const PROBES: [&str; 4] = ["/readyz", "/readiness", "/healthz", "/health"];
/// Seconds after which a probe is worth repeating.
const RETRY_AFTER_S: &str = "1";

/// Answers until it is ended; the listener itself stays the caller's.
pub(super) struct Starting {
    handle: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl Starting {
    /// Begins to answer.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn begin(listener: &TcpListener, readiness: &Readiness) -> io::Result<Self> {
        let readiness = Data::new(readiness.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(readiness.clone()).default_service(to(answer))
        })
        .workers(1)
        .disable_signals()
        .listen(listener.try_clone()?)?
        .run();
        let handle = server.handle();
        Ok(Self { handle, serving: tokio::spawn(server) })
    }

    /// Ends; who connects from now on waits for the next server on the listener.
    pub(super) async fn end(self) {
        self.handle.stop(false).await;
        // Its failure was logged by itself; the next server has its own.
        let _ = self.serving.await;
    }
}

async fn answer(request: HttpRequest, readiness: Data<Readiness>) -> Answer {
    let path = request.path();
    if path == "/livez" {
        return web::json(StatusCode::OK, &json!({ "status": "ok" }));
    }
    let report = readiness.report();
    if PROBES.contains(&path) {
        let probe = json!({ "status": report.status, "components": report.components });
        let mut answer = web::json(StatusCode::SERVICE_UNAVAILABLE, &probe)?;
        let seconds = header::HeaderValue::from_static(RETRY_AFTER_S);
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        return Ok(answer);
    }
    let told: Vec<_> = report.components.into_iter().map(|component| component.message).collect();
    let detail = format!("the server is starting: {}", told.join("; "));
    Err(Failure::new(Class::Unavailable, "starting", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::health::State;

    fn ask(address: std::net::SocketAddr, path: &str) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.get(format!("http://{address}{path}")).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_starting_server_says_how_far_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Readiness::new();
        readiness.register("migration", true);
        readiness.set("migration", State::Starting, "3 of 7 files");
        let starting = Starting::begin(&listener, &readiness).unwrap();
        let asked = tokio::task::spawn_blocking(move || {
            ["/livez", "/readyz", "/api/v1/cases"].map(|path| ask(address, path))
        });
        let [live, ready, other] = asked.await.unwrap();
        assert_eq!(live.0, 200);
        assert_eq!(ready.0, 503);
        assert!(ready.1.contains("3 of 7 files") && ready.1.contains("starting"), "{}", ready.1);
        assert_eq!(other.0, 503);
        assert!(other.1.contains("\"code\":\"starting\""), "{}", other.1);
        starting.end().await;
    }
}
