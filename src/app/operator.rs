//! The command line's way into a running server: a credential that only the owner of the data
//! directory can read, and the few routes it opens.

use super::data_dir::{DataDir, write_private};
use crate::base::{Actor, Class, Ids};
use crate::engine::blob::Blobs;
use crate::engine::db::{Db, Fault};
use crate::search::Search;
use crate::uploads;
use crate::users::{self, Application, Password, SignIn, UsersError};
use crate::web::{self, Answer, Body, Ctx, Failure};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, post};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How the command line shows in the audit trail.
pub(super) const COMMAND_LINE: Actor = Actor::System("command line");
/// How long the command line waits for the server.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

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
    blobs: Blobs,
    search: Search,
}

impl Operator {
    /// Makes a token for this run of the server.
    pub(super) fn new(ids: &Ids, blobs: Blobs, search: Search) -> Self {
        let secret: [u8; 32] = ids.secret();
        let token = secret.iter().fold("fmo_".to_owned(), |t, byte| format!("{t}{byte:02x}"));
        Self { token, blobs, search }
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

/// What a check of a store found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checked {
    pub(super) faults: Vec<String>,
    pub(super) audit_entries: u64,
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
async fn check(ctx: Ctx, request: HttpRequest, operator: Data<Operator>) -> Answer {
    operator.admit(&request)?;
    let checked = check_rooms(&ctx.db, &operator.blobs, &operator.search).await;
    web::json(StatusCode::OK, &checked)
}

#[post("/operator/reindex")]
async fn reindex(request: HttpRequest, operator: Data<Operator>) -> Answer {
    operator.admit(&request)?;
    operator.search.reindex();
    web::json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "rebuilding" }))
}

/// Mounts the operator's routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(create_admin).service(check).service(reindex);
}

/// Asks every room whether it is sane.
pub(super) async fn check_rooms(db: &Db, blobs: &Blobs, search: &Search) -> Checked {
    let (rows, index) = (db.clone(), search.clone());
    // Walks every row: far too long for an async thread.
    let walked = tokio::task::spawn_blocking(move || check_rows(&rows, &index)).await;
    let mut checked = walked.unwrap_or_else(|error| Checked {
        faults: vec![format!("the check broke: {error}")],
        audit_entries: 0,
    });
    match uploads::check(db, blobs).await {
        Ok(faults) => checked.faults.extend(faults),
        Err(error) => checked.faults.push(format!("blobs: {error}")),
    }
    checked
}

fn check_rows(db: &Db, search: &Search) -> Checked {
    let mut checked = Checked { faults: Vec::new(), audit_entries: 0 };
    let say = |fault: Fault| format!("{}: {}", fault.place, fault.detail);
    match db.check() {
        Ok(faults) => checked.faults.extend(faults.into_iter().map(say)),
        Err(error) => checked.faults.push(format!("database: {error}")),
    }
    match db.read(|tx| search.check(tx)) {
        Ok(faults) => checked.faults.extend(faults.into_iter().map(say)),
        Err(error) => checked.faults.push(format!("search: {error}")),
    }
    match db.read(crate::ops::audit::verify) {
        Ok(verified) => checked.audit_entries = verified.entries,
        Err(error) => checked.faults.push(format!("audit: {error}")),
    }
    checked
}

/// Sends one request of the command line to the server that holds the store.
///
/// # Errors
/// One sentence for the terminal.
pub(super) fn ask<T: for<'de> Deserialize<'de>>(
    dir: &DataDir,
    path: &str,
    body: &impl Serialize,
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
        .timeout_global(Some(ANSWER_WITHIN))
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
