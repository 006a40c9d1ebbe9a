//! What clients see: shapes, statuses, headers.

use super::Room;
use crate::base::{Actor, Clock, Role};
use crate::cases::file::{self, Finished, NewFile};
use crate::cases::load::CONTENT_BYTES_MAX;
use crate::cases::{FileSource, ParticipantRole, evidence, http};
use crate::web::Shell;
use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, web};
use serde_json::{Value, json};

/// An answer as a client has it.
#[derive(Debug)]
struct Answer {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Value,
    raw: String,
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.text("code"))
    }
}

/// Asks the routes as one person.
async fn ask(
    room: &Room,
    actor: &Actor,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let clock = Clock::standing_at(room.tick());
    let shell = Shell::new(room.db.clone(), clock, room.ids.clone());
    let actor = actor.clone();
    let app = App::new()
        .app_data(web::Data::new(shell))
        .wrap_fn(move |request: ServiceRequest, next| {
            request.extensions_mut().insert(actor.clone());
            next.call(request)
        })
        .service(web::scope("/api/v1").configure(http::routes));
    let app = init_service(app).await;
    let method = method.parse().unwrap();
    let mut request = TestRequest::with_uri(&format!("/api/v1{path}")).method(method);
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    if let Some(body) = body {
        request = request.set_json(body);
    }
    let answer: ServiceResponse = match app.call(request.to_request()).await {
        Ok(answer) => answer.map_into_boxed_body(),
        Err(error) => {
            let answer = error.error_response();
            ServiceResponse::new(TestRequest::default().to_http_request(), answer)
        }
    };
    let header =
        |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, location, etag) = (answer.status().as_u16(), header("location"), header("etag"));
    let bytes = answer.into_body().try_into_bytes().unwrap_or_default();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    let raw = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status, location, etag, body, raw }
}

async fn post(room: &Room, path: &str, body: Value) -> Answer {
    ask(room, &room.ada, "POST", path, &[], Some(body)).await
}

async fn get(room: &Room, path: &str) -> Answer {
    ask(room, &room.ada, "GET", path, &[], None).await
}

async fn patch(room: &Room, path: &str, body: Value) -> Answer {
    ask(room, &room.ada, "PATCH", path, &[], Some(body)).await
}

/// A new case; its path.
async fn open(room: &Room) -> String {
    let made = post(room, "/cases", json!({"title": "Checkout down", "description": "502"})).await;
    format!("/cases/{}", made.text("case_id"))
}

#[actix_web::test]
async fn a_case_has_the_names_of_both_contracts() {
    let room = Room::new();
    let made = post(&room, "/cases", json!({"title": null, "priority": "low"})).await;
    assert_eq!(made.status, 201);
    let at = made.location.clone().unwrap();
    assert_eq!(at, format!("/api/v1/cases/{}", made.text("case_id")));
    assert_eq!(made.etag.as_deref(), Some("\"1\""));
    let read = get(&room, at.strip_prefix("/api/v1").unwrap()).await;
    assert_eq!(read.status, 200);
    let body = &read.body;
    assert_eq!(body["title"], "Case-0304-1");
    assert_eq!((&body["status"], &body["state"]), (&json!("consulting"), &json!("inquiry")));
    assert_eq!(body["valid_next_states"], json!(["investigating", "closed"]));
    assert_eq!(body["is_terminal"], false);
    assert_eq!(body["priority"], "low");
    assert_eq!(body["current_stage"], "symptom_verification");
    assert_eq!(body["pending_milestones"].as_array().map(Vec::len), Some(8));
    assert_eq!((&body["evidence_count"], &body["current_turn"]), (&json!(0), &json!(0)));
    assert_eq!(body["access_role"], "owner");
    assert_eq!(body["user_id"], room.ada.label());
    assert!(body.get("evidence").is_none(), "parts only when asked for");
    for absent in ["organization_id", "closure_reason", "resolved_at", "closed_at", "stage"] {
        assert_eq!(body.get(absent), Some(&Value::Null), "{absent}");
    }
}

