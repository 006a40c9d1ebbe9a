//! The change feed: every commit as a server-sent event, resumable, for administrators.
//!
//! An event names what changed, never the values: tables, keys, and whether a row was put or
//! deleted. Index entries are left out, as their keys are made of values.

use super::consumers::{CONSUMERS_MAX, Consumer, is_name};
use super::maintenance::{Maintenance, entry};
use crate::base::{Class, Role, Time};
use crate::engine::db::{Db, DbError, Hold, Record};
use crate::jobs::Halted;
use crate::ops::{audit, event};
use crate::web::{self, Answer, Body, Ctx, Failure, Path, Query};
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, put};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Streams at the same time.
const STREAMS_MAX: usize = 32;
/// Log bytes read for one stream at a time.
const BATCH_BYTES: usize = 256 << 10;
/// A comment keeps an idle stream open through proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest a stream lives. Clients reconnect and resume; their token is asked again then.
const STREAM_LIFE: Duration = Duration::from_secs(10 * 60);
/// Shortest time between two looks of one stream, however busy the store is.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Header with the sequence from which the log can still be read.
const OLDEST: header::HeaderName = header::HeaderName::from_static("x-oldest-sequence");

/// The routes for the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(read_changes, move_consumer, forget_consumer))]
pub(super) struct Doc;

/// Mounts the routes.
pub(super) fn routes(config: &mut actix_web::web::ServiceConfig) {
    config.service(read_changes).service(move_consumer).service(forget_consumer);
}

/// What the routes share.
pub(super) struct Feed {
    /// Tables whose changes are told: rows, not indexes.
    tables: Arc<HashSet<&'static str>>,
    open: Arc<AtomicUsize>,
    next: AtomicUsize,
}

impl Feed {
    /// A feed of these tables.
    pub(super) fn new(tables: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            tables: Arc::new(tables.into_iter().collect()),
            open: Arc::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// A place for one more stream, whose log is kept from `after` on.
    fn place(&self, db: &Db, after: u64) -> Result<Place, Failure> {
        if self.open.fetch_add(1, Ordering::SeqCst) >= STREAMS_MAX {
            self.open.fetch_sub(1, Ordering::SeqCst);
            let detail = format!("{STREAMS_MAX} streams of changes are open already");
            return Err(Failure::new(Class::TooMany, "streams_open", detail));
        }
        let name = format!("stream {}", self.next.fetch_add(1, Ordering::SeqCst));
        db.keep_log(&name, after, Hold::Soft);
        Ok(Place { db: db.clone(), name, open: Arc::clone(&self.open) })
    }
}

/// One open stream; given back when it is dropped.
struct Place {
    db: Db,
    name: String,
    open: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.db.release_log(&self.name);
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where to begin.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Start {
    /// Name under which a position is kept: the stream resumes after it.
    consumer: Option<String>,
    /// Begin after this change; `Last-Event-ID` goes before it.
    after: Option<u64>,
}

/// One commit.
#[derive(Debug, Serialize, ToSchema)]
struct Commit<'a> {
    /// Its place in the order of all commits.
    sequence: u64,
    /// When it was made.
    time: Time,
    /// What it changed.
    changes: Vec<Changed<'a>>,
}

/// One row that was changed.
#[derive(Debug, Serialize, ToSchema)]
struct Changed<'a> {
    /// Its table.
    table: &'a str,
    /// Its key, encoded as in the store, in hexadecimal.
    key: String,
    /// `put` or `delete`.
    op: &'static str,
}

/// A position.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Position {
    /// Sequence of the last change the consumer has done with.
    sequence: u64,
}

/// Streams every change as server-sent events, from `Last-Event-ID`, `after`, the consumer's
/// position or, without any of these, from now on. For administrators.
#[utoipa::path(tag = "admin", params(Start), responses(
    (status = 200, content_type = "text/event-stream", body = Commit,
     description = "events named `commit`; a last one named `gone` when the log was shortened"),
    (status = 410, description = "the log begins later; `x-oldest-sequence` says where"),
))]
#[get("/admin/changes")]
async fn read_changes(
    ctx: Ctx,
    request: HttpRequest,
    start: Query<Start>,
    feed: Data<Feed>,
    maintenance: Data<Maintenance>,
    halted: Data<Halted>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let start = start.into_inner();
    let given = last_event_id(&request)?.or(start.after);
    let db = ctx.db.clone();
    let name = start.consumer.as_deref().map(named).transpose()?.map(str::to_owned);
    let kept = name.as_deref().and_then(|name| maintenance.consumers.position(name));
    let after = given.or(kept).unwrap_or_else(|| db.sequence());
    let place = feed.place(&db, after)?;
    reachable(&db, after).await?;
    if let Some(name) = &name
        && kept != Some(after)
    {
        set(&maintenance, &db, name, after).await?;
    }
    let details = serde_json::json!({ "consumer": name, "after": after });
    let read = entry(&ctx, event::CHANGES_READ, "store", "changes", &details)?;
    ctx.db.write(move |tx| audit::record(tx, read.clone())).await?;
    let reading = Reading {
        committed: db.committed(),
        halted: halted.0.clone(),
        tables: Arc::clone(&feed.tables),
        waiting: VecDeque::new(),
        after,
        until: Instant::now() + STREAM_LIFE,
        ended: false,
        place,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        // A compressing layer would hold events back until a block is full.
        .insert_header(header::ContentEncoding::Identity)
        .streaming(events(reading)))
}

