//! What clients see.

use super::*;
use crate::users::{Hasher, authenticate, pages, routes};
use crate::web::{Shell, shell};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::from_fn;
use actix_web::test::TestRequest;
use actix_web::{App, test, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use std::rc::Rc;

/// One answer of the server.
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Status and error code.
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|e| e["field"].as_str()).collect()
    }

    fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.body)).to_owned()
    }
}

type Call = Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, ServiceResponse>>;

/// A server, and what it stands on for looking behind it.
struct Server {
    db: Db,
    clock: Clock,
    ids: Ids,
    sign_in: web::Data<SignIn>,
    call: Call,
}

impl Server {
    async fn plain() -> Self {
        Self::with(Config { hash: CHEAP, ..Config::default() }).await
    }

    async fn with(config: Config) -> Self {
        let World { db, ids, clock, sign_in } = World::with(config);
        let sign_in = web::Data::new(sign_in);
        let app = App::new()
            .app_data(web::Data::new(Shell::new(db.clone(), clock.clone(), ids.clone())))
            .app_data(sign_in.clone())
            .service(web::scope("/api/v1").configure(routes))
            .configure(pages)
            .wrap(from_fn(authenticate))
            .wrap(from_fn(shell));
        let app = Rc::new(test::init_service(app).await);
        let call: Call = Box::new(move |request| {
            let app = Rc::clone(&app);
            async move { test::call_service(&*app, request.to_request()).await }.boxed_local()
        });
        Self { db, clock, ids, sign_in, call }
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: Value) -> Seen {
        self.send_with(method, path, token, body, &[]).await
    }

    async fn get(&self, path: &str, token: &str) -> Seen {
        self.send("GET", path, token, Value::Null).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Seen {
        self.send("POST", path, token, body).await
    }

    async fn send_with(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Seen {
        let at_root = path.starts_with("/setup");
        let path = if at_root { path.to_owned() } else { format!("/api/v1{path}") };
        let mut request = TestRequest::with_uri(&path).method(method.parse().unwrap());
        if !token.is_empty() {
            request = request.insert_header(("authorization", format!("Bearer {token}")));
        }
        for header in headers {
            request = request.insert_header(*header);
        }
        if !body.is_null() {
            request = request.set_json(body);
        }
        let answer = (self.call)(request).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = test::read_body(answer).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Seen { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(text.into()) }
    }

    /// An administrator's access token.
    async fn root(&self) -> String {
        let token = setup::begin(&self.db, &self.ids).await.unwrap().unwrap();
        let mut body = person("root");
        body["token"] = token.into();
        let seen = self.post("/auth/setup", "", body).await;
        assert_eq!(seen.status, 201, "{}", seen.body);
        seen.text("access_token")
    }
}

fn person(name: &str) -> Value {
    json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD })
}

#[actix_web::test]
async fn registration_and_sign_in_answer_as_clients_expect() {
    let app = Server::plain().await;
    let seen = app.post("/auth/register", "", person("Ada")).await;
    assert_eq!(seen.status, 201, "{}", seen.body);
    let user_id = seen.body["user"]["user_id"].as_str().unwrap();
    assert_eq!(seen.header("location"), format!("/api/v1/users/{user_id}"));
    for by in [json!({ "username": "ada" }), json!({ "email": "ADA@example.org" })] {
        let mut body = by.clone();
        body["password"] = PASSWORD.into();
        let seen = app.post("/auth/login", "", body).await;
        let keys: Vec<&String> = seen.body.as_object().unwrap().keys().collect();
        let expected =
            ["access_token", "expires_in", "refresh_token", "session_id", "token_type", "user"];
        assert_eq!((seen.status, keys), (200, expected.map(String::from).iter().collect()));
        assert_eq!(seen.body["token_type"], "bearer");
        assert_eq!(seen.body["expires_in"], 900);
        assert_eq!(
            seen.body["user"],
            json!({ "user_id": user_id, "username": "Ada", "email": "Ada@example.org",
                "display_name": "Ada", "created_at": START, "is_dev_user": false,
                "roles": ["user"] })
        );
        assert_eq!(seen.header("cache-control"), "no-store");
    }
}

