//! Routes of jobs: poll (200 while it runs, 303 to the result), list, cancel, retry, events.

use super::error::JobsError;
use super::queue;
use super::tables::{JobErrorBody, JobRow, JobStatus};
use super::worker::{Bodies, Halted};
use crate::base::id::{CaseId, JobId};
use crate::base::{Json, Time};
use crate::engine::db::Db;
use crate::web::{self, Answer, Ctx, Paging, Path, Query};
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

/// How soon a poller should ask again.
const POLL_AGAIN_SECONDS: u32 = 1;
/// A comment keeps an idle event stream open through proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest an event stream lives. Clients reconnect and are told the current state; their token is
/// asked again then, so access that was taken away ends with the stream.
const STREAM_LIFE: Duration = Duration::from_secs(60);
/// Shortest time between two looks of one stream, however busy the store is.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// A job on the wire (seed 9.3).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobBody {
    job_id: JobId,
    job_type: String,
    status: JobStatus,
    payload: Json,
    /// 0 to 100.
    progress: u8,
    /// The stage it is in, in words.
    note: String,
    result: Option<Json>,
    error: Option<JobErrorBody>,
    /// Where the result can be read.
    location: Option<String>,
    case_id: Option<CaseId>,
    attempts: u32,
    cancel_requested: bool,
    created_at: Time,
    updated_at: Time,
    finished_at: Option<Time>,
    /// Seconds the job stays readable after its end.
    ttl_seconds: i64,
}

impl From<JobRow> for JobBody {
    fn from(row: JobRow) -> Self {
        Self {
            job_id: row.job_id,
            job_type: row.job_type,
            status: row.status,
            payload: row.payload,
            progress: row.progress,
            note: row.note,
            result: row.result,
            error: row.error,
            location: row.location,
            case_id: row.case_id,
            attempts: row.attempts,
            cancel_requested: row.cancel_requested,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
            ttl_seconds: queue::KEPT_MS / 1000,
        }
    }
}

/// Which jobs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only jobs in this state.
    status: Option<JobStatus>,
    /// Only jobs of this type, for example `preprocessing`.
    job_type: Option<String>,
}

/// How to answer a poll.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Poll {
    /// `false` answers 200 with the job even when its result can be read elsewhere.
    follow: Option<bool>,
}

fn status_line(row: JobRow, status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header(("X-Job-Status", row.status.as_str()));
    answer.insert_header(("X-Job-Progress", row.progress.to_string()));
    if !row.status.is_final() {
        answer.insert_header(("Retry-After", POLL_AGAIN_SECONDS.to_string()));
    }
    if status == StatusCode::SEE_OTHER
        && let Some(location) = &row.location
    {
        answer.insert_header(("Location", location.as_str()));
    }
    answer.json(JobBody::from(row))
}

/// Lists the caller's jobs, newest first.
#[utoipa::path(tag = "jobs", params(Filter, Paging), responses((status = 200, body = [JobBody])))]
#[get("/jobs")]
pub(super) async fn list_jobs(
    ctx: Ctx,
    request: HttpRequest,
    filter: Query<Filter>,
    paging: Paging,
) -> Answer {
    let owner = ctx.user()?;
    let page = ctx.db.read(|tx| {
        queue::list(tx, owner, filter.status, filter.job_type.as_deref(), ctx.now, paging.request())
    })?;
    web::list(&request, "jobs", page.map(JobBody::from))
}

/// Answers a job: 200 while it runs or when it failed, 303 to its result when it is done.
#[utoipa::path(tag = "jobs", params(("id" = JobId, Path), Poll), responses(
    (status = 200, body = JobBody),
    (status = 303, description = "done; `Location` names the result"),
))]
#[get("/jobs/{id}")]
pub(super) async fn get_job(ctx: Ctx, id: Path<JobId>, poll: Query<Poll>) -> Answer {
    ctx.user()?;
    let row = ctx.db.read(|tx| queue::visible(tx, &ctx.actor, *id, ctx.now))?;
    let done = row.status == JobStatus::Completed && row.location.is_some();
    let follow = poll.follow.unwrap_or(true);
    Ok(status_line(row, if done && follow { StatusCode::SEE_OTHER } else { StatusCode::OK }))
}

