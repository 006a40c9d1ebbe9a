//! What people see of their knowledge base: over HTTP, against a store in memory, by words.

use super::tables::{ContentRow, PreviewRow};
use super::{IndexJob, Knowledge, http, user};
use crate::base::{Actor, Clock, Ids, Role, Time};
use crate::engine::db::{Db, DbError, Schema, Span, View, Write};
use crate::engine::text::{Opened, TextIndex};
use crate::jobs::{Bodies, Job, NewJob, Runner};
use crate::ops::audit;
use crate::privacy::Policy;
use crate::search::Search;
use crate::web::Shell;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpMessage, web};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// 2026-03-04T05:06:07Z.
const START: Time = Time::from_unix_us(1_772_600_767_000_000);

struct Room {
    db: Db,
    ids: Ids,
    clock: Clock,
    knowledge: Knowledge,
    ada: Actor,
    bob: Actor,
    root: Actor,
}

impl Room {
    fn new() -> Self {
        let schema = super::schema(crate::search::schema(Schema::new()));
        let schema = crate::jobs::schema(crate::ops::schema(crate::web::schema(schema)));
        let db = Db::in_memory(schema).unwrap();
        let opened = Opened { applied: None, rebuilt: true };
        let search = Search::open(&db, TextIndex::in_memory().unwrap(), opened).unwrap();
        let ids = Ids::seeded(42);
        let person = |roles: &[Role]| Actor::User {
            user_id: ids.next(START),
            roles: roles.to_vec(),
            session_id: None,
        };
        Self {
            db,
            clock: Clock::standing_at(START),
            knowledge: Knowledge { search, policy: Policy::default() },
            ada: person(&[Role::User]),
            bob: person(&[Role::User]),
            root: person(&[Role::Admin]),
            ids,
        }
    }

    async fn ask(&self, actor: &Actor, request: TestRequest) -> Reply {
        self.clock.advance_ms(1);
        let shell = Shell::new(self.db.clone(), self.clock.clone(), self.ids.clone());
        let actor = actor.clone();
        let app = App::new()
            .app_data(web::Data::new(shell))
            .app_data(web::Data::new(self.knowledge.clone()))
            .wrap_fn(move |request: ServiceRequest, next| {
                request.extensions_mut().insert(actor.clone());
                next.call(request)
            })
            .service(web::scope("/api/v1").configure(http::routes));
        let app = init_service(app).await;
        let answer: ServiceResponse = match app.call(request.to_request()).await {
            Ok(answer) => answer.map_into_boxed_body(),
            Err(error) => {
                let answer = error.error_response();
                ServiceResponse::new(TestRequest::default().to_http_request(), answer)
            }
        };
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let (status, location, etag) =
            (answer.status().as_u16(), header("location"), header("etag"));
        let bytes = answer.into_body().try_into_bytes().unwrap_or_default();
        let body =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Reply { status, location, etag, body }
    }

    async fn send(&self, actor: &Actor, method: &str, path: &str, body: Value) -> Reply {
        let request = TestRequest::with_uri(&format!("/api/v1{path}"));
        self.ask(actor, request.method(method.parse().unwrap()).set_json(body)).await
    }

    async fn get(&self, actor: &Actor, path: &str) -> Reply {
        self.ask(actor, TestRequest::with_uri(&format!("/api/v1{path}"))).await
    }

    async fn delete(&self, actor: &Actor, path: &str) -> Reply {
        let request = TestRequest::with_uri(&format!("/api/v1{path}"));
        self.ask(actor, request.method("DELETE".parse().unwrap())).await
    }