/// Moves a consumer to a change it has done with, or makes it known. For administrators.
#[utoipa::path(tag = "admin", params(("consumer" = String, Path)), request_body = Position,
    responses(
        (status = 200, body = Consumer),
        (status = 409, description = "there are 16 consumers, or the store has no such change yet"),
        (status = 410, description = "the log begins later; `x-oldest-sequence` says where"),
    )
)]
#[put("/admin/changes/{consumer}")]
async fn move_consumer(
    ctx: Ctx,
    consumer: Path<String>,
    position: Body<Position>,
    maintenance: Data<Maintenance>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let name = named(&consumer)?.to_owned();
    let sequence = position.into_inner().sequence;
    reachable(&ctx.db, sequence).await?;
    // Not audited: every move would be a change for the consumer to move past.
    set(&maintenance, &ctx.db, &name, sequence).await?;
    web::json(StatusCode::OK, &Consumer { consumer: name, sequence })
}

/// Forgets a consumer and what the log keeps for it. For administrators.
#[utoipa::path(tag = "admin", params(("consumer" = String, Path)), responses(
    (status = 204, description = "forgotten"),
    (status = 404, description = "no such consumer"),
))]
#[delete("/admin/changes/{consumer}")]
async fn forget_consumer(
    ctx: Ctx,
    consumer: Path<String>,
    maintenance: Data<Maintenance>,
) -> Answer {
    ctx.require(Role::Admin)?;
    let name = named(&consumer)?.to_owned();
    let known = {
        let (maintenance, db, name) = (maintenance.clone(), ctx.db.clone(), name.clone());
        actix_web::web::block(move || maintenance.consumers.forget(&db, &name))
    };
    if !known.await.map_err(|e| broken(&e))?.map_err(|e| broken(&e))? {
        return Err(Failure::new(Class::Missing, "consumer_missing", "no such consumer"));
    }
    let gone = entry(&ctx, event::CHANGES_FORGOTTEN, "consumer", &name, &serde_json::json!({}))?;
    ctx.db.write(move |tx| audit::record(tx, gone.clone())).await?;
    web::no_content()
}