#[actix_web::test]
async fn either_spelling_moves_and_finds_a_case() {
    let room = Room::new();
    let case = open(&room).await;
    let found = get(&room, "/cases?state=inquiry").await;
    assert_eq!(found.body["total_count"], 1);
    let moved = post(&room, &format!("{case}/status"), json!({"state": "investigating"})).await;
    assert_eq!((moved.status, moved.text("stage")), (200, "diagnosis"));
    let refused = post(&room, &format!("{case}/status"), json!({"status": "inquiry"})).await;
    assert_eq!(refused.refusal(), (409, "case_transition"));
    assert!(refused.text("detail").contains("valid_next_states: resolved, closed"));
    assert_eq!(refused.body["errors"][0]["message"], "resolved, closed");
    let bare = post(&room, &format!("{case}/status"), json!({"status": "resolved"})).await;
    assert_eq!(bare.refusal(), (422, "case_invalid"));
    assert_eq!(bare.body["errors"][0]["field"], "closure_reason");
    let body = json!({"status": "resolved", "closure_reason": "resolved", "reason": "fixed"});
    let resolved = post(&room, &format!("{case}/status"), body).await;
    assert_eq!(resolved.body["resolved_at"], resolved.body["closed_at"]);
    assert_eq!((resolved.status, &resolved.body["is_terminal"]), (200, &json!(true)));
    let steps = get(&room, &format!("{case}/transitions")).await;
    let to: Vec<_> =
        steps.body["transitions"].as_array().unwrap().iter().map(|t| &t["to_status"]).collect();
    assert_eq!(to, ["consulting", "investigating", "resolved"]);
    let late = post(&room, &format!("{case}/evidence"), json!({"content": "x"})).await;
    assert_eq!(late.refusal(), (409, "case_ended"));
    let again = post(&room, &format!("{case}/reopen"), json!({})).await;
    assert_eq!((again.status, again.text("status")), (200, "investigating"));
    let closed = post(&room, &format!("{case}/close"), json!({"closure_note": "moved"})).await;
    assert_eq!((closed.status, closed.text("closure_reason")), (200, "other"));
}

#[actix_web::test]
async fn bad_input_is_refused_by_name() {
    let room = Room::new();
    let case = open(&room).await;
    let check = async |method: &str, path: &str, body: Value, status: u16, field: &str| {
        let answer = ask(&room, &room.ada, method, path, &[], Some(body.clone())).await;
        let told = answer.body["errors"][0]["field"].as_str().unwrap_or_default();
        assert_eq!((answer.status, told), (status, field), "{method} {path} {body}: {answer:?}");
    };
    check("POST", "/cases", json!({"titel": "x"}), 422, "titel").await;
    check("POST", "/cases", json!({"title": 7}), 422, "title").await;
    check("POST", "/cases", json!({"title": "x".repeat(201)}), 422, "title").await;
    check("POST", "/cases", json!({"priority": "urgent"}), 422, "priority").await;
    check("POST", "/cases", json!({"org_id": "org_x"}), 422, "org_id").await;
    check("POST", "/cases", json!({"metadata": 7}), 422, "metadata").await;
    let (evidence, solutions) = (format!("{case}/evidence"), format!("{case}/solutions"));
    check("POST", &evidence, json!({}), 422, "content").await;
    check("POST", &evidence, json!({"content": " "}), 422, "content").await;
    check("POST", &evidence, json!({"content": "x", "form": "scroll"}), 422, "form").await;
    check("POST", &solutions, json!({"description": "x", "steps": "one"}), 422, "steps").await;
    let unknown = "hyp_00000000000000000000000000";
    let body = json!({"description": "x", "linked_hypothesis_id": unknown});
    check("POST", &solutions, body, 422, "linked_hypothesis_id").await;
    check("PUT", &format!("{case}/tags"), json!({"tags": ["a", ""]}), 422, "tags[1]").await;
    check("PATCH", &case, json!({"title": " "}), 422, "title").await;
    check("PATCH", &case, json!({"reason": "x"}), 422, "closure_reason").await;
    for path in ["/cases?status=open", "/cases?limit=101", "/cases?sort=size", "/cases?scope=x"] {
        assert_eq!(get(&room, path).await.status, 422, "{path}");
    }
    assert_eq!(get(&room, &format!("{case}?include=evidence,x")).await.status, 422);
    assert_eq!(get(&room, &format!("{evidence}?source_type=rumour")).await.status, 422);
    assert_eq!(get(&room, "/cases/case_1").await.status, 404);
    assert_eq!(get(&room, "/cases/case_00000000000000000000000000").await.status, 404);
    assert_eq!(get(&room, "/cases").await.body["total_count"], 1, "nothing half-stored");
}