#[actix_web::test]
async fn bad_input_gets_a_clear_refusal() {
    let app = Server::plain().await;
    app.post("/auth/register", "", person("ada")).await;
    let login = |body: Value| app.post("/auth/login", "", body);
    let wrong = login(json!({ "username": "ada", "password": "wrong" })).await;
    let unknown = login(json!({ "username": "eve", "password": "wrong" })).await;
    assert_eq!(wrong.refusal(), (401, "invalid_credentials"));
    assert_eq!(unknown.refusal(), wrong.refusal());
    assert_eq!(unknown.body["detail"], wrong.body["detail"]);
    assert_eq!(wrong.header("x-error-code"), "invalid_credentials");
    let both = json!({ "username": "a", "email": "b@c.de", "password": "x" });
    for (body, field) in [
        (json!({ "username": "ada" }), "password"),
        (json!({ "username": "ada", "password": "x", "admin": true }), "admin"),
        (json!({ "username": 7, "password": "x" }), "username"),
        (json!({ "password": "x" }), "username"),
        (both, "username"),
    ] {
        let seen = login(body).await;
        assert_eq!((seen.status, seen.fields()), (422, vec![field]), "{}", seen.body);
    }
    let register = |body: Value| app.post("/auth/register", "", body);
    let taken = register(json!({ "username": "ADA", "email": "x@example.org",
        "password": PASSWORD }))
    .await;
    assert_eq!(taken.refusal(), (409, "username_taken"));
    assert_eq!(taken.fields(), ["username"]);
    let taken = register(json!({ "username": "eve", "email": "Ada@Example.ORG",
        "password": PASSWORD }))
    .await;
    assert_eq!((taken.refusal(), taken.fields()), ((409, "email_taken"), vec!["email"]));
    let weak = register(json!({ "username": "e", "email": "e", "password": "password" })).await;
    assert_eq!((weak.status, weak.fields()), (422, vec!["username", "email", "password"]));
    assert!(!weak.body.to_string().contains("\"password\":\"password\""));
}

#[actix_web::test]
async fn too_many_wrong_passwords_are_answered_with_when_to_try_again() {
    let app = Server::plain().await;
    let guess = || app.post("/auth/login", "", json!({ "username": "ada", "password": "x" }));
    for _ in 0..5 {
        assert_eq!(guess().await.status, 401);
    }
    let seen = guess().await;
    assert_eq!(seen.refusal(), (429, "too_many_attempts"));
    assert_eq!(seen.header("retry-after"), "1");
    app.clock.advance_ms(1_000);
    assert_eq!(guess().await.status, 401);
}

#[actix_web::test]
async fn tokens_live_refresh_and_end() {
    let app = Server::plain().await;
    let signed = app.post("/auth/register", "", person("ada")).await;
    let (access, refresh) = (signed.text("access_token"), signed.text("refresh_token"));
    let me = app.get("/auth/me", &access).await;
    assert_eq!((me.status, &me.body["username"]), (200, &json!("ada")));
    assert_eq!(me.body["last_login"], json!(START));
    assert_eq!(me.body.get("hashed_password"), None);
    let anonymous = app.get("/auth/me", "").await;
    assert_eq!(anonymous.refusal(), (401, "unauthenticated"));
    let rubbish = app.get("/auth/me", "rubbish").await;
    assert_eq!(rubbish.refusal(), (401, "token_invalid"));
    app.clock.advance_ms(900_000);
    let late = app.get("/auth/me", &access).await;
    assert_eq!(late.refusal(), (401, "token_expired"));
    assert!(!late.text("detail").contains("session expired"), "clients refresh on this one");
    let body = json!({ "refresh_token": refresh });
    let next = app.post("/auth/refresh", "", body.clone()).await;
    assert_eq!(next.status, 200, "{}", next.body);
    assert_ne!(next.text("refresh_token"), refresh);
    let access = next.text("access_token");
    assert_eq!(app.get("/auth/me", &access).await.status, 200);
    let reused = app.post("/auth/refresh", "", body).await;
    assert_eq!(reused.refusal(), (401, "token_invalid"));
    let revoked = app.get("/auth/me", &access).await;
    assert_eq!(revoked.refusal(), (401, "token_invalid"));
}

#[actix_web::test]
async fn signing_out_ends_the_session_or_all() {
    let app = Server::plain().await;
    let first = app.post("/auth/register", "", person("ada")).await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    let second = app.post("/auth/login", "", body.clone()).await;
    let (one, two) = (first.text("access_token"), second.text("access_token"));
    let seen = app.post("/auth/logout", &one, Value::Null).await;
    assert_eq!((seen.status, &seen.body["revoked_tokens"]), (200, &json!(2)));
    assert_eq!(seen.body["all_sessions_ended"], false);
    assert_eq!(app.get("/auth/me", &one).await.status, 401);
    let third = app.post("/auth/login", "", body).await.text("access_token");
    let seen = app.post("/auth/logout?all_sessions=true", &third, Value::Null).await;
    assert_eq!(seen.body["all_sessions_ended"], true);
    assert_eq!(app.get("/auth/me", &two).await.status, 401);
    assert_eq!(app.post("/auth/logout", "", Value::Null).await.status, 401);
}

