//! The command line's way into a running server: a credential that only the owner of the data
//! directory can read, and the few routes it opens.

use super::data_dir::{DataDir, write_private};
use super::maintenance::{
    Maintenance, RotateError, check_details, compact_details, recorded, rotate,
};
use crate::backup::{BackupError, Backups, Made, Tell, quiet};
use crate::base::{Actor, Class, Ids, Json, Time};
use crate::engine::db::Db;
use crate::ops::audit::{self, Category, Entry};
use crate::ops::event;
use crate::users::{self, Application, Password, SignIn, UsersError};
use crate::web::{self, Answer, Body, Ctx, Failure};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How the command line shows in the audit trail.
pub(super) const COMMAND_LINE: Actor = Actor::System("command line");
/// How long the command line waits for an answer that is made at once.
pub(super) const SOON: Duration = Duration::from_secs(120);
/// How long it waits for what reads or writes the whole store.
pub(super) const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(24 * 60 * 60);

/// What the running server leaves in its data directory.
#[derive(Debug, Serialize, Deserialize)]
struct Credential {
    address: SocketAddr,
    token: String,
    pid: u32,
}

/// The server's side.
pub(super) struct Operator {
    token: String,
}

impl Operator {
    /// Makes a token for this run of the server.
    pub(super) fn new(ids: &Ids) -> Self {
        let secret: [u8; 32] = ids.secret();
        let token = secret.iter().fold("fmo_".to_owned(), |t, byte| format!("{t}{byte:02x}"));
        Self { token }
    }

    /// Leaves the credential where the command line looks for it.
    pub(super) fn publish(&self, dir: &DataDir, address: SocketAddr) -> std::io::Result<()> {
        let credential = Credential { address, token: self.token.clone(), pid: std::process::id() };
        write_private(&dir.operator(), serde_json::to_string(&credential)?.as_bytes())
    }

    fn admit(&self, request: &HttpRequest) -> Result<(), Failure> {
        let given = request.headers().get(header::AUTHORIZATION);
        let given = given.and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
        let fits = given.is_some_and(|g| g.as_bytes().ct_eq(self.token.as_bytes()).into());
        let local = request.peer_addr().is_none_or(|peer| peer.ip().to_canonical().is_loopback());
        if fits && local {
            return Ok(());
        }
        // Nothing is here for anybody else.
        Err(Failure::new(Class::Missing, "not_found", "nothing is served at this address"))
    }
}

/// An administrator to create.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAdmin {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) password: String,
}

impl NewAdmin {
    pub(super) fn application(self) -> Application {
        Application {
            username: self.username,
            email: self.email,
            display_name: None,
            password: Some(Password::new(self.password)),
        }
    }
}

#[post("/operator/admins")]
async fn create_admin(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    sign_in: Data<SignIn>,
    body: Body<NewAdmin>,
) -> Answer {
    operator.admit(&request)?;
    let application = body.into_inner().application();
    let made = actix_web::web::block(move || {
        let (db, ids) = (&ctx.db, &ctx.ids);
        users::create_admin(db, sign_in.hasher(), ids, ctx.now, &COMMAND_LINE, &application)
    });
    let user_id = made.await.map_err(|_| UsersError::Busy)??;
    web::json(StatusCode::CREATED, &serde_json::json!({ "user_id": user_id }))
}

#[post("/operator/check")]
async fn check(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    maintenance: Data<Maintenance>,
) -> Answer {
    operator.admit(&request)?;
    let checked = maintenance.check(&ctx.db).await?;
    let details = check_details(&checked);
    recorded(&ctx.db, act(&ctx.ids, ctx.now, event::STORE_CHECKED, &details)).await;
    web::json(StatusCode::OK, &checked)
}

#[post("/operator/reindex")]
async fn reindex(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    maintenance: Data<Maintenance>,
) -> Answer {
    operator.admit(&request)?;
    maintenance.search.reindex();
    recorded(&ctx.db, act(&ctx.ids, ctx.now, event::STORE_REINDEXED, &json!({}))).await;
    web::json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "rebuilding" }))
}

#[post("/operator/compact")]
async fn compact(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    maintenance: Data<Maintenance>,
) -> Answer {
    operator.admit(&request)?;
    let compacted = maintenance.compact(&ctx.db).await?;
    let details = compact_details(&compacted);
    recorded(&ctx.db, act(&ctx.ids, ctx.now, event::STORE_COMPACTED, &details)).await;
    web::json(StatusCode::OK, &compacted)
}

/// Which key to rotate to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// Absolute path of its file, on this machine.
    pub(super) new_key_file: PathBuf,
}

#[post("/operator/key/rotate")]
async fn rotate_key(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    maintenance: Data<Maintenance>,
    body: Body<NewKey>,
) -> Answer {
    operator.admit(&request)?;
    let turn = maintenance.begin()?;
    let file = body.into_inner().new_key_file;
    let rotated = actix_web::web::block(move || {
        let _turn = turn;
        let rotated = rotate(&maintenance.config, &maintenance.dir, &file)?;
        if let Some(keyring) = maintenance.backups.keyring() {
            keyring.replace(rotated.keyring.clone());
        }
        Ok::<_, RotateError>(rotated)
    });
    let refused = |e: &dyn std::fmt::Display| Failure::new(Class::Conflict, "key", e.to_string());
    let mut rotated = rotated.await.map_err(|e| refused(&e))?.map_err(|e| refused(&e))?;
    rotated.audited = recorded(&ctx.db, rotation(&ctx.ids, ctx.now)).await;
    web::json(StatusCode::OK, &rotated)
}