#[actix_web::test]
async fn a_stranger_a_viewer_and_nobody_are_told_what_they_may_know() {
    let room = Room::new();
    let case = open(&room).await;
    let evidence = format!("{case}/evidence");
    let as_bob = async |method: &str, path: &str, body: Option<Value>| {
        ask(&room, &room.bob, method, path, &[], body).await
    };
    let body = || Some(json!({"content": "x"}));
    assert_eq!(as_bob("GET", &case, None).await.refusal(), (404, "case_missing"));
    assert_eq!(as_bob("POST", &evidence, body()).await.refusal(), (404, "case_missing"));
    assert_eq!(as_bob("DELETE", &case, None).await.refusal(), (404, "case_missing"));
    room.enrol(case["/cases/".len()..].parse().unwrap(), &room.bob, ParticipantRole::Viewer);
    let seen = as_bob("GET", &case, None).await;
    assert_eq!((seen.status, seen.text("access_role")), (200, "viewer"));
    assert_eq!(seen.body["valid_next_states"], json!([]));
    assert_eq!(as_bob("POST", &evidence, body()).await.refusal(), (403, "case_read_only"));
    assert_eq!(as_bob("DELETE", &case, None).await.refusal(), (403, "case_read_only"));
    let nobody = ask(&room, &Actor::Anonymous, "GET", &case, &[], None).await;
    assert_eq!(nobody.refusal(), (401, "unauthenticated"));
    let nobody = ask(&room, &Actor::Anonymous, "POST", &evidence, &[], body()).await;
    assert_eq!(nobody.refusal(), (401, "unauthenticated"));
}