#[actix_web::test]
async fn changing_the_password_over_http() {
    let app = Server::plain().await;
    let signed = app.post("/auth/register", "", person("ada")).await;
    let access = signed.text("access_token");
    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        app.post("/auth/password", &access, body)
    };
    let wrong = change("wrong", "another horse entirely").await;
    assert_eq!(wrong.refusal(), (422, "wrong_password"), "not 401: the token is fine");
    assert_eq!(wrong.fields(), ["current_password"]);
    assert_eq!(change(PASSWORD, "password1").await.fields(), ["new_password"]);
    let done = change(PASSWORD, "another horse entirely").await;
    assert_eq!((done.status, &done.body["ended_sessions"]), (200, &json!(0)));
}

#[actix_web::test]
async fn a_stranger_learns_nothing_of_an_account_and_an_administrator_manages_it() {
    let app = Server::plain().await;
    let root = app.root().await;
    let ada = app.post("/auth/register", "", person("ada")).await;
    let bob = app.post("/auth/register", "", person("bob")).await.text("access_token");
    let id = ada.body["user"]["user_id"].as_str().unwrap().to_owned();
    let ada = ada.text("access_token");
    let path = format!("/users/{id}");
    let missing = format!("/users/{}", app.ids.next::<crate::base::id::User>(START));
    for (method, body) in [("GET", Value::Null), ("PUT", json!({ "display_name": "x" }))] {
        let theirs = app.send(method, &path, &bob, body.clone()).await;
        let nobodys = app.send(method, &missing, &bob, body.clone()).await;
        assert_eq!(theirs.refusal(), (404, "user_missing"));
        assert_eq!(theirs.refusal(), nobodys.refusal());
        assert_eq!(app.send(method, &path, "", body).await.status, 401);
    }
    for (method, path, body) in [
        ("GET", "/users", Value::Null),
        ("POST", "/users", person("eve")),
        ("PUT", &*format!("{path}/roles"), json!({ "roles": ["admin"] })),
        ("DELETE", &*path, Value::Null),
        ("PUT", &*path, json!({ "is_active": false })),
    ] {
        let seen = app.send(method, path, &ada, body).await;
        assert_eq!(seen.refusal(), (403, "role_required"), "{method} {path}");
    }
    let own = app.get(&path, &ada).await;
    assert_eq!((own.status, own.header("etag")), (200, "\"1\""));
    let tag = [("if-match", "\"1\"")];
    let rename = json!({ "display_name": "Ada L.", "avatar_url": null });
    let seen = app.send_with("PUT", &path, &ada, rename.clone(), &tag).await;
    assert_eq!((seen.status, seen.header("etag")), (200, "\"2\""));
    let stale = app.send_with("PUT", &path, &ada, rename, &tag).await;
    assert_eq!(stale.refusal(), (412, "version_mismatch"));
    assert_eq!(stale.header("x-actual-version"), "2");
    let roles = json!({ "roles": ["analyst", "user"] });
    let seen = app.send("PUT", &format!("{path}/roles"), &root, roles).await;
    assert_eq!(seen.body["roles"], json!(["user", "analyst"]));
    let listed = app.get("/users?q=ADA&limit=1", &root).await;
    assert_eq!(
        (listed.header("x-total-count"), &listed.body["users"][0]["user_id"]),
        ("1", &json!(id))
    );
    assert_eq!(app.send("DELETE", &path, &root, Value::Null).await.status, 204);
    assert_eq!(app.get(&path, &root).await.status, 404);
    assert_eq!(app.get("/auth/me", &ada).await.refusal(), (401, "token_invalid"));
    assert_eq!(app.db.check().unwrap(), []);
}

#[actix_web::test]
async fn an_administrator_makes_accounts_once_per_key() {
    let app = Server::plain().await;
    let root = app.root().await;
    let keyed = [("idempotency-key", "make-ada-1")];
    let first = app.send_with("POST", "/users", &root, person("ada"), &keyed).await;
    let again = app.send_with("POST", "/users", &root, person("ada"), &keyed).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("location"), format!("/api/v1/users/{}", first.text("user_id")));
    let other = app.send_with("POST", "/users", &root, person("bob"), &keyed).await;
    assert_eq!(other.refusal(), (409, "idempotency_mismatch"));
    let twice = app.post("/users", &root, person("Ada")).await;
    assert_eq!(twice.refusal(), (409, "username_taken"));
    let last = app.get("/auth/me", &root).await.text("user_id");
    let seen = app.send("DELETE", &format!("/users/{last}"), &root, Value::Null).await;
    assert_eq!(seen.refusal(), (409, "last_admin"));
}

