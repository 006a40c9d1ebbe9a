//! Routes.

use super::super::{Generate, routes};
use super::*;
use crate::base::Clock;
use crate::jobs::{Bodies, JobRow, JobStatus, Runner};
use crate::web::{self, Shell};
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::Data;
use actix_web::{App, Error, HttpMessage};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Signs in whoever the header names; stands in for `users`.
async fn sign_in(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let name = request.headers().get("x-test-user").and_then(|v| v.to_str().ok()?.parse().ok());
    let roles = match request.headers().contains_key("x-test-admin") {
        true => vec![Role::Admin],
        false => vec![Role::User],
    };
    if let Some(user_id) = name {
        let actor = Actor::User { user_id, roles, session_id: None };
        request.extensions_mut().insert(actor);
    }
    next.call(request).await
}

/// What came back.
struct Given {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Given {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn problem(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

async fn send(bed: &Bed, user: UserId, request: TestRequest) -> Given {
    let shell = Shell::new(bed.db.clone(), Clock::standing_at(bed.at(200)), bed.ids.clone());
    let app = App::new()
        .app_data(Data::new(shell))
        .service(actix_web::web::scope("/api/v1").configure(routes))
        .wrap(from_fn(sign_in))
        .wrap(from_fn(web::shell));
    let app = init_service(app).await;
    let request = request.insert_header(("x-test-user", user.to_string())).to_request();
    let (status, headers, body) = match try_call_service(&app, request).await {
        Ok(answer) => (answer.status(), answer.headers().clone(), answer.into_body()),
        Err(error) => {
            let answer = error.error_response();
            (answer.status(), answer.headers().clone(), answer.into_body())
        }
    };
    let bytes = to_bytes(body).await.unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Given { status: status.as_u16(), headers, text }
}

impl Bed {
    fn uri(&self, rest: &str) -> String {
        format!("/api/v1/cases/{}/reports{rest}", self.case_id)
    }

    async fn order(&self, body: Value) -> Given {
        send(self, self.ada, TestRequest::post().uri(&self.uri("")).set_json(body)).await
    }

    async fn read(&self, rest: &str) -> Given {
        send(self, self.ada, TestRequest::get().uri(&self.uri(rest))).await
    }

    /// Runs the jobs that wait; answers how this one ended.
    async fn run(&self, job_id: JobId) -> JobRow {
        let bodies = Bodies::new(vec![Arc::new(Generate::new(Policy::default()))]);
        let clock = Clock::standing_at(self.at(200));
        let runner = Runner::start(self.db.clone(), clock, self.ids.clone(), bodies, 1);
        let mut committed = self.db.committed();
        let row = loop {
            let row = self.db.read(|tx| tx.get::<JobRow>(&job_id)).unwrap().unwrap();
            if row.status.is_final() {
                break row;
            }
            committed.changed().await.unwrap();
        };
        runner.stop(Duration::from_secs(5)).await;
        row
    }
}

fn job_of(accepted: &Given) -> JobId {
    accepted.json()["job_id"].as_str().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_report_is_ordered_written_read_published_and_deleted() {
    let bed = Bed::investigated();
    bed.go(Status::Resolved, Some(ClosureReason::Resolved), bed.at(126));
    let accepted = bed.order(json!({"report_types": ["post_mortem", "runbook"]})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let (told, job_id) = (accepted.json(), job_of(&accepted));
    assert_eq!(accepted.header("location"), format!("/api/v1/jobs/{job_id}"));
    assert_eq!(accepted.header("retry-after"), "1");
    assert_eq!(
        (told["report_ids"].as_array().unwrap().len(), &told["preliminary"]),
        (2, &json!(false))
    );

    let row = bed.run(job_id).await;
    assert_eq!((row.status, row.error), (JobStatus::Completed, None));
    let location = row.location.unwrap();
    let id = told["report_ids"][0].as_str().unwrap();
    assert_eq!(location, bed.uri(&format!("/{id}")));
    let read = bed.read(&format!("/{id}")).await;
    let report = read.json();
    assert_eq!((read.status, read.header("etag")), (200, "\"1\""));
    assert_eq!(report["title"], "Post-mortem: Checkout fails");
    assert_eq!((&report["version"], &report["status"]), (&json!(1), &json!("draft")));
    assert_eq!(report["created_by"], bed.ada.to_string());
    assert_eq!(report["expires_at"], "2027-02-21T12:06:00Z");
    assert!(report["content"].as_str().unwrap().starts_with("# Post-mortem: Checkout fails\n"));

    let second = bed.order(json!({"report_types": ["incident_report"], "title": "Again"})).await;
    let row = bed.run(job_of(&second)).await;
    assert_eq!(row.result.unwrap().to::<Value>().unwrap()["reports"][0]["version"], 2);

    let list = bed.read("?type=post_mortem&include_history=true").await;
    let versions = |list: &Given| {
        let list = list.json();
        let reports = list["reports"].as_array().unwrap().iter();
        reports
            .map(|r| (r["version"].as_u64().unwrap(), r["is_current"] == true))
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&list), [(2, true), (1, false)]);
    assert_eq!(list.header("x-total-count"), "2");
    assert_eq!(versions(&bed.read("").await).len(), 2, "the current one of each type");
    assert_eq!(versions(&bed.read("?include_history=true&limit=1&offset=2").await).len(), 1);

    let patch = |body: Value, tag: &'static str| {
        let request = TestRequest::patch().uri(&location).insert_header(("if-match", tag));
        send(&bed, bed.ada, request.set_json(body))
    };
    let published = patch(json!({"status": "published", "title": "For all"}), "\"1\"").await;
    assert_eq!((published.status, published.header("etag")), (200, "\"2\""));
    assert_eq!(published.json()["valid_next_states"], json!(["archived"]));
    let stale = patch(json!({"status": "archived"}), "\"1\"").await;
    assert_eq!((stale.status, stale.header("x-actual-version")), (412, "2"));
    assert_eq!(
        patch(json!({"status": "draft"}), "*").await.problem(),
        (409, "report_transition".into())
    );
    assert_eq!(patch(json!({"version": 9}), "*").await.status, 422);

    let gone = send(&bed, bed.ada, TestRequest::delete().uri(&location)).await;
    assert_eq!(gone.status, 204);
    assert_eq!(bed.read(&format!("/{id}")).await.problem(), (404, "report_missing".into()));
    let entries =
        bed.db.read(|tx| crate::ops::audit::of_resource(tx, "report", id, Default::default()));
    let mut entries = entries.unwrap().items;
    entries.sort_by_key(|entry| entry.sequence);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.event_type.as_str()).collect();
    assert_eq!(kinds, ["report_generated", "report_deleted"]);
    assert!(bed.db.read(crate::ops::audit::verify).is_ok());
}

#[actix_web::test]
async fn a_report_is_downloaded_as_a_file() {
    let bed = Bed::investigated();
    let id = bed.generate(ReportType::Summary, bed.at(2)).report_id;
    let file = bed.read(&format!("/{id}/download")).await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/markdown; charset=utf-8"));
    let name = format!("attachment; filename=\"summary-v1-{}.md\"", bed.case_id);
    assert_eq!(file.header("content-disposition"), name);
    assert!(file.text.contains("**Preliminary:** the case was still investigating"));
    let file = bed.read(&format!("/{id}/download?format=json")).await;
    assert!(file.header("content-disposition").ends_with(".json\""));
    assert_eq!(file.json()["preliminary"], true);
    for format in ["html", "pdf"] {
        let refused = bed.read(&format!("/{id}/download?format={format}")).await;
        assert_eq!(refused.problem(), (422, "report_format_unavailable".into()));
    }
    assert_eq!(bed.read(&format!("/{id}/download?format=docx")).await.status, 422);
}

#[actix_web::test]
async fn bad_orders_are_refused() {
    let bed = Bed::investigated();
    for (body, expected) in [
        (json!({"report_types": ["trend"]}), (422, "report_type_unavailable")),
        (json!({"report_types": ["runbook", "runbook"]}), (422, "report_invalid")),
        (json!({"report_types": []}), (422, "report_invalid")),
        (json!({"report_types": ["poem"]}), (422, "invalid_body")),
        (json!({"report_types": ["runbook"], "colour": 1}), (422, "invalid_body")),
    ] {
        let refused = bed.order(body.clone()).await;
        let (status, code) = refused.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}

#[actix_web::test]
async fn a_repeated_order_is_one_order() {
    let bed = Bed::investigated();
    let send_it = |body: Value| {
        let request = TestRequest::post().uri(&bed.uri(""));
        send(&bed, bed.ada, request.insert_header(("idempotency-key", "order-0001")).set_json(body))
    };
    let first = send_it(json!({"report_types": ["summary"]})).await;
    let again = send_it(json!({"report_types": ["summary"]})).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.text, again.text);
    assert_eq!(again.header("location"), first.header("location"));
    let other = send_it(json!({"report_types": ["runbook"]})).await;
    assert_eq!(other.problem(), (409, "idempotency_mismatch".into()));
}

#[actix_web::test]
async fn reports_of_a_case_are_for_those_who_know_it() {
    let bed = Bed::investigated();
    let id = bed.generate(ReportType::Summary, bed.at(2)).report_id;
    let bob: UserId = bed.ids.next(START);
    let uri = bed.uri(&format!("/{id}"));
    let order =
        || TestRequest::post().uri(&bed.uri("")).set_json(json!({"report_types": ["summary"]}));
    for request in [
        TestRequest::get().uri(&bed.uri("")),
        TestRequest::get().uri(&uri),
        TestRequest::get().uri(&format!("{uri}/download")),
        TestRequest::patch().uri(&uri).set_json(json!({})),
        TestRequest::delete().uri(&uri),
        order(),
    ] {
        let refused = send(&bed, bob, request).await;
        assert_eq!(refused.problem(), (404, "case_missing".into()));
    }
    let admin = TestRequest::get().uri(&bed.uri("")).insert_header(("x-test-admin", "1"));
    let shown = send(&bed, bob, admin).await;
    assert_eq!(shown.status, 200, "an admin sees it, on the record");
    let case_id = bed.case_id.to_string();
    let seen =
        bed.db.read(|tx| crate::ops::audit::of_resource(tx, "case", &case_id, Default::default()));
    assert_eq!(seen.unwrap().items[0].event_type, "case_viewed");
}