#[actix_web::test]
async fn operator_access_is_in_the_audit_trail_before_it_is_answered() {
    let room = Room::new();
    let case = open(&room).await;
    assert_eq!(ask(&room, &room.anna, "GET", &case, &[], None).await.status, 200);
    assert_eq!(ask(&room, &room.root, "GET", "/cases", &[], None).await.status, 200);
    let body = Some(json!({"content": "x"}));
    let path = format!("{case}/evidence");
    assert_eq!(ask(&room, &room.root, "POST", &path, &[], body).await.status, 201);
    let page = room
        .db
        .read(|tx| crate::ops::audit::recent(tx, crate::base::PageRequest::default()))
        .unwrap();
    let acts: Vec<_> = page
        .items
        .iter()
        .map(|row| (row.actor.clone(), row.event_type.as_str(), row.details.as_str()))
        .collect();
    let (root, anna) = (room.root.label(), room.anna.label());
    assert_eq!(
        acts[..3],
        [
            (root.clone(), "case_updated", r#"{"action":"evidence added","operator":true}"#),
            (root, "case_viewed", r#"{"action":"listed","operator":true,"cases":1}"#),
            (anna, "case_viewed", r#"{"action":"read","operator":true}"#),
        ]
    );
}

#[actix_web::test]
async fn a_stale_version_is_refused_with_both_versions() {
    let room = Room::new();
    let case = open(&room).await;
    let change = async |etag: &str, title: &str| {
        let body = Some(json!({"title": title}));
        ask(&room, &room.ada, "PUT", &case, &[("if-match", etag)], body).await
    };
    let first = change("\"1\"", "one").await;
    assert_eq!((first.status, first.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(change("\"1\"", "two").await.refusal(), (412, "version_mismatch"));
    assert_eq!(get(&room, &case).await.text("title"), "one");
    let delete =
        async |etag| ask(&room, &room.ada, "DELETE", &case, &[("if-match", etag)], None).await;
    assert_eq!(delete("\"1\"").await.status, 412);
    assert_eq!(delete("\"2\"").await.status, 204);
    assert_eq!(delete("\"2\"").await.refusal(), (404, "case_missing"));
}

#[actix_web::test]
async fn a_repeated_creation_is_answered_again() {
    let room = Room::new();
    let case = open(&room).await;
    let send = async |key: &str, path: &str, body: Value| {
        ask(&room, &room.ada, "POST", path, &[("idempotency-key", key)], Some(body)).await
    };
    let evidence = format!("{case}/evidence");
    let paths = [("/cases", "title", "case_id"), (evidence.as_str(), "content", "evidence_id")];
    for (key, (path, field, id)) in ["key-of-case", "key-of-evidence"].into_iter().zip(paths) {
        let (first, second) = (
            send(key, path, json!({field: "x"})).await,
            send(key, path, json!({field: "x"})).await,
        );
        assert_eq!((first.status, second.status), (201, 201), "{path}");
        assert_eq!(first.text(id), second.text(id), "{path}");
        assert_eq!(first.location, second.location, "{path}");
        let other = send(key, path, json!({field: "y"})).await;
        assert_eq!(other.refusal(), (409, "idempotency_mismatch"), "{path}");
    }
    assert_eq!(get(&room, "/cases").await.body["total_count"], 2);
    assert_eq!(get(&room, &evidence).await.body["total_count"], 1);
}

#[actix_web::test]
async fn who_lost_access_is_not_answered_again() {
    let room = Room::new();
    let case = open(&room).await;
    let case_id = case["/cases/".len()..].parse().unwrap();
    room.enrol(case_id, &room.bob, ParticipantRole::Collaborator);
    let demoted = match &room.root {
        Actor::User { user_id, session_id, .. } => {
            Actor::User { user_id: *user_id, roles: vec![Role::User], session_id: *session_id }
        }
        other => other.clone(),
    };
    let evidence = format!("{case}/evidence");
    let add = async |actor: &Actor| {
        let (key, body) = ([("idempotency-key", "key-of-evidence")], json!({"content": "x"}));
        ask(&room, actor, "POST", &evidence, &key, Some(body)).await
    };
    for actor in [&room.bob, &room.root] {
        let (first, again) = (add(actor).await, add(actor).await);
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!(first.text("evidence_id"), again.text("evidence_id"));
    }
    room.enrol(case_id, &room.bob, ParticipantRole::Viewer);
    assert_eq!(add(&room.bob).await.refusal(), (403, "case_read_only"));
    assert_eq!(add(&demoted).await.refusal(), (404, "case_missing"));
}

#[actix_web::test]
async fn json_columns_keep_their_spelling_and_null_empties_them() {
    let room = Room::new();
    let case = open(&room).await;
    let set = patch(&room, &case, json!({"working_conclusion": {"b": 1.50, "a": [1]}})).await;
    assert_eq!(set.body["working_conclusion"], json!({"b": 1.5, "a": [1]}));
    let kept = patch(&room, &case, json!({"priority": "critical"})).await;
    assert_eq!(kept.body["working_conclusion"], json!({"b": 1.5, "a": [1]}));
    let emptied =
        patch(&room, &case, json!({"working_conclusion": null, "description": null})).await;
    assert_eq!(emptied.body["working_conclusion"], Value::Null);
    assert_eq!(emptied.body["description"], Value::Null);
}

#[actix_web::test]
async fn a_case_is_worked_through_its_parts() {
    let room = Room::new();
    let case = open(&room).await;
    let body = json!({"content": "pool exhausted", "source_type": "log_file", "form": "document"});
    let evidence = post(&room, &format!("{case}/evidence"), body).await;
    assert_eq!((evidence.status, evidence.text("category")), (201, "symptom_evidence"));
    let evidence_id = evidence.text("evidence_id");
    let body = json!({"statement": "the pool is too small", "confidence": 0.5,
        "evidence_links": [{"evidence_id": evidence_id, "relationship": "supports"}]});
    let hypothesis = post(&room, &format!("{case}/hypotheses"), body).await;
    assert_eq!((hypothesis.status, &hypothesis.body["likelihood"]), (201, &json!(0.65)));
    assert_eq!(hypothesis.text("confidence_level"), "probable");
    let links = &hypothesis.body["evidence_links"][0];
    assert_eq!(
        (&links["stance"], &links["relationship"]),
        (&json!("supports"), &json!("supports"))
    );
    let at = format!("{case}/hypotheses/{}", hypothesis.text("hypothesis_id"));
    assert_eq!(
        patch(&room, &at, json!({"status": "validated"})).await.refusal(),
        (409, "hypothesis_transition")
    );
    assert_eq!(patch(&room, &at, json!({"status": "testing"})).await.status, 200);
    let tested = get(&room, &format!("{case}/hypotheses?status=testing")).await;
    assert_eq!(tested.body["total_count"], 1);
    let body = json!({"description": "raise it", "steps": ["edit", "restart"],
        "linked_hypothesis_id": hypothesis.text("hypothesis_id")});
    let solution = post(&room, &format!("{case}/solutions"), body).await;
    assert_eq!((solution.status, solution.text("status")), (201, "proposed"));
    let at = format!("{case}/solutions/{}", solution.text("solution_id"));
    assert_eq!(patch(&room, &at, json!({"status": "applying"})).await.status, 200);
    let applied = patch(&room, &at, json!({"status": "applied", "result_summary": "ok"})).await;
    assert!(applied.body["applied_at"].is_string());
    let tags = ask(
        &room,
        &room.ada,
        "PUT",
        &format!("{case}/tags"),
        &[],
        Some(json!({"tags": ["db", "prod", "db"]})),
    )
    .await;
    assert_eq!(tags.body["tags"], json!(["db", "prod"]));
    let said = post(&room, &format!("{case}/messages"), json!({"content": "why?"})).await;
    assert_eq!((said.status, &said.body["turn_number"]), (201, &json!(1)));
    let body = json!({"tool_name": "kb", "tool_input": {"q": 1}, "status": "running"});
    let call = post(&room, &format!("{case}/tool-calls"), body).await;
    let at = format!("{case}/tool-calls/{}", call.text("call_id"));
    let done = patch(&room, &at, json!({"status": "success", "tool_output": {"hits": 3}})).await;
    assert_eq!((done.status, &done.body["tool_output"]["hits"]), (200, &json!(3)));

    let parts =
        "evidence,hypotheses,solutions,messages,files,transitions,tags,tool_calls,participants";
    let full = get(&room, &format!("{case}?include={parts}")).await;
    assert_eq!(full.body["evidence"][0]["content"], "pool exhausted");
    assert_eq!(full.body["hypotheses"][0]["status"], "testing");
    assert_eq!(full.body["solutions"][0]["steps"], json!(["edit", "restart"]));
    assert_eq!(full.body["conversation_history"][0]["content"], "why?");
    assert_eq!(full.body["tool_calls"][0]["status"], "success");
    assert_eq!(full.body["participants"][0]["role"], "owner");
    assert_eq!(full.body["files"], json!([]));
    let detail = get(&room, &format!("{case}/evidence/{evidence_id}")).await;
    assert_eq!(detail.body["related_hypotheses"][0]["stance"], "supports");
    let overview = get(&room, &format!("{case}/overview")).await;
    assert_eq!(overview.body["active_hypotheses"][0]["likelihood"], 0.65);
    assert_eq!(overview.body["solution_count"], 1);
    let timeline = get(&room, &format!("{case}/timeline")).await;
    let kinds: Vec<_> =
        timeline.body["events"].as_array().unwrap().iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(
        kinds,
        ["status", "evidence", "hypothesis", "solution", "solution", "message", "tool_call"]
    );
    let at = format!("{case}/evidence/{evidence_id}");
    let gone = ask(&room, &room.ada, "DELETE", &at, &[], None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        get(&room, &format!("{case}/evidence/{evidence_id}")).await.refusal(),
        (404, "evidence_missing")
    );
    room.assert_sound();
}

#[actix_web::test]
async fn evidence_from_a_file_shows_what_the_analysis_found() {
    let room = Room::new();
    let case = open(&room).await;
    let case_id = case["/cases/".len()..].parse().unwrap();
    let now = room.tick();
    let (file_id, evidence_id) = (room.ids.next(now), room.ids.next(now));
    let new = NewFile {
        file_id,
        filename: "app.log".into(),
        size_bytes: 11,
        content_type: None,
        sha256: [3; 32],
        data_type: None,
        description: None,
        storage_key: "artifacts/a".into(),
        source_type: FileSource::FileUpload,
    };
    let derived = evidence::NewEvidence {
        source_file_id: Some(file_id),
        data_type: Some("logs_and_errors".into()),
        preprocessed_summary: Some("3 errors".into()),
        key_insights: vec!["errors begin at line 4".into()],
        secrets_detected: true,
        ..super::new_evidence(evidence_id, "extracted")
    };
    let analysis = r#"{"findings":{"templates":[{"id":1,"template":"x <*>"}]},"value":1.50}"#;
    let found = Finished {
        data_type: "logs_and_errors".into(),
        summary: Some("3 errors".into()),
        analysis: analysis.into(),
    };
    room.change(&room.ada, case_id, move |tx, may| {
        file::add(tx, may, &new, now)?;
        file::finish(tx, may, file_id, &found, now)?;
        evidence::add(tx, may, &derived, now)
    })
    .unwrap();
    let read = get(&room, &format!("{case}/evidence/{evidence_id}")).await;
    assert_eq!(read.body["summary"], "3 errors");
    assert_eq!(read.body["key_insights"], json!(["errors begin at line 4"]));
    assert_eq!(
        (&read.body["pii_detected"], &read.body["secrets_detected"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(read.body["analysis"]["findings"]["templates"][0]["template"], "x <*>");
    assert!(read.raw.contains(analysis), "the analysis is answered as it was stored");
    assert_eq!(read.body["source_file"]["filename"], "app.log");
    let listed = get(&room, &format!("{case}/evidence?data_type=logs_and_errors")).await;
    assert_eq!(listed.body["evidence"][0]["source_file_id"], file_id.to_string());
    let full = get(&room, &format!("{case}?include=files")).await;
    assert_eq!(full.body["files"][0]["sha256"], "03".repeat(32));
}

#[actix_web::test]
async fn a_case_with_more_than_one_answer_holds_says_that_it_is_truncated() {
    let room = Room::new();
    let case = open(&room).await;
    assert!(get(&room, &case).await.body.get("truncated").is_none(), "no parts, nothing cut");
    let case_id = case.strip_prefix("/cases/").unwrap().parse().unwrap();
    let large = "x".repeat(evidence::CONTENT_BYTES_MAX);
    let fitting = CONTENT_BYTES_MAX / evidence::CONTENT_BYTES_MAX;
    for _ in 0..fitting {
        room.add_evidence(case_id, &large);
    }
    let path = format!("{case}?include=evidence");
    assert_eq!(get(&room, &path).await.body["truncated"], false);
    room.add_evidence(case_id, &large);
    let full = get(&room, &path).await;
    assert_eq!(full.body["truncated"], true);
    assert_eq!(full.body["evidence"][fitting]["content"], "");
    assert_eq!(full.body["evidence"][0]["content"], large);
}

#[actix_web::test]
async fn lists_come_in_windows() {
    let room = Room::new();
    for n in 0..5 {
        post(&room, "/cases", json!({"title": format!("case {n}"), "tags": ["t"]})).await;
    }
    let page = get(&room, "/cases?limit=2&offset=1&sort=title").await;
    let titles: Vec<_> =
        page.body["cases"].as_array().unwrap().iter().map(|c| c["title"].clone()).collect();
    assert_eq!(titles, ["case 1", "case 2"]);
    assert_eq!((&page.body["total_count"], &page.body["has_more"]), (&json!(5), &json!(true)));
    assert_eq!(page.body["cases"][0]["tags"], json!(["t"]));
    let archived = get(&room, "/cases").await.body["cases"][0]["case_id"].clone();
    let path = format!("/cases/{}/archive", archived.as_str().unwrap());
    assert_eq!(post(&room, &path, json!({})).await.status, 200);
    assert_eq!(get(&room, "/cases").await.body["total_count"], 4);
    assert_eq!(get(&room, "/cases?include_archived=true").await.body["total_count"], 5);
    assert_eq!(ask(&room, &room.ada, "DELETE", &path, &[], None).await.status, 200);
    assert_eq!(get(&room, "/cases?q=CASE").await.body["total_count"], 5);
}

#[test]
fn the_description_knows_every_route() {
    use utoipa::OpenApi;
    let described = serde_json::to_value(http::Doc::openapi()).unwrap();
    let operations: usize = described["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(operations, 41);
    assert!(described["components"]["schemas"].get("CaseFull").is_some());
}