#[actix_web::test]
async fn sessions_work_before_and_after_sign_in() {
    let app = Server::plain().await;
    let body =
        json!({ "client_id": "copilot-1", "session_type": "copilot", "timeout_minutes": 180 });
    let open = app.post("/sessions", "", body.clone()).await;
    assert_eq!(open.status, 201, "{}", open.body);
    assert_eq!(open.body["schema_version"], "3.1.0");
    assert_eq!(
        (&open.body["user_id"], &open.body["session_resumed"]),
        (&Value::Null, &json!(false))
    );
    let id = open.text("session_id");
    let path = format!("/sessions/{id}");
    assert_eq!(open.header("location"), format!("/api/v1{path}"));
    assert_eq!(app.post(&format!("{path}/heartbeat"), "", Value::Null).await.status, 200);
    app.post("/auth/register", "", person("ada")).await;
    let login = json!({ "username": "ada", "password": PASSWORD });
    let header = [("x-session-id", &*id)];
    let signed = app.send_with("POST", "/auth/login", "", login, &header).await;
    assert_eq!(signed.text("session_id"), id, "bound at sign-in");
    let access = signed.text("access_token");
    assert_eq!(app.get(&path, "").await.refusal(), (404, "session_missing"));
    let resumed = app.post("/sessions", &access, body).await;
    assert_eq!((resumed.text("session_id"), &resumed.body["session_resumed"]), (id, &json!(true)));
    let listed = app.get("/sessions", &access).await;
    assert_eq!(listed.body["total_count"], 2, "with that of the registration");
    let expired = app.post("/sessions", "fma_rubbish", Value::Null).await;
    assert_eq!(expired.refusal(), (401, "token_invalid"));
    let short = app.post("/sessions", "", json!({ "timeout_minutes": 5 })).await;
    assert_eq!((short.status, short.fields()), (422, vec!["timeout_minutes"]));
    assert_eq!(app.send("DELETE", &path, "", Value::Null).await.status, 404);
    assert_eq!(app.send("DELETE", &path, &access, Value::Null).await.status, 204);
    assert_eq!(app.get("/auth/me", &access).await.status, 401);
    assert_eq!(app.db.check().unwrap(), []);
}

#[actix_web::test]
async fn the_first_start_page_is_there_until_an_administrator_is() {
    let app = Server::plain().await;
    let token = setup::begin(&app.db, &app.ids).await.unwrap().unwrap();
    let page = app.get(&format!("/setup?token={token}"), "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let html = page.body.as_str().unwrap();
    assert!(
        ["<script>", "style=", "onsubmit", "http:", "https:"].iter().all(|t| !html.contains(t))
    );
    for file in ["/setup.js", "/setup.css"] {
        assert!(html.contains(file));
        assert_eq!(app.get(file, "").await.status, 200);
    }
    let attempt = json!({ "token": "wrong", "username": "eve", "email": "e@example.org",
        "password": PASSWORD });
    let refused = app.post("/auth/setup", "", attempt.clone()).await;
    assert_eq!(refused.refusal(), (403, "setup_token_invalid"));
    app.root().await;
    assert_eq!(app.get("/setup", "").await.status, 404);
    let late = app.post("/auth/setup", "", attempt).await;
    assert_eq!(late.refusal(), (404, "setup_done"));
}

#[actix_web::test]
async fn what_is_switched_off_is_not_there() {
    let app = Server::with(Config { hash: CHEAP, registration: false, ..Config::default() }).await;
    let config = app.get("/auth/config", "").await;
    assert_eq!(
        config.body,
        json!({ "auth_mode": "local", "login_endpoint": "/api/v1/auth/login",
            "register_endpoint": "/api/v1/auth/register", "supports_registration": false,
            "oauth": null })
    );
    let body = json!({ "username": "ada" });
    for path in ["/auth/dev-login", "/auth/dev-register"] {
        assert_eq!(app.post(path, "", body.clone()).await.refusal(), (404, "not_found"));
    }
    let closed = app.post("/auth/register", "", person("ada")).await;
    assert_eq!(closed.refusal(), (403, "registration_closed"));
    let app = Server::with(Config { hash: CHEAP, dev_login: true, ..Config::default() }).await;
    let made = app.post("/auth/dev-register", "", body.clone()).await;
    assert_eq!((made.status, &made.body["user"]["is_dev_user"]), (201, &json!(true)));
    assert_eq!(made.body["user"]["email"], "ada@dev.faultmaven.local");
    assert_eq!(app.post("/auth/dev-login", "", body).await.status, 200);
}

#[actix_web::test]
async fn a_token_never_costs_a_password_hash() {
    let app = Server::plain().await;
    let access = app.post("/auth/register", "", person("ada")).await.text("access_token");
    let hasher: &Hasher = app.sign_in.hasher();
    let (one, two) = (hasher.turn().await.unwrap(), hasher.turn().await.unwrap());
    let me = app.get("/auth/me", &access).await;
    assert_eq!(me.status, 200, "answered while every turn at the hash pool is taken");
    drop((one, two));
}