/// Where a backup goes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBackup {
    /// Absolute path of the new file, on this machine; where backups are kept when none.
    pub(super) output: Option<PathBuf>,
}

/// A backup that was made and read back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MadeBackup {
    /// The file.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) size_bytes: u64,
    /// Bytes of rows and files in it, before compression.
    pub(super) content_bytes: u64,
    /// Rows and index entries.
    pub(super) rows: u64,
    /// Uploaded files.
    pub(super) blobs: u64,
    /// The last change in it.
    pub(super) sequence: u64,
}

impl From<Made> for MadeBackup {
    fn from(made: Made) -> Self {
        Self {
            size_bytes: made.size_bytes,
            content_bytes: made.summary.content_bytes(),
            rows: made.summary.rows(),
            blobs: made.summary.blobs,
            sequence: made.summary.manifest.sequence,
            path: made.path,
        }
    }
}

/// Makes a backup for the command line, with its audit entry.
pub(super) async fn make_backup(
    backups: &Backups,
    db: &Db,
    output: Option<PathBuf>,
    now: Time,
    ids: &Ids,
    tell: &Tell,
) -> Result<MadeBackup, BackupError> {
    let made = match output {
        Some(output) => backups.make_at(&output, now, tell).await?,
        None => backups.make(now, tell).await?,
    };
    let entry = Entry {
        resource_type: "backup",
        resource_id: made.name(),
        ..act(ids, now, event::BACKUP_CREATED, &json!({}))
    };
    db.write(move |tx| audit::record(tx, entry.clone())).await?;
    Ok(made.into())
}

#[post("/operator/backup")]
async fn backup(
    ctx: Ctx,
    request: HttpRequest,
    operator: Data<Operator>,
    maintenance: Data<Maintenance>,
    body: Body<NewBackup>,
) -> Answer {
    operator.admit(&request)?;
    let output = body.into_inner().output;
    let backups = &maintenance.backups;
    let made = make_backup(backups, &ctx.db, output, ctx.now, &ctx.ids, &quiet()).await?;
    maintenance.safety.look().await;
    web::json(StatusCode::CREATED, &made)
}

/// What the audit trail says of something the command line did to the whole store.
pub(super) fn act(
    ids: &Ids,
    now: Time,
    event_type: &'static str,
    details: &serde_json::Value,
) -> Entry {
    Entry {
        event_id: ids.next(now),
        at: now,
        actor: COMMAND_LINE.label(),
        event_type,
        category: Category::Administration,
        resource_type: "store",
        resource_id: "all".into(),
        details: Json::from_value(details).unwrap_or_default(),
        address: None,
        success: true,
    }
}

/// What it says of a rotation.
pub(super) fn rotation(ids: &Ids, now: Time) -> Entry {
    Entry {
        category: Category::Security,
        resource_id: "master_key".into(),
        ..act(ids, now, event::KEY_ROTATED, &json!({}))
    }
}

/// The operator's routes.
pub(super) const PATHS: [&str; 6] = [
    "/operator/admins",
    "/operator/check",
    "/operator/reindex",
    "/operator/compact",
    "/operator/key/rotate",
    "/operator/backup",
];

/// Mounts the operator's routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(create_admin)
        .service(check)
        .service(reindex)
        .service(compact)
        .service(rotate_key)
        .service(backup);
}

/// Sends one request of the command line to the server that holds the store.
///
/// # Errors
/// One sentence for the terminal.
pub(super) fn ask<T: for<'de> Deserialize<'de>>(
    dir: &DataDir,
    path: &str,
    body: &impl Serialize,
    within: Duration,
) -> Result<T, String> {
    let file = dir.operator();
    let text = std::fs::read_to_string(&file).map_err(|e| {
        format!(
            "a server holds the store, but its credential {} cannot be read: {e}",
            file.display()
        )
    })?;
    let credential: Credential =
        serde_json::from_str(&text).map_err(|e| format!("{} is damaged: {e}", file.display()))?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(within))
        .build()
        .into();
    let mut answer = agent
        .post(format!("http://{}{path}", credential.address))
        .header("Authorization", format!("Bearer {}", credential.token))
        .send_json(body)
        .map_err(|e| format!("the server at {} does not answer: {e}", credential.address))?;
    let status = answer.status();
    let value: serde_json::Value =
        answer.body_mut().read_json().map_err(|e| format!("the server's answer: {e}"))?;
    if !status.is_success() {
        return Err(refusal(&value));
    }
    serde_json::from_value(value).map_err(|e| format!("the server's answer: {e}"))
}

/// A problem document as one line.
fn refusal(problem: &serde_json::Value) -> String {
    let detail = problem["detail"].as_str().unwrap_or("the server refused");
    let fields = problem["errors"].as_array().into_iter().flatten().filter_map(|error| {
        Some(format!("{}: {}", error["field"].as_str()?, error["message"].as_str()?))
    });
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() { detail.to_owned() } else { format!("{detail} ({})", fields.join("; ")) }
}