    async fn upload(&self, path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Reply {
        self.ask(&self.ada, form(path, parts)).await
    }

    /// Adds a document and indexes it; answers its id.
    async fn add(&self, actor: &Actor, title: &str, content: &str) -> String {
        let body = json!({ "title": title, "content": content });
        let reply = self.send(actor, "POST", "/knowledge/documents", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        self.knowledge.search.catch_up(&self.db).await.unwrap();
        reply.text("document_id").to_owned()
    }

    async fn found(&self, actor: &Actor, body: Value) -> Vec<String> {
        let reply = self.send(actor, "POST", "/knowledge/search", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = |hit: &Value| hit["document_id"].as_str().unwrap().to_owned();
        reply.body["results"].as_array().unwrap().iter().map(id).collect()
    }

    fn sound(&self) {
        let faults = self.db.read(|tx| user::check(tx, &self.knowledge)).unwrap();
        assert_eq!(faults, []);
        assert_eq!(self.db.read(|tx| self.knowledge.search.check(tx)).unwrap(), []);
        assert_eq!(self.db.check().unwrap(), []);
    }
}

/// An answer as a client has it.
#[derive(Debug)]
struct Reply {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Value,
}

impl Reply {
    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// Status, code and the first field that is wrong.
    fn refusal(&self) -> (u16, &str, &str) {
        let field = self.body["errors"][0]["field"].as_str().unwrap_or_default();
        (self.status, self.text("code"), field)
    }
}

/// A form with these parts: name, file name, content.
fn form(path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> TestRequest {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head =
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    TestRequest::with_uri(&format!("/api/v1{path}"))
        .method("POST".parse().unwrap())
        .insert_header(("content-type", "multipart/form-data; boundary=cut"))
        .set_payload(body)
}

const RUNBOOK: &str = "# Disk full\n\n## Meaning\n\nThe volume has no space left.\n\n\
                       ## Mitigation\n\nRotate the logs; ask ops@example.org first.\n";

#[actix_web::test]
async fn a_runbook_is_added_read_found_changed_and_deleted() {
    let room = Room::new();
    let body = json!({
        "title": "  Disk  full ", "content": RUNBOOK, "document_type": "runbook",
        "tags": ["disk", " disk ", "linux"], "metadata": { "author": "Ada", "version": 1.50 },
    });
    let added = room.send(&room.ada, "POST", "/knowledge/documents", body).await;
    assert_eq!((added.status, added.etag.as_deref()), (201, Some("\"1\"")));
    let id = added.text("document_id").to_owned();
    assert_eq!(added.location, Some(format!("/api/v1/knowledge/documents/{id}")));
    assert!(added.text("job_id").starts_with("job_") && added.text("status") == "processing");
    assert_eq!(added.body["tags"], json!(["disk", "linux"]));
    let path = format!("/knowledge/documents/{id}");
    let read = room.get(&room.ada, &path).await;
    assert_eq!((read.text("title"), read.text("content")), ("Disk full", RUNBOOK));
    assert_eq!(read.text("chromadb_collection"), read.text("collection"));
    room.knowledge.search.catch_up(&room.db).await.unwrap();
    let question = json!({ "query": "no space left on volume", "k": 3 });
    let answer = room.send(&room.ada, "POST", "/knowledge/search", question.clone()).await;
    let hit = &answer.body["results"][0];
    assert_eq!(hit["document_id"], json!(id));
    assert_eq!((hit["permission"].as_str(), hit["score"].as_f64()), (Some("write"), Some(1.0)));
    assert!(hit["scores"]["lexical"].as_f64().unwrap() > 0.0 && hit["scores"]["dense"].is_null());
    assert_eq!((answer.text("model"), &answer.body["exact"]), ("lexical", &json!(true)));
    assert!(answer.text("reason").contains("no embedding model is loaded"));
    let change = json!({ "content": "# Disk full\n\nBuy a larger one." });
    let changed = room.send(&room.ada, "PUT", &path, change).await;
    assert_eq!((changed.status, changed.etag.as_deref()), (200, Some("\"2\"")));
    assert!(changed.text("job_id").starts_with("job_"));
    assert_eq!(changed.body["tags"], json!(["disk", "linux"]), "what is absent stays");
    room.knowledge.search.catch_up(&room.db).await.unwrap();
    assert_eq!(room.found(&room.ada, json!({ "query": "rotate" })).await, Vec::<String>::new());
    let found = room.found(&room.ada, json!({ "query": "larger" })).await;
    assert_eq!(found, std::slice::from_ref(&id));
    let tagged = room.send(&room.ada, "PUT", &path, json!({ "tags": [] })).await;
    assert!(tagged.body["job_id"].is_null(), "tags alone are not indexed again");
    assert_eq!(room.delete(&room.ada, &path).await.status, 204);
    assert_eq!(room.get(&room.ada, &path).await.refusal(), (404, "document_missing", ""));
    assert!(room.found(&room.ada, json!({ "query": "larger" })).await.is_empty());
    let trail = room.db.read(|tx| audit::of_resource(tx, "kb_document", &id, Default::default()));
    let events: Vec<String> = trail.unwrap().items.into_iter().map(|e| e.event_type).collect();
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events.contains(&"kb_document_uploaded".into()));
    assert!(events.contains(&"kb_document_deleted".into()));
    room.sound();
}

#[actix_web::test]
async fn a_stranger_and_an_administrator_find_nothing() {
    let room = Room::new();
    let id = room.add(&room.ada, "Secret plan", "The disk is under the stairs.").await;
    let path = format!("/knowledge/documents/{id}");
    for other in [&room.bob, &room.root] {
        assert_eq!(room.get(other, &path).await.refusal(), (404, "document_missing", ""));
        let put = room.send(other, "PUT", &path, json!({ "title": "x" })).await;
        assert_eq!(put.refusal(), (404, "document_missing", ""));
        assert_eq!(room.delete(other, &path).await.status, 404);
        assert!(room.found(other, json!({ "query": "disk stairs" })).await.is_empty());
        let filter = json!({ "query": "disk", "filters": { "document_ids": [id] } });
        assert!(room.found(other, filter).await.is_empty());
        assert_eq!(room.get(other, "/knowledge/documents").await.body["total_count"], json!(0));
    }
    for path in ["/knowledge/documents", "/knowledge/stats", "/documents"] {
        assert_eq!(room.get(&Actor::Anonymous, path).await.refusal().0, 401, "{path}");
    }
    assert_eq!(room.found(&room.ada, json!({ "query": "disk" })).await, [id]);
}

#[actix_web::test]
async fn what_is_indexed_is_redacted_and_keeps_its_place() {
    let room = Room::new();
    let id = room.add(&room.ada, "Disk full", RUNBOOK).await;
    let question = json!({ "query": "rotate the logs" });
    let answer = room.send(&room.ada, "POST", "/knowledge/search", question).await;
    let hit = &answer.body["results"][0];
    let text = hit["text"].as_str().unwrap();
    assert!(text.contains("ask <EMAIL_1> first") && !text.contains("ops@example.org"), "{text}");
    let place = |field: &str| hit[field].as_u64().unwrap() as usize;
    let whole = room.get(&room.ada, &format!("/knowledge/documents/{id}")).await;
    let content = whole.text("content").to_owned();
    assert_eq!(content, RUNBOOK, "the owner's own text stays as it is");
    assert!(content[place("offset_start")..place("offset_end")].contains("ops@example.org first"));
    assert!(room.found(&room.ada, json!({ "query": "ops@example.org" })).await.is_empty());
}

#[actix_web::test]
async fn a_file_is_added_as_the_dashboard_sends_it() {
    let room = Room::new();
    let parts: [(&str, Option<&str>, &[u8]); 6] = [
        ("file", Some("disk full.md"), RUNBOOK.as_bytes()),
        ("document_type", None, b"guide"),
        ("tags", None, b"disk, linux"),
        ("source_url", None, b"https://example.org/disk"),
        ("description", None, b"What to do"),
        ("title", None, b""),
    ];
    let added = room.upload("/documents/upload", &parts).await;
    assert_eq!((added.status, added.text("title")), (201, "Disk full"), "{added:?}");
    assert_eq!(added.body["tags"], json!(["disk", "linux"]));
    assert_eq!(added.text("original_filename"), "disk full.md");
    assert_eq!(added.text("content_type"), "text/markdown");
    let listed = room.get(&room.ada, "/documents?limit=20&offset=0").await;
    assert_eq!((&listed.body["total_count"], &listed.body["has_more"]), (&json!(1), &json!(false)));
    let shown = &listed.body["documents"][0];
    assert_eq!((&shown["content"], &shown["content_truncated"]), (&json!(RUNBOOK), &json!(false)));
    assert_eq!(shown["metadata"], json!({ "source_url": "https://example.org/disk" }));
    let id = added.text("document_id");
    assert_eq!(room.delete(&room.ada, &format!("/documents/{id}")).await.status, 204);
}

#[actix_web::test]
async fn bad_input_is_refused_with_its_reason_and_nothing_is_stored() {
    let room = Room::new();
    let long = "x".repeat(501);
    for (body, refusal) in [
        (json!({ "title": "", "content": "x" }), (422, "invalid_document", "title")),
        (json!({ "title": long, "content": "x" }), (422, "invalid_document", "title")),
        (json!({ "title": "x", "content": " \n" }), (422, "invalid_document", "content")),
        (json!({ "title": "x" }), (422, "invalid_body", "content")),
        (json!({ "title": "x", "content": "x", "owner": "bob" }), (422, "invalid_body", "owner")),
        (
            json!({ "title": "x", "content": "x", "document_type": "poem" }),
            (422, "invalid_body", "document_type"),
        ),
        (
            json!({ "title": "x", "content": "x", "visibility": "team" }),
            (422, "invalid_body", "visibility"),
        ),
        (
            json!({ "title": "x", "content": "x", "metadata": [1] }),
            (422, "invalid_document", "metadata"),
        ),
        (
            json!({ "title": "x", "content": "x", "tags": vec!["t"; 51] }),
            (422, "invalid_document", "tags"),
        ),
    ] {
        let reply = room.send(&room.ada, "POST", "/knowledge/documents", body.clone()).await;
        assert_eq!(reply.refusal(), refusal, "{body}");
    }
    let file = |content: &'static [u8]| [("file", Some("a.md"), content)];
    for (content, refusal) in [
        (&b"%PDF-1.7 text"[..], (415, "document_not_text", "")),
        (&b"PK\x03\x04docx"[..], (415, "document_not_text", "")),
        (&b"caf\xe9"[..], (415, "document_not_text", "")),
        (&b"a\0b"[..], (415, "document_not_text", "")),
        (&b""[..], (422, "invalid_document", "file")),
    ] {
        let reply = room.upload("/knowledge/documents", &file(content)).await;
        assert_eq!(reply.refusal(), refusal, "{content:?}");
    }
    let big = vec![b'x'; crate::search::DOCUMENT_BYTES_MAX + 1];
    let reply = room.upload("/knowledge/documents", &[("file", Some("a.md"), &big)]).await;
    assert_eq!(reply.refusal(), (413, "file_too_large", ""));
    let reply = room.upload("/documents/upload", &[("title", None, b"x")]).await;
    assert_eq!(reply.refusal(), (422, "invalid_document", "file"));
    let reply = room.upload("/documents/upload", &[("file", None, b"x"), ("colour", None, b"red")]);
    assert_eq!(reply.await.refusal(), (422, "invalid_document", "colour"));
    let torn = form("/documents/upload", &[])
        .set_payload("--cut\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf a fi");
    assert_eq!(room.ask(&room.ada, torn).await.refusal(), (400, "multipart_incomplete", ""));
    for (body, refusal) in [
        (json!({ "query": " " }), (422, "invalid_body", "query")),
        (json!({ "query": "x", "k": 0 }), (422, "invalid_body", "k")),
        (json!({ "query": "x", "k": 101 }), (422, "invalid_body", "k")),
        (json!({ "query": "x", "mode": "psychic" }), (422, "invalid_body", "mode")),
        (json!({ "query": "x", "mode": "sparse" }), (422, "mode_unavailable", "")),
        (json!({ "query": "x", "mode": "dense" }), (503, "model_not_loaded", "")),
        (json!({ "query": "x".repeat(5000) }), (422, "query_length", "")),
    ] {
        let reply = room.send(&room.ada, "POST", "/knowledge/search", body.clone()).await;
        assert_eq!(reply.refusal(), refusal, "{body}");
    }
    assert_eq!(room.get(&room.ada, "/knowledge/stats").await.body["total_documents"], json!(0));
    assert_eq!(room.get(&room.ada, "/knowledge/documents/kbdoc_1").await.status, 404);
    assert_eq!(room.get(&room.ada, "/knowledge/documents?limit=101").await.status, 422);
    room.sound();
}

#[actix_web::test]
async fn a_stale_version_changes_nothing() {
    let room = Room::new();
    let id = room.add(&room.ada, "One", "Text.").await;
    let path = format!("/api/v1/knowledge/documents/{id}");
    let with = |method: &str, version: &str| {
        let request = TestRequest::with_uri(&path).method(method.parse().unwrap());
        request.insert_header(("if-match", version)).set_json(json!({ "title": "Two" }))
    };
    assert_eq!(room.ask(&room.ada, with("PUT", "\"1\"")).await.status, 200);
    let stale = room.ask(&room.ada, with("PUT", "\"1\"")).await;
    assert_eq!(stale.refusal(), (412, "version_mismatch", ""));
    assert_eq!(room.ask(&room.ada, with("DELETE", "\"1\"")).await.status, 412);
    assert_eq!(room.ask(&room.ada, with("DELETE", "\"2\"")).await.status, 204);
}

#[actix_web::test]
async fn a_repeated_request_adds_one_document() {
    let room = Room::new();
    let request = |content: &str| {
        TestRequest::with_uri("/api/v1/knowledge/documents")
            .method("POST".parse().unwrap())
            .insert_header(("idempotency-key", "once-and-only-once"))
            .set_json(json!({ "title": "One", "content": content }))
    };
    let first = room.ask(&room.ada, request("Text.")).await;
    let second = room.ask(&room.ada, request("Text.")).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    let other = room.ask(&room.ada, request("Other text.")).await;
    assert_eq!(other.refusal(), (409, "idempotency_mismatch", ""));
    assert_eq!(room.get(&room.ada, "/knowledge/stats").await.body["total_documents"], json!(1));
}

#[actix_web::test]
async fn lists_and_searches_follow_their_conditions() {
    let room = Room::new();
    for (title, kind, tags) in [
        ("Disk", "runbook", json!(["linux"])),
        ("Pod", "runbook", json!(["k8s"])),
        ("Disk notes", "article", json!(["linux", "k8s"])),
    ] {
        let content = "About storage.";
        let body =
            json!({ "title": title, "content": content, "document_type": kind, "tags": tags });
        assert_eq!(room.send(&room.ada, "POST", "/knowledge/documents", body).await.status, 201);
    }
    room.knowledge.search.catch_up(&room.db).await.unwrap();
    for (query, titles) in [
        ("", vec!["Disk notes", "Pod", "Disk"]),
        ("?document_type=runbook", vec!["Pod", "Disk"]),
        ("?tag=linux", vec!["Disk notes", "Disk"]),
        ("?q=dISK", vec!["Disk notes", "Disk"]),
        ("?document_type=runbook&tag=linux", vec!["Disk"]),
        ("?scope=shared", vec![]),
        ("?scope=mine&limit=1&offset=1", vec!["Pod"]),
    ] {
        let reply = room.get(&room.ada, &format!("/knowledge/documents{query}")).await;
        let listed = reply.body["documents"].as_array().unwrap();
        let found: Vec<&str> = listed.iter().map(|d| d["title"].as_str().unwrap()).collect();
        assert_eq!(found, titles, "{query}");
    }
    for (filters, count) in [
        (json!({}), 3),
        (json!({ "document_type": "runbook" }), 2),
        (json!({ "document_types": ["runbook", "article"], "tags": ["linux"] }), 2),
        (json!({ "tags": ["none"] }), 0),
        (json!({ "document_ids": [] }), 0),
    ] {
        let body = json!({ "query": "storage", "k": 10, "filters": filters });
        assert_eq!(room.found(&room.ada, body.clone()).await.len(), count, "{body}");
    }
    let global = json!({ "query": "storage", "scope": "global" });
    assert!(room.found(&room.ada, global).await.is_empty());
    let stats = room.get(&room.ada, "/knowledge/stats").await;
    assert_eq!(stats.body["documents_by_type"], json!({ "article": 1, "runbook": 2 }));
    assert_eq!(stats.body["documents_by_tag"], json!({ "k8s": 2, "linux": 2 }));
    assert_eq!(stats.body["index"]["model"], json!("lexical"));
}

#[actix_web::test]
async fn a_long_text_is_shortened_in_lists_only() {
    let room = Room::new();
    let text = "\u{e9}".repeat(20_000);
    let id = room.add(&room.ada, "Long", &text).await;
    let listed = room.get(&room.ada, "/knowledge/documents").await;
    let shown = &listed.body["documents"][0];
    assert_eq!(
        (shown["content"].as_str().unwrap().len(), &shown["content_truncated"]),
        (2048, &json!(true))
    );
    assert_eq!(shown["file_size"], json!(40_000));
    let path = format!("/knowledge/documents/{id}");
    let whole = room.get(&room.ada, &path).await;
    assert_eq!(
        (whole.text("content"), &whole.body["content_truncated"]),
        (text.as_str(), &json!(false))
    );
    // The list follows a change, and does without the text itself.
    let changed = room.send(&room.ada, "PUT", &path, json!({ "content": "Short." })).await;
    assert_eq!(
        (changed.text("content"), &changed.body["content_truncated"]),
        ("Short.", &json!(false))
    );
    let document_id = id.parse().unwrap();
    room.db.write(move |tx| tx.delete::<ContentRow>(&document_id)).await.unwrap();
    let listed = room.get(&room.ada, "/knowledge/documents").await;
    assert_eq!(listed.body["documents"][0]["content"], json!("Short."));
    let faults = room.db.read(|tx| user::check(tx, &room.knowledge)).unwrap();
    assert_eq!(faults.iter().map(|fault| fault.place).collect::<Vec<_>>(), ["kb_contents"]);
}

#[actix_web::test]
async fn a_deleted_document_leaves_nothing_of_its_text() {
    let room = Room::new();
    let body = json!({
        "title": "Plan", "content": "The wombat is under the stairs.",
        "description": "About the wombat", "metadata": { "pet": "wombat" },
    });
    let request = || {
        TestRequest::with_uri("/api/v1/knowledge/documents")
            .method("POST".parse().unwrap())
            .insert_header(("idempotency-key", "once-and-only-once"))
            .set_json(&body)
    };
    let added = room.ask(&room.ada, request()).await;
    assert_eq!((added.status, &added.body["file_size"]), (201, &json!(31)), "{added:?}");
    let path = format!("/knowledge/documents/{}", added.text("document_id"));
    assert_eq!(room.delete(&room.ada, &path).await.status, 204);
    let again = room.ask(&room.ada, request()).await;
    assert_eq!((again.status, &again.body), (201, &added.body));
    assert!(!again.body.to_string().contains("wombat"), "{again:?}");
    let mut left = 0;
    let visit = |_: PreviewRow| {
        left += 1;
        ControlFlow::Continue(())
    };
    room.db.read(|tx| tx.each_row(&Span::all(), visit)).unwrap();
    assert_eq!(left, 0);
    room.sound();
}

#[actix_web::test]
async fn who_has_too_many_jobs_stores_nothing() {
    let room = Room::new();
    let id = room.add(&room.ada, "One", "Text.").await;
    let (owner, ids) = (room.ada.user_id().unwrap(), room.ids.clone());
    let fill = move |tx: &Write<'_>| -> Result<(), DbError> {
        let job = || NewJob {
            job_id: ids.next(START),
            job_type: "kb_index",
            owner,
            case_id: None,
            payload: Default::default(),
            now: START,
        };
        while crate::jobs::submit(tx, job()).is_ok() {}
        Ok(())
    };
    room.db.write(fill).await.unwrap();
    let body = json!({ "title": "Two", "content": "Text." });
    let refused = room.send(&room.ada, "POST", "/knowledge/documents", body).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let path = format!("/knowledge/documents/{id}");
    let refused = room.send(&room.ada, "PUT", &path, json!({ "content": "Other." })).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(room.get(&room.ada, &path).await.text("content"), "Text.");
    assert_eq!(room.get(&room.ada, "/knowledge/stats").await.body["total_documents"], json!(1));
    room.sound();
}

#[actix_web::test]
async fn the_job_ends_when_the_document_can_be_found() {
    let room = Room::new();
    let body = json!({ "title": "Disk", "content": "The disk." });
    let added = room.send(&room.ada, "POST", "/knowledge/documents", body).await;
    let job_id = added.text("job_id").parse().unwrap();
    let (halt, halted) = tokio::sync::watch::channel(false);
    let indexer = tokio::spawn(room.knowledge.search.clone().run(room.db.clone(), halted));
    let body: Arc<dyn Job> = Arc::new(IndexJob::new(room.knowledge.search.clone()));
    let clock = Clock::standing_at(START.plus_ms(1000));
    let mut committed = room.db.committed();
    let runner =
        Runner::start(room.db.clone(), clock, room.ids.clone(), Bodies::new(vec![body]), 1);
    let job = loop {
        let job = room.db.read(|tx| crate::jobs::visible(tx, &room.ada, job_id, START)).unwrap();
        if job.status.is_final() {
            break job;
        }
        committed.changed().await.unwrap();
    };
    assert_eq!(job.status.as_str(), "completed", "{:?}", job.error);
    assert_eq!(job.location, added.location);
    assert_eq!(room.found(&room.ada, json!({ "query": "disk" })).await.len(), 1);
    runner.stop(Duration::from_secs(1)).await;
    halt.send(true).unwrap();
    indexer.await.unwrap();
}

/// What one of three people does.
#[derive(Debug, Clone)]
enum Act {
    Add { person: usize, word: usize },
    Change { nth: usize, word: usize },
    Delete { nth: usize },
    Search { person: usize, word: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..3, 0usize..4).prop_map(|(person, word)| Act::Add { person, word }),
        2 => (0usize..9, 0usize..4).prop_map(|(nth, word)| Act::Change { nth, word }),
        2 => (0usize..9).prop_map(|nth| Act::Delete { nth }),
        3 => (0usize..3, 0usize..4).prop_map(|(person, word)| Act::Search { person, word }),
    ]
}

async fn check_acts(acts: Vec<Act>) {
    const WORDS: [&str; 4] = ["disk", "pod", "proxy", "queue"];
    let room = Room::new();
    let people = [&room.ada, &room.bob, &room.root];
    let mut documents: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let nth = |documents: &BTreeMap<String, (usize, usize)>, nth: usize| {
        documents.iter().nth(nth).map(|(id, about)| (id.clone(), *about))
    };
    for act in acts {
        match act {
            Act::Add { person, word } => {
                let id = room.add(people[person], "Page", WORDS[word]).await;
                documents.insert(id, (person, word));
            }
            Act::Change { nth: at, word } => {
                let Some((id, (person, _))) = nth(&documents, at) else { continue };
                let path = format!("/knowledge/documents/{id}");
                let body = json!({ "content": WORDS[word] });
                assert_eq!(room.send(people[person], "PUT", &path, body).await.status, 200);
                room.knowledge.search.catch_up(&room.db).await.unwrap();
                documents.insert(id, (person, word));
            }
            Act::Delete { nth: at } => {
                let Some((id, (person, _))) = nth(&documents, at) else { continue };
                let path = format!("/knowledge/documents/{id}");
                assert_eq!(room.delete(people[(person + 1) % 3], &path).await.status, 404);
                assert_eq!(room.delete(people[person], &path).await.status, 204);
                documents.remove(&id);
            }
            Act::Search { person, word } => {
                let body = json!({ "query": WORDS[word], "k": 100 });
                let mut found = room.found(people[person], body).await;
                found.sort();
                let own = documents.iter().filter(|(_, about)| **about == (person, word));
                assert_eq!(found, own.map(|(id, _)| id.clone()).collect::<Vec<_>>());
            }
        }
    }
    room.sound();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn everybody_finds_exactly_what_is_theirs(acts in prop::collection::vec(act(), 1..20)) {
        actix_web::rt::System::new().block_on(check_acts(acts));
    }
}
