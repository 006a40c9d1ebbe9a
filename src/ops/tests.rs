//! The chain against every way of breaking it, and the routes against a store in memory.

use super::audit::{self, AuditRow, Category, Entry, Verified, Who};
use super::health::Overall;
use super::logs::{self, Style};
use super::{Metrics, OpsError, Readiness, State, event};
use crate::base::{Actor, Clock, Ids, Json, PageRequest, Time};
use crate::engine::db::{Db, DbError, Schema, View, Write};
use crate::web::{self, Shell};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use actix_web::{App, HttpResponse};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const T0: Time = Time::from_unix_us(1_800_000_000_000_000);

fn store() -> Db {
    Db::in_memory(super::schema(Schema::new())).unwrap()
}

fn entry(ids: &Ids, number: u64) -> Entry {
    let at = T0.plus_ms(number as i64);
    Entry {
        event_id: ids.next(at),
        at,
        actor: if number.is_multiple_of(2) { "user_ada" } else { "user_bob" }.into(),
        event_type: event::CASE_SHARED,
        category: Category::DataAccess,
        resource_type: "case",
        resource_id: format!("case_{}", number % 3),
        details: Json::parse(&format!("{{\"n\":{number}}}")).unwrap(),
        address: (number.is_multiple_of(2)).then(|| "192.0.2.7".into()),
        success: true,
    }
}

/// A store with `count` entries and nothing wrong.
fn chain_of(count: u64) -> Db {
    let (db, ids) = (store(), Ids::seeded(1));
    for number in 0..count {
        let entry = entry(&ids, number);
        db.write_blocking(move |tx| audit::record(tx, entry.clone())).unwrap();
    }
    db
}

fn verify(db: &Db) -> Result<Verified, (u64, &'static str)> {
    db.read(audit::verify).map_err(|error| match error {
        OpsError::Chain { first_bad, why } => (first_bad, why),
        other => panic!("{other}"),
    })
}

