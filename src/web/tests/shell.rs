//! What every answer is: identified, signed in, contained, protected, logged.

use super::{Given, converse, send, user};
use crate::base::Class;
use crate::web::Failure;
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[actix_web::test]
async fn only_the_signed_in_pass_and_a_bad_token_says_why() {
    let ask = |uri: &str, who: Option<&'static str>| {
        let request = if uri == "/api/v1/me" { TestRequest::get() } else { TestRequest::delete() };
        let request = request.uri(uri);
        match who {
            Some(who) => request.insert_header(("x-test-user", who)),
            None => request,
        }
    };
    let nobody = send(ask("/api/v1/me", None)).await;
    assert_eq!(nobody.problem().1, "unauthenticated");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    assert_eq!(send(ask("/api/v1/me", Some("expired"))).await.problem().1, "token_expired");
    let ada = send(ask("/api/v1/me", Some("ada"))).await;
    assert_eq!(ada.json()["user_id"], user(1).to_string());
    assert_eq!(send(ask("/api/v1/everything", None)).await.problem().0, 401);
    assert_eq!(send(ask("/api/v1/everything", Some("ada"))).await.problem().1, "role_required");
    assert_eq!(send(ask("/api/v1/everything", Some("admin"))).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_fit_request_id_is_echoed_and_another_replaced() {
    let ask =
        |id: &'static str| TestRequest::get().uri("/nothing").insert_header(("x-request-id", id));
    let given = send(ask("trace:7.a_b-c")).await;
    assert_eq!(given.header("x-request-id"), Some("trace:7.a_b-c"));
    assert_eq!(given.header("x-correlation-id"), Some("trace:7.a_b-c"));
    for unfit in ["", "a b", "<script>", "x=\"y\""] {
        let given = send(ask(unfit)).await;
        let id = given.header("x-request-id").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{unfit} gave {id}");
    }
    let both = ask("one").insert_header(("x-correlation-id", "many"));
    assert_eq!(send(both).await.header("x-correlation-id"), Some("many"));
}

#[actix_web::test]
async fn a_failure_of_ours_tells_the_log_why_and_the_client_only_that() {
    let given = send(TestRequest::get().uri("/api/v1/broken")).await;
    assert_eq!(given.problem(), (500, "storage".into(), String::new()));
    assert!(!given.text.contains("fire") && !given.text.contains("things"), "{}", given.text);
    let failure = Failure::new(Class::Broken, "made_up", "secret");
    assert_eq!((failure.code(), failure.cause()), ("internal", Some("secret")));
    assert!(!failure.detail().contains("secret"));
}

#[actix_web::test]
async fn an_error_of_the_http_library_has_the_same_shape() {
    let request = TestRequest::post()
        .uri("/api/v1/foreign")
        .insert_header(header::ContentType::json())
        .set_payload("x");
    assert_eq!(send(request).await.problem(), (400, "malformed".into(), String::new()));
}

#[actix_web::test]
async fn a_panic_is_contained() {
    let given = send(TestRequest::get().uri("/api/v1/panic")).await;
    assert_eq!(given.problem(), (500, "internal".into(), String::new()));
    assert!(!given.text.contains("bug"), "{}", given.text);
    assert_eq!(given.header("x-content-type-options"), Some("nosniff"));
}

#[actix_web::test]
async fn the_server_lives_after_a_panic_and_head_has_a_length_but_no_body() {
    let [panicked, head, list] = converse([
        "GET /api/v1/panic HTTP/1.1\r\nX-Request-Id: first",
        "HEAD /api/v1/things HTTP/1.1",
        "GET /api/v1/things?limit=1 HTTP/1.1",
    ])
    .await;
    assert!(panicked.starts_with("HTTP/1.1 500"), "{panicked}");
    assert!(panicked.contains("x-request-id: first"), "{panicked}");
    assert!(panicked.contains("\"request_id\":\"first\""), "{panicked}");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 3"), "{head}");
    assert!(list.ends_with("\"next_cursor\":\"AAAAAQ\"}"), "{list}");
}

#[actix_web::test]
async fn every_answer_protects_the_browser_and_stays_out_of_caches() {
    let given = send(TestRequest::get().uri("/api/v1/things")).await;
    assert_eq!(given.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(given.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(given.header("cache-control"), Some("no-store"));
    let csp = |given: &Given| given.header("content-security-policy").unwrap().to_owned();
    assert!(csp(&given).starts_with("default-src 'self';") && !csp(&given).contains("unsafe"));
    let docs = send(TestRequest::get().uri("/docs/")).await;
    assert!(csp(&docs).contains("style-src 'self' 'unsafe-inline'"), "{}", csp(&docs));
    assert_eq!(docs.header("cache-control"), None);
}

#[actix_web::test]
async fn a_configured_origin_is_reflected_and_another_is_not() {
    let ask = |origin: &'static str| {
        TestRequest::get().uri("/api/v1/broken").insert_header((header::ORIGIN, origin))
    };
    let ours = send(ask("https://ui.example.org")).await;
    assert_eq!(ours.header("access-control-allow-origin"), Some("https://ui.example.org"));
    assert_eq!(ours.header("access-control-allow-credentials"), Some("true"));
    let exposed = ours.header("access-control-expose-headers").unwrap().to_lowercase();
    for name in ["x-title-source", "location", "etag", "x-total-count", "x-actual-version"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    let theirs = send(ask("https://evil.example.org")).await;
    assert_eq!(theirs.header("access-control-allow-origin"), None);
    let preflight = TestRequest::default()
        .method(Method::OPTIONS)
        .uri("/api/v1/things")
        .insert_header((header::ORIGIN, "https://ui.example.org"))
        .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH"))
        .insert_header((header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,idempotency-key"));
    let preflight = send(preflight).await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .is_some_and(|h| h.to_lowercase().contains("idempotency-key"))
    );
}

/// Collects what is logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn a_request_leaves_one_line_without_secrets_and_a_cause_one_more() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // With one subscriber alive, a thread without it may switch a line off for every thread.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(log);
    let request = TestRequest::get()
        .uri("/api/v1/things?token=hunter2")
        .insert_header((header::AUTHORIZATION, "Bearer hunter2"))
        .insert_header(("x-request-id", "mine"));
    send(request).await;
    send(TestRequest::get().uri("/api/v1/broken")).await;
    send(TestRequest::get().uri("/api/v1/panic")).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 5, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!text.contains("a bug in a handler"), "{text}");
    let fields = &told[0]["fields"];
    assert_eq!((&fields["route"], &fields["status"]), (&"/api/v1/things".into(), &200.into()));
    assert_eq!(told[0]["span"]["request_id"], "mine");
    assert_eq!(
        told[1]["fields"]["cause"],
        "a row of things does not decode: the disk under /var/lib caught fire"
    );
    assert_eq!(told[2]["fields"]["status"], 500);
    assert_eq!(told[3]["fields"]["cause"], "a handler of /api/v1/panic panicked");
    assert_eq!(told[4]["fields"]["route"], "/api/v1/panic");
    assert_eq!(told[3]["span"]["request_id"].as_str().map(str::len), Some(32));
}
