//! Routes of backups and their shapes on the wire.

use super::desk::Backups;
use super::error::BackupError;
use super::jobs::{BACKUP, Payload};
use super::shelf::Listed;
use crate::base::id::JobId;
use crate::base::{Json, Role, Time};
use crate::engine::db::Write;
use crate::jobs::{NewJob, submit};
use crate::web::{self, Answer, Ctx, Once, Reply, once};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{get, post};
use serde::Serialize;

/// Where the backups are listed.
pub(super) const LIST: &str = "/api/v1/admin/backups";
/// How soon a poller should ask for the job: backups take seconds to minutes.
const POLL_AGAIN_SECONDS: u32 = 5;

/// Routes under the API's base path.
pub fn routes(config: &mut actix_web::web::ServiceConfig) {
    config.service(create_backup).service(list_backups);
}

/// This room's part of the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(create_backup, list_backups))]
pub struct Doc;

/// A job that will make a backup.
#[derive(Serialize, utoipa::ToSchema)]
struct BackupOrdered {
    /// The job.
    job_id: JobId,
    /// `pending`.
    status: &'static str,
}

/// A backup file.
#[derive(Serialize, utoipa::ToSchema)]
struct BackupBody {
    /// Name of the file in the server's directory of backups.
    name: String,
    /// Its length.
    size_bytes: u64,
    /// Whether it is encrypted.
    encrypted: bool,
    /// Whether its head can be read. The whole was read when it was made.
    readable: bool,
    /// When it was made.
    created_at: Option<Time>,
    /// The last change that is in it.
    sequence: Option<u64>,
    /// When that change was made.
    last_change_at: Option<Time>,
    /// The store that it is of.
    store_id: Option<String>,
}

/// The backups that there are.
#[derive(Serialize, utoipa::ToSchema)]
struct BackupList {
    /// Newest first.
    backups: Vec<BackupBody>,
    /// Number of them.
    total_count: usize,
}

impl From<Listed> for BackupBody {
    fn from(listed: Listed) -> Self {
        let encrypted = listed.encrypted();
        let Listed { name, size_bytes, manifest, .. } = listed;
        Self {
            name,
            size_bytes,
            encrypted,
            readable: manifest.is_some(),
            created_at: manifest.as_ref().map(|manifest| manifest.created_at),
            sequence: manifest.as_ref().map(|manifest| manifest.sequence),
            last_change_at: manifest.as_ref().map(|manifest| manifest.last_change_at),
            store_id: manifest.map(|manifest| manifest.store_id),
        }
    }
}

/// Has a backup made by a job: everything at one moment, while the server goes on. For
/// administrators.
#[utoipa::path(tag = "admin",
    responses((status = 202, body = BackupOrdered), (status = 401), (status = 403), (status = 429)))]
#[post("/admin/backup")]
pub(super) async fn create_backup(ctx: Ctx, keyed: Once) -> Answer {
    let (owner, now) = (ctx.require(Role::Admin)?, ctx.now);
    let job_id: JobId = ctx.ids.next(now);
    let payload = Json::from_value(&Payload { event_id: ctx.ids.next(now) }).unwrap_or_default();
    let effect = move |tx: &Write<'_>| {
        let payload = payload.clone();
        submit(tx, NewJob { job_id, job_type: BACKUP, owner, case_id: None, payload, now })?;
        let ordered = BackupOrdered { job_id, status: "pending" };
        let location = format!("/api/v1/jobs/{job_id}");
        Ok::<_, BackupError>(Reply::accepted(location, POLL_AGAIN_SECONDS, &ordered)?)
    };
    once(&ctx, &keyed, BACKUP.as_bytes(), effect).await
}

/// Lists the backups that there are, newest first. For administrators.
#[utoipa::path(tag = "admin",
    responses((status = 200, body = BackupList), (status = 401), (status = 403)))]
#[get("/admin/backups")]
pub(super) async fn list_backups(ctx: Ctx, backups: Data<Backups>) -> Answer {
    ctx.require(Role::Admin)?;
    let listed = backups.list().await?;
    let backups: Vec<_> = listed.into_iter().map(BackupBody::from).collect();
    let total_count = backups.len();
    web::json(StatusCode::OK, &BackupList { backups, total_count })
}