/// Changes the stored rows behind the chain's back.
fn tamper(db: &Db, act: impl Fn(&Write<'_>) -> Result<(), DbError> + Send + 'static) {
    db.write_blocking(act).unwrap();
}

fn row(tx: &impl View, sequence: u64) -> Result<AuditRow, DbError> {
    tx.get(&sequence).map(Option::unwrap)
}

#[test]
fn a_chain_as_it_was_written_holds() {
    let empty = verify(&store()).unwrap();
    assert_eq!((empty.entries, empty.head.as_str()), (0, "0".repeat(64).as_str()));
    let db = chain_of(5);
    let five = verify(&db).unwrap();
    assert_eq!(five.entries, 5);
    assert_ne!(five.head, verify(&chain_of(6)).unwrap().head);
    assert_eq!(five.head, verify(&chain_of(5)).unwrap().head, "the same acts give the same head");
    assert_eq!(db.check().unwrap(), []);
}

#[test]
fn entries_of_one_commit_and_of_many_make_one_chain() {
    let (db, ids) = (store(), Ids::seeded(1));
    let entries: Vec<Entry> = (0..5).map(|number| entry(&ids, number)).collect();
    db.write_blocking(move |tx| {
        entries.iter().try_for_each(|entry| audit::record(tx, entry.clone()))
    })
    .unwrap();
    assert_eq!(verify(&db), verify(&chain_of(5)));
}

#[test]
fn an_act_that_fails_leaves_no_entry_and_no_gap() {
    let (db, ids) = (chain_of(2), Ids::seeded(2));
    let entry = entry(&ids, 9);
    let refused = db.write_blocking(move |tx| {
        audit::record(tx, entry.clone())?;
        Err::<(), DbError>(DbError::Closed)
    });
    assert!(refused.is_err());
    assert_eq!(verify(&db).unwrap().entries, 2);
}

/// One way of changing an entry.
type Edit = fn(&mut AuditRow);

const EDITS: [(&str, Edit); 12] = [
    ("event_id", |row| row.event_id = Ids::seeded(99).next(T0)),
    ("at", |row| row.at = row.at.plus_ms(1)),
    ("actor", |row| row.actor.push('x')),
    ("event_type", |row| row.event_type = event::LOGIN.into()),
    ("category", |row| row.category = Category::Security),
    ("resource_type", |row| row.resource_type.push('x')),
    ("resource_id", |row| row.resource_id.clear()),
    ("details", |row| row.details = Json::parse("{\"n\": 0}").unwrap()),
    ("address", |row| row.address = Some(row.address.take().map_or("".into(), |a| a + "0"))),
    ("success", |row| row.success = !row.success),
    ("hash", |row| row.hash[31] ^= 1),
    ("text moved between fields", |row| {
        let moved = row.resource_type.pop().unwrap();
        row.resource_id.insert(0, moved);
    }),
];

#[test]
fn an_edited_entry_is_named() {
    for (what, edit) in EDITS {
        for sequence in 1..=4 {
            let db = chain_of(4);
            tamper(&db, move |tx| {
                let mut row = row(tx, sequence)?;
                edit(&mut row);
                tx.put(&row)
            });
            assert_eq!(verify(&db), Err((sequence, "it was edited")), "{what} of {sequence}");
        }
    }
}

#[test]
fn an_edited_entry_with_a_fitting_hash_breaks_the_next() {
    let db = chain_of(3);
    let forged = chain_of(1);
    tamper(&forged, |tx| audit::record(tx, entry(&Ids::seeded(7), 8)));
    let other = forged.read(|tx| row(tx, 2)).unwrap();
    tamper(&db, move |tx| tx.put(&other));
    assert_eq!(verify(&db), Err((3, "it does not follow the entry before")));
}

#[test]
fn a_removed_entry_is_named_also_at_the_end() {
    for sequence in 1..=4u64 {
        let db = chain_of(4);
        tamper(&db, move |tx| tx.delete::<AuditRow>(&sequence).map(|_| ()));
        let why = if sequence == 4 { "entries are missing at the end" } else { "it is missing" };
        assert_eq!(verify(&db), Err((sequence, why)), "{sequence}");
    }
    let db = chain_of(4);
    tamper(&db, |tx| (1..=4u64).try_for_each(|n| tx.delete::<AuditRow>(&n).map(|_| ())));
    assert_eq!(verify(&db), Err((1, "entries are missing at the end")));
}

#[test]
fn an_added_entry_and_a_lost_head_are_seen() {
    let db = chain_of(4);
    tamper(&db, |tx| tx.clear_mark("audit_head"));
    assert_eq!(verify(&db), Err((4, "the head is of another entry")));
    let db = chain_of(4);
    tamper(&db, |tx| tx.set_mark("audit_head", b"short"));
    assert_eq!(verify(&db), Err((4, "the head does not decode")));
    let db = chain_of(4);
    let longer = chain_of(5).read(|tx| row(tx, 5)).unwrap();
    tamper(&db, move |tx| tx.put(&longer));
    assert_eq!(verify(&db), Err((5, "the head is of another entry")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn swapping_any_two_entries_is_seen_at_the_first(a in 1..=9u64, b in 1..=9u64) {
        prop_assume!(a != b);
        let db = chain_of(9);
        tamper(&db, move |tx| {
            let (mut first, mut second) = (row(tx, a)?, row(tx, b)?);
            (first.sequence, second.sequence) = (b, a);
            tx.put(&first)?;
            tx.put(&second)
        });
        let found = verify(&db).map_err(|(first_bad, _)| first_bad);
        prop_assert_eq!(found, Err(a.min(b)));
    }

    #[test]
    fn cutting_any_run_out_is_seen_at_its_start(from in 1..=9u64, len in 1..=9u64) {
        let db = chain_of(9);
        tamper(&db, move |tx| {
            (from..(from + len).min(10)).try_for_each(|n| tx.delete::<AuditRow>(&n).map(|_| ()))
        });
        prop_assert_eq!(verify(&db).map_err(|(first_bad, _)| first_bad), Err(from));
    }
}

#[test]
fn entries_are_listed_newest_first_by_time_actor_and_thing() {
    let db = chain_of(6);
    let all = PageRequest::default();
    let order = |rows: Vec<AuditRow>| rows.iter().map(|row| row.sequence).collect::<Vec<_>>();
    db.read(|tx| {
        assert_eq!(order(audit::recent(tx, all)?.items), [6, 5, 4, 3, 2, 1]);
        assert_eq!(order(audit::of_actor(tx, "user_ada", all)?.items), [5, 3, 1]);
        assert_eq!(audit::of_actor(tx, "user_ad", all)?.total_count, 0);
        assert_eq!(order(audit::of_resource(tx, "case", "case_1", all)?.items), [5, 2]);
        let (since, until) = (T0.plus_ms(1), T0.plus_ms(4));
        assert_eq!(order(audit::between(tx, since, until, all)?.items), [4, 3, 2]);
        assert_eq!(audit::between(tx, until, since, all)?.total_count, 0);
        Ok::<_, DbError>(())
    })
    .unwrap();
}

#[test]
fn an_actor_is_spelt_by_his_id_and_address() {
    let who = Who::from(&Actor::System("sweep"), "2001:db8::1".parse().ok());
    assert_eq!((who.actor.as_str(), who.address.as_deref()), ("system:sweep", Some("2001:db8::1")));
}

fn check_readiness(states: &[(&'static str, bool, State)], expected: Overall) {
    let readiness = Readiness::new();
    for (name, required, state) in states {
        readiness.register(name, *required);
        readiness.set(name, *state, "said so");
    }
    assert_eq!(readiness.report().status, expected, "{states:?}");
}

#[test]
fn the_whole_is_as_ready_as_its_required_parts() {
    check_readiness(&[], Overall::Ready);
    check_readiness(&[("db", true, State::Ok), ("model", false, State::Ok)], Overall::Ready);
    check_readiness(
        &[("db", true, State::Ok), ("model", false, State::Starting)],
        Overall::Degraded,
    );
    check_readiness(&[("db", true, State::Ok), ("model", false, State::Failed)], Overall::Degraded);
    check_readiness(&[("db", true, State::Degraded)], Overall::Degraded);
    check_readiness(
        &[("db", true, State::Ok), ("index", true, State::Starting)],
        Overall::Starting,
    );
    check_readiness(
        &[("db", true, State::Failed), ("index", true, State::Starting)],
        Overall::Failed,
    );
}

struct World {
    shell: Shell,
    readiness: Readiness,
    metrics: Data<Metrics>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::standing_at(T0);
        let shell = Shell::new(store(), clock, Ids::seeded(1));
        let metrics = Data::new(Metrics::new("1.2.3", T0));
        Self { shell, readiness: Readiness::new(), metrics }
    }

    /// Status, content type and body of a GET.
    async fn get(&self, uri: &str) -> (u16, String, String) {
        let app = App::new()
            .app_data(Data::new(self.shell.clone()))
            .app_data(Data::new(self.readiness.clone()))
            .app_data(self.metrics.clone())
            .configure(super::http::routes)
            .route("/things/{id}", actix_web::web::get().to(HttpResponse::Ok))
            .default_service(actix_web::web::to(web::unmatched))
            .wrap(from_fn(web::shell))
            .wrap(from_fn(super::http::measure));
        let app = init_service(app).await;
        let answer = call_service(&app, TestRequest::get().uri(uri).to_request()).await;
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().into());
        let (status, body) = (answer.status().as_u16(), read_body(answer).await);
        (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn json(&self, uri: &str) -> (u16, Value) {
        let (status, _, body) = self.get(uri).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[actix_web::test]
async fn probes_follow_the_life_of_the_server() {
    let world = World::new();
    world.readiness.register("search index", true);
    world.readiness.register("model", false);
    assert_eq!(world.json("/livez").await, (200, serde_json::json!({"status": "ok"})));
    assert_eq!(world.json("/readyz").await, (503, serde_json::json!({"status": "starting"})));
    assert_eq!(world.json("/health").await.0, 200);

    world.readiness.set("search index", State::Ok, "12 chunks");
    world.readiness.set("model", State::Degraded, "lexical search only: no model is installed");
    let (status, json) = world.json("/readyz?verbose").await;
    assert_eq!((status, &json["status"]), (200, &"degraded".into()));
    assert_eq!(
        json["components"][0],
        serde_json::json!({
            "name": "model", "state": "degraded", "required": false,
            "message": "lexical search only: no model is installed",
        })
    );
    assert_eq!(world.json("/readiness").await, (200, serde_json::json!({"status": "degraded"})));

    world.readiness.drain();
    assert_eq!(world.json("/readyz").await.1["status"], "draining");
    assert_eq!(world.json("/readyz").await.0, 503);
    assert_eq!(world.json("/livez").await.0, 200, "a draining server is not to be killed");
}

#[actix_web::test]
async fn health_and_version_tell_clients_what_they_talk_to() {
    let world = World::new();
    world.shell.clock.advance_ms(90_500);
    let (status, health) = world.json("/health").await;
    assert_eq!(
        (status, &health["status"], &health["service"]),
        (200, &"healthy".into(), &"faultmaven".into())
    );
    assert_eq!(health["uptime_seconds"], 90);
    assert_eq!(world.json("/healthz").await.1, health);
    assert_eq!(world.json("/version").await.1["version"], env!("CARGO_PKG_VERSION"));
    world.readiness.register("database", true);
    world.readiness.set("database", State::Failed, "gone");
    assert_eq!(world.json("/health").await.0, 503);
}

#[actix_web::test]
async fn metrics_count_requests_by_route_and_never_by_address() {
    let world = World::new();
    world.metrics.set_jobs("pending", 3);
    world.metrics.job_finished("report", "completed");
    world.metrics.searched("hybrid", true, 1500);
    world.metrics.set_model("all-minilm-l6-v2", true);
    for uri in ["/things/1", "/things/2", "/nothing", "/nowhere"] {
        world.get(uri).await;
    }
    world.shell.clock.advance_ms(2000);
    let (status, kind, text) = world.get("/metrics").await;
    assert_eq!((status, kind.as_str()), (200, super::http::OPENMETRICS));
    for line in [
        r#"http_requests_total{method="GET",route="/things/{id}",status="2xx"} 2"#,
        r#"http_requests_total{method="GET",route="unmatched",status="4xx"} 2"#,
        r#"http_request_duration_seconds_count{method="GET",route="/things/{id}",status="2xx"} 2"#,
        "http_requests_in_flight 1",
        r#"faultmaven_build_info{version="1.2.3"} 1"#,
        "faultmaven_db_commits_total 0",
        r#"faultmaven_jobs{status="pending"} 3"#,
        r#"faultmaven_jobs_finished_total{job_type="report",outcome="completed"} 1"#,
        r#"faultmaven_searches_total{mode="hybrid",exact="true"} 1"#,
        r#"faultmaven_search_duration_seconds_sum{mode="hybrid",exact="true"} 0.0015"#,
        r#"faultmaven_model_loaded{model="all-minilm-l6-v2"} 1"#,
        "faultmaven_uptime_seconds 2.0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(!text.contains("/things/1"), "{text}");
    if cfg!(target_os = "linux") {
        assert!(!text.contains("process_resident_memory_bytes 0"), "{text}");
    }
}

#[test]
fn a_figure_can_be_read_when_somebody_asks() {
    let mut metrics = Metrics::new("1.2.3", T0);
    metrics.on_scrape(|metrics| metrics.set_index(7, 2));
    let text = metrics.render(T0, store().stats()).unwrap();
    assert!(text.contains("faultmaven_search_chunks 7\n"), "{text}");
    assert!(text.contains("faultmaven_search_outbox 2\n"), "{text}");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(filter: &str, style: Style) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = logs::subscriber(filter, style, move || writer.clone()).unwrap();
    // With one subscriber alive, a thread without it may switch a line off for every thread.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(log, || {
        let _span = tracing::info_span!("request", request_id = "r1").entered();
        tracing::info!(answer = 42, "told");
        tracing::debug!("whispered");
    });
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_log_is_text_for_people_and_json_for_machines() {
    assert_eq!(Style::of(true, false), Style { json: false, colour: true });
    assert_eq!(Style::of(true, true), Style { json: false, colour: false });
    assert_eq!(Style::of(false, false), Style { json: true, colour: false });

    let json: Value = serde_json::from_str(&logged("info", Style::of(false, false))).unwrap();
    assert_eq!((&json["message"], &json["answer"]), (&"told".into(), &42.into()));
    assert_eq!((&json["level"], &json["span"]["request_id"]), (&"INFO".into(), &"r1".into()));

    let text = logged("debug", Style::of(true, true));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("told") && !text.contains('\u{1b}'), "{text}");
    assert!(logged("info", Style::of(true, false)).contains('\u{1b}'));
    assert_eq!(logged("warn", Style::of(false, false)), "");
    assert!(matches!(
        logs::subscriber("a=b=c", Style::of(true, true), std::io::sink),
        Err(OpsError::LogFilter(_))
    ));
}