fn named(name: &str) -> Result<&str, Failure> {
    let message = "1 to 64 letters, digits, `-`, `_` or `.`";
    is_name(name)
        .then_some(name)
        .ok_or_else(|| Failure::invalid("invalid_field", "consumer", message))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, Failure> {
    let Some(given) = request.headers().get("Last-Event-ID") else { return Ok(None) };
    let number = given.to_str().ok().and_then(|text| text.trim().parse().ok());
    let message = "the id of an event of this stream: a number";
    number.map(Some).ok_or_else(|| Failure::invalid("invalid_field", "Last-Event-ID", message))
}

async fn set(
    maintenance: &Data<Maintenance>,
    db: &Db,
    name: &str,
    sequence: u64,
) -> Result<(), Failure> {
    let (maintenance, db, name) = (maintenance.clone(), db.clone(), name.to_owned());
    let set = actix_web::web::block(move || maintenance.consumers.set(&db, &name, sequence));
    if set.await.map_err(|e| broken(&e))?.map_err(|e| broken(&e))? {
        return Ok(());
    }
    let detail = format!("there are {CONSUMERS_MAX} consumers already; forget one first");
    Err(Failure::new(Class::Conflict, "consumers_max", detail))
}

fn broken(cause: &dyn std::fmt::Display) -> Failure {
    Failure::new(Class::Broken, "consumers", cause.to_string())
}

/// Refuses a position that the log does not hold any more, or not yet.
async fn reachable(db: &Db, after: u64) -> Result<(), Failure> {
    let last = db.sequence();
    if after > last {
        let detail = format!("the last change is {last}; was the store restored?");
        return Err(Failure::new(Class::Conflict, "changes_ahead", detail));
    }
    let db = db.clone();
    let read = actix_web::web::block(move || db.log_since(after, 1));
    match read.await.map_err(|e| broken(&e))? {
        Ok(_) => Ok(()),
        Err(error @ DbError::LogGone { oldest }) => {
            Err(Failure::from(error).with_header(OLDEST, oldest.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

struct Reading {
    committed: watch::Receiver<u64>,
    halted: watch::Receiver<bool>,
    tables: Arc<HashSet<&'static str>>,
    waiting: VecDeque<Bytes>,
    /// The last change read from the log.
    after: u64,
    until: Instant,
    ended: bool,
    place: Place,
}

fn events(reading: Reading) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(reading, |mut reading| async move {
        let event = next_event(&mut reading).await?;
        Some((Ok(event), reading))
    })
}

/// The next commit, a keep-alive comment, or `None` when the stream is over.
async fn next_event(reading: &mut Reading) -> Option<Bytes> {
    let keep_alive = Instant::now() + KEEP_ALIVE;
    while !reading.ended && Instant::now() < reading.until {
        if let Some(event) = reading.waiting.pop_front() {
            return Some(event);
        }
        if *reading.halted.borrow() {
            return None;
        }
        reading.committed.mark_unchanged();
        if reading.place.db.sequence() > reading.after {
            fill(reading).await?;
            continue;
        }
        let Reading { committed, halted, .. } = &mut *reading;
        tokio::select! {
            // The server stops, or the store is closed.
            _ = halted.wait_for(|halted| *halted) => return None,
            changed = committed.changed() => changed.ok()?,
            () = tokio::time::sleep_until(keep_alive) => {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    reading.waiting.pop_front()
}

/// Reads the next commits from the log.
async fn fill(reading: &mut Reading) -> Option<()> {
    let (db, after) = (reading.place.db.clone(), reading.after);
    // Reads files, in the order of the log: not for an async thread.
    let read = tokio::task::spawn_blocking(move || db.log_since(after, BATCH_BYTES));
    match read.await.ok()? {
        Ok(records) => {
            for record in records {
                reading.after = record.sequence;
                reading.waiting.extend(event_of(&record, &reading.tables));
            }
            let Place { db, name, .. } = &reading.place;
            db.keep_log(name, reading.after, Hold::Soft);
        }
        Err(DbError::LogGone { oldest }) => {
            reading.ended = true;
            let gone = format!("event: gone\ndata: {{\"oldest\":{oldest}}}\n\n");
            reading.waiting.push_back(gone.into());
        }
        Err(error) => {
            tracing::error!(%error, "the change log cannot be read");
            return None;
        }
    }
    Some(())
}

/// A commit as an event; `None` when no row was changed.
fn event_of(record: &Record, tables: &HashSet<&'static str>) -> Option<Bytes> {
    let rows = record.changes.iter().filter(|change| tables.contains(change.table.as_str()));
    let changes: Vec<_> = rows
        .map(|change| Changed {
            table: &change.table,
            key: change.key.iter().map(|byte| format!("{byte:02x}")).collect(),
            op: if change.value.is_some() { "put" } else { "delete" },
        })
        .collect();
    if changes.is_empty() {
        return None;
    }
    let commit = Commit { sequence: record.sequence, time: record.time, changes };
    let data = serde_json::to_string(&commit).ok()?;
    Some(Bytes::from(format!("event: commit\nid: {}\ndata: {data}\n\n", record.sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::db::Change;

    #[test]
    fn an_event_names_rows_and_holds_no_values() {
        let change = |table: &str, value: Option<&[u8]>| Change {
            table: table.into(),
            key: vec![0, 0xab],
            value: value.map(<[u8]>::to_vec),
        };
        let record = Record {
            sequence: 7,
            time: Time::from_unix_us(0),
            changes: vec![
                change("cases", Some(b"secret")),
                change("cases_by_title", Some(b"secret")),
                change("files", None),
            ],
        };
        let tables = HashSet::from(["cases", "files"]);
        let event = event_of(&record, &tables).unwrap();
        assert_eq!(
            std::str::from_utf8(&event).unwrap(),
            "event: commit\nid: 7\ndata: {\"sequence\":7,\"time\":\"1970-01-01T00:00:00Z\",\
             \"changes\":[{\"table\":\"cases\",\"key\":\"00ab\",\"op\":\"put\"},\
             {\"table\":\"files\",\"key\":\"00ab\",\"op\":\"delete\"}]}\n\n"
        );
        assert_eq!(event_of(&record, &HashSet::from(["other"])), None);
    }
}