/// Stops a job: a waiting one at once, a running one as soon as its body looks.
#[utoipa::path(tag = "jobs", params(("id" = JobId, Path)), responses(
    (status = 202, body = JobBody, description = "stopping"),
    (status = 204, description = "stopped"),
    (status = 409, description = "the job already ended"),
))]
#[delete("/jobs/{id}")]
pub(super) async fn cancel_job(ctx: Ctx, id: Path<JobId>, bodies: Data<Bodies>) -> Answer {
    ctx.user()?;
    let (actor, now, id) = (ctx.actor.clone(), ctx.now, *id);
    let row = ctx.db.write(move |tx| queue::cancel(tx, &actor, id, &bodies, now)).await?;
    match row.status {
        JobStatus::Cancelled => web::no_content(),
        _ => Ok(status_line(row, StatusCode::ACCEPTED)),
    }
}

/// Runs a failed or cancelled job again.
#[utoipa::path(tag = "jobs", params(("id" = JobId, Path)), responses(
    (status = 202, body = JobBody),
    (status = 409, description = "the job is waiting, running or done"),
))]
#[post("/jobs/{id}/retry")]
pub(super) async fn retry_job(ctx: Ctx, id: Path<JobId>) -> Answer {
    ctx.user()?;
    let (actor, now, id) = (ctx.actor.clone(), ctx.now, *id);
    let row = ctx.db.write(move |tx| queue::retry(tx, &actor, id, now)).await?;
    Ok(status_line(row, StatusCode::ACCEPTED))
}

/// Streams a job's progress as server-sent events until it ends. The current state comes first,
/// so a client that reconnects has missed nothing that still matters.
#[utoipa::path(tag = "jobs", params(("id" = JobId, Path)), responses(
    (status = 200, content_type = "text/event-stream", description = "events named `job`"),
))]
#[get("/jobs/{id}/events")]
pub(super) async fn job_events(ctx: Ctx, id: Path<JobId>, halted: Data<Halted>) -> Answer {
    ctx.user()?;
    let id = *id;
    ctx.db.read(|tx| queue::visible(tx, &ctx.actor, id, ctx.now))?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        // A compressing layer would hold events back until a block is full.
        .insert_header(header::ContentEncoding::Identity)
        .streaming(events(ctx, id, halted.0.clone())))
}

struct Watching {
    ctx: Ctx,
    id: JobId,
    committed: watch::Receiver<u64>,
    halted: watch::Receiver<bool>,
    sent: String,
    until: Instant,
    ended: bool,
}

fn events(
    ctx: Ctx,
    id: JobId,
    halted: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let committed = ctx.db.committed();
    let until = Instant::now() + STREAM_LIFE;
    let start = Watching { ctx, id, committed, halted, sent: String::new(), until, ended: false };
    stream::unfold(start, |mut watching| async move {
        let event = next_event(&mut watching).await?;
        Some((Ok(event), watching))
    })
}

/// The next change of the job, a keep-alive comment, or `None` when the stream is over.
async fn next_event(watching: &mut Watching) -> Option<Bytes> {
    let keep_alive = Instant::now() + KEEP_ALIVE;
    while !watching.ended && Instant::now() < watching.until {
        watching.committed.mark_unchanged();
        let row = read_job(&watching.ctx.db, watching).ok()?;
        let (ended, id) = (row.status.is_final(), row.updated_at.unix_us());
        let data = serde_json::to_string(&JobBody::from(row)).ok()?;
        if watching.sent != data {
            watching.ended = ended;
            let event = Bytes::from(format!("event: job\nid: {id}\ndata: {data}\n\n"));
            watching.sent = data;
            return Some(event);
        }
        let Watching { committed, halted, .. } = &mut *watching;
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
    None
}

fn read_job(db: &Db, watching: &Watching) -> Result<JobRow, JobsError> {
    db.read(|tx| queue::visible(tx, &watching.ctx.actor, watching.id, watching.ctx.now))
}

/// Mounts the routes.
pub fn routes(config: &mut actix_web::web::ServiceConfig) {
    config
        .service(list_jobs)
        .service(get_job)
        .service(cancel_job)
        .service(retry_job)
        .service(job_events);
}

/// This room's part of the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(list_jobs, get_job, cancel_job, retry_job, job_events))]
pub struct Doc;
