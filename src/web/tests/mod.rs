//! The shell against a store in memory, with a handful of routes of its own.

mod repeats;
mod requests;
mod shell;

use super::{
    Answer, BadToken, Body, Ctx, Methods, Once, OptionalBody, Paging, Path, Query, Reply, Shell,
    once,
};
use crate::base::id::{CaseId, EvidenceId, UserId};
use crate::base::{Actor, Clock, Ids, Json, Page, Role, Time};
use crate::engine::db::{Db, DbError, Schema};
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::Data;
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpServer, rt};
use actix_web::{delete, get, post, web};
use serde::Deserialize;
use serde_json::Value;
use std::io::{Read, Write};

const T0: Time = Time::from_unix_us(1_800_000_000_000_000);

fn shell_in_memory() -> Shell {
    let db = Db::in_memory(crate::web::schema(Schema::new())).unwrap();
    Shell::new(db, Clock::standing_at(T0), Ids::seeded(1))
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Thing {
    #[serde(default)]
    title: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    size: u8,
    metadata: Option<Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    name: String,
}

#[derive(Deserialize)]
struct Filter {
    status: Option<Status>,
    year: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Open,
}

#[post("/things")]
async fn make(thing: Body<Thing>) -> Answer {
    let first_tag = thing.tags.first().map(|tag| tag.name.as_str());
    let made = (&thing.title, first_tag, thing.size, &thing.metadata);
    crate::web::created("/api/v1/things/1", &made)
}

#[post("/drafts")]
async fn draft(thing: OptionalBody<Thing>) -> Answer {
    crate::web::accepted("/api/v1/jobs/1", 2, &serde_json::json!({ "title": thing.title }))
}

#[get("/things")]
async fn all(request: HttpRequest, filter: Query<Filter>, paging: Paging) -> Answer {
    let window = paging.request();
    let wanted = usize::from(filter.year.unwrap_or(45));
    let open = matches!(filter.status, Some(Status::Open));
    let end = (window.offset + window.limit).min(wanted);
    let items = (window.offset.min(end)..end).map(|n| (n, open)).collect();
    crate::web::list(&request, "things", Page { items, total_count: wanted, request: window })
}

#[get("/cases/{id}/evidence/{evidence_id}")]
async fn nested(path: Path<(CaseId, EvidenceId)>) -> Answer {
    crate::web::versioned(StatusCode::OK, &serde_json::json!({ "case_id": path.0.0 }), 7)
}

#[get("/me")]
async fn me(ctx: Ctx) -> Answer {
    crate::web::json(StatusCode::OK, &serde_json::json!({ "user_id": ctx.user()? }))
}

#[delete("/everything")]
async fn everything(ctx: Ctx) -> Answer {
    ctx.require(Role::Analyst)?;
    crate::web::no_content()
}

#[get("/broken")]
async fn broken() -> Answer {
    let cause = "the disk under /var/lib caught fire";
    Err(DbError::Decode { table: "things", detail: cause.into() }.into())
}

#[get("/panic")]
async fn panic() -> Answer {
    panic!("a bug in a handler");
}

#[post("/foreign")]
async fn foreign(number: web::Json<u8>) -> Answer {
    crate::web::json(StatusCode::OK, &*number)
}

/// Counts how often it really ran; fails while `title` is `fail`.
#[post("/counted")]
async fn counted(ctx: Ctx, key: Once, thing: Body<Thing>) -> Answer {
    let fails = thing.title == "fail";
    once(&ctx, &key, &thing.fingerprint(), move |tx| {
        let runs = tx.next_counter("runs")?;
        if fails {
            return Err(DbError::Unique { index: "things_by_title" });
        }
        Ok(Reply::created("/api/v1/things/1".into(), &serde_json::json!({ "run": runs }))?
            .with_version(runs))
    })
    .await
}

/// As `counted`, on another path.
#[post("/counted/other")]
async fn counted_other(ctx: Ctx, key: Once) -> Answer {
    let done = once(&ctx, &key, b"", |_| Reply::new(StatusCode::OK, &"other"));
    done.await
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(doc_get, doc_post))]
struct Doc;

/// Stands in for the description of `all`.
#[utoipa::path(get, path = "/things", responses((status = 200)))]
#[expect(dead_code, reason = "only described")]
fn doc_get() {}

/// Stands in for the description of `make`.
#[utoipa::path(post, path = "/things", responses((status = 201)))]
#[expect(dead_code, reason = "only described")]
fn doc_post() {}

/// Signs in whoever the header names; stands in for `users`.
async fn sign_in(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let name = request.headers().get("x-test-user").map(|v| v.to_str().unwrap_or("").to_owned());
    let roles = match name.as_deref() {
        Some("expired") => {
            request.extensions_mut().insert(BadToken("token_expired"));
            None
        }
        Some("admin") => Some((user(9), vec![Role::Admin])),
        Some("bob") => Some((user(2), vec![Role::User])),
        Some(_) => Some((user(1), vec![Role::User])),
        None => None,
    };
    if let Some((user_id, roles)) = roles {
        request.extensions_mut().insert(Actor::User { user_id, roles, session_id: None });
    }
    next.call(request).await
}

macro_rules! app {
    ($shell:expr) => {
        App::new()
            .app_data(Data::new($shell.clone()))
            .app_data(Data::new(Methods::of(
                &<Doc as utoipa::OpenApi>::openapi(),
                &["/api/v1", "/api"],
            )))
            .service(
                web::scope("/api/v1")
                    .service(make)
                    .service(draft)
                    .service(all)
                    .service(nested)
                    .service(me)
                    .service(everything)
                    .service(broken)
                    .service(panic)
                    .service(foreign)
                    .service(counted)
                    .service(counted_other),
            )
            .default_service(web::to(crate::web::unmatched))
            .wrap(from_fn(sign_in))
            .wrap(crate::web::cors(&["https://ui.example.org".to_owned()]))
            .wrap(from_fn(crate::web::shell))
    };
}

/// What came back.
struct Given {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Given {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// (status, code, first wrong field)
    fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert_eq!(self.header("x-error-code"), json["code"].as_str());
        assert_eq!(json["request_id"].as_str(), self.header("x-request-id"));
        assert!(json["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text(&json["code"]), text(&json["errors"][0]["field"]))
    }
}

async fn send_to(shell: &Shell, request: TestRequest) -> Given {
    let app = init_service(app!(shell)).await;
    let (status, headers, body) = match try_call_service(&app, request.to_request()).await {
        Ok(answer) => (answer.status(), answer.headers().clone(), answer.into_body()),
        Err(error) => {
            let answer = error.error_response();
            (answer.status(), answer.headers().clone(), answer.into_body())
        }
    };
    let bytes = to_bytes(body).await.unwrap_or_default();
    Given { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

async fn send(request: TestRequest) -> Given {
    send_to(&shell_in_memory(), request).await
}

/// Sends raw HTTP/1.1 requests to a real server, one after the other.
async fn converse(requests: [&'static str; 3]) -> [String; 3] {
    let shell = shell_in_memory();
    let server = HttpServer::new(move || app!(shell)).workers(1).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let running = server.run();
    let handle = running.handle();
    rt::spawn(running);
    let heard = tokio::task::spawn_blocking(move || {
        requests.map(|head| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let request = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut heard = String::new();
            stream.read_to_string(&mut heard).unwrap();
            heard
        })
    });
    let heard = heard.await.unwrap();
    handle.stop(true).await;
    heard
}
