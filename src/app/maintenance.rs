//! Care of the store, for the command line and for administrators: check, compact, rotate keys,
//! and the figures of where the space is.

use super::backups::Safety;
use super::config::Config;
use super::consumers::{Consumer, Consumers};
use super::data_dir::{DataDir, Format, Found, write_private};
use super::master_key::{self, Sourced};
use super::store::{self, OpenError};
use crate::backup::Backups;
use crate::base::{Class, Json, Time};
use crate::engine::blob::Blobs;
use crate::engine::db::{Compacted, Db, DbError, Fault};
use crate::engine::key::{KeyError, MasterKey};
use crate::ops::audit::{self, Category, Entry, Who};
use crate::search::Search;
use crate::uploads;
use crate::web::{Ctx, Failure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Faults listed; a broken store need not be listed in full.
const FAULTS_MAX: usize = 1000;

/// What care of the store works with.
pub(super) struct Maintenance {
    pub(super) config: Config,
    pub(super) dir: DataDir,
    pub(super) format: Format,
    pub(super) blobs: Blobs,
    pub(super) search: Search,
    pub(super) consumers: Consumers,
    pub(super) backups: Backups,
    pub(super) safety: Safety,
    /// Held by what walks or rewrites everything: one at a time.
    pub(super) turn: Arc<Mutex<()>>,
}

/// What a check of a store found.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct Checked {
    /// What is wrong, one line each; empty when all is well.
    pub(super) faults: Vec<String>,
    /// Entries of the audit chain, all verified.
    pub(super) audit_entries: u64,
}

/// What a compaction returned.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct CompactedBody {
    /// Size of the store file before.
    pub(super) before_bytes: u64,
    /// Size of the store file now.
    pub(super) after_bytes: u64,
}

impl From<Compacted> for CompactedBody {
    fn from(done: Compacted) -> Self {
        Self { before_bytes: done.before_bytes, after_bytes: done.after_bytes }
    }
}

/// Where the space is and how safe the store is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Storage {
    /// Names this store among others.
    store_id: String,
    /// Version of the layout of the data directory.
    format: u32,
    /// Whether everything is encrypted.
    encrypted: bool,
    /// The store file.
    file_bytes: u64,
    /// Keys and values in it.
    live_bytes: u64,
    /// Size of the store file over what it holds; `compact` brings it down.
    file_live_ratio: f64,
    /// The change log.
    log_bytes: u64,
    /// What the disk has left.
    free_bytes: u64,
    /// With less free space than this, writes are refused.
    floor_bytes: u64,
    /// Whether writes are refused for want of space.
    full: bool,
    /// Whether writes are refused because a commit failed.
    poisoned: bool,
    /// Number of the last commit.
    sequence: u64,
    /// Who follows the changes, and how far each has come.
    consumers: Vec<Consumer>,
    /// When the newest backup was made.
    last_backup_at: Option<Time>,
    /// Seconds of commits that the archive lacks: what a lost disk would cost. None without one.
    archive_lag_seconds: Option<f64>,
}

impl Maintenance {
    /// The right to walk or rewrite everything.
    ///
    /// # Errors
    /// 409 `maintenance_running` while somebody has it.
    pub(super) fn begin(&self) -> Result<OwnedMutexGuard<()>, Failure> {
        Arc::clone(&self.turn).try_lock_owned().map_err(|_| {
            let detail = "the store is being checked, compacted or re-keyed; try again later";
            Failure::new(Class::Conflict, "maintenance_running", detail)
        })
    }

    /// Asks every room whether it is sane. Goes on when the caller does not wait.
    ///
    /// # Errors
    /// 409 `maintenance_running`.
    pub(super) async fn check(&self, db: &Db) -> Result<Checked, Failure> {
        let turn = self.begin()?;
        let (db, blobs, search) = (db.clone(), self.blobs.clone(), self.search.clone());
        let work = tokio::spawn(async move {
            let _turn = turn;
            check_rooms(&db, &blobs, &search).await
        });
        Ok(work.await.map_err(|e| DbError::Panicked(e.to_string()))?)
    }

    /// Returns the space of deleted rows. Goes on when the caller does not wait.
    ///
    /// # Errors
    /// 409 `maintenance_running`, 507 without room for a copy, or what the store answers.
    pub(super) async fn compact(&self, db: &Db) -> Result<CompactedBody, Failure> {
        let turn = self.begin()?;
        let db = db.clone();
        let work = tokio::spawn(async move {
            let _turn = turn;
            db.compact().await
        });
        Ok(work.await.map_err(|e| DbError::Panicked(e.to_string()))??.into())
    }

    /// Where the space is now.
    ///
    /// # Errors
    /// When the disk does not say.
    pub(super) fn storage(&self, db: &Db, now: Time) -> Result<Storage, DbError> {
        let space = db.space()?;
        Ok(Storage {
            store_id: self.format.store_id.clone(),
            format: self.format.format,
            encrypted: self.format.encrypted,
            file_bytes: space.file_bytes,
            live_bytes: space.live_bytes,
            file_live_ratio: space.file_bytes as f64 / space.live_bytes.max(1) as f64,
            log_bytes: space.log_bytes,
            free_bytes: space.free_bytes,
            floor_bytes: self.config.disk.floor_bytes(),
            full: db.is_full(),
            poisoned: db.stats().poisoned,
            sequence: db.sequence(),
            consumers: self.consumers.all(),
            last_backup_at: self.safety.newest_backup(),
            archive_lag_seconds: self.safety.archive_lag_ms(now).map(|ms| ms as f64 / 1000.0),
        })
    }
}

/// An audit entry of an act of administration.
///
/// # Errors
/// When the details do not encode.
pub(super) fn entry(
    ctx: &Ctx,
    event_type: &'static str,
    resource_type: &'static str,
    resource_id: &str,
    details: &serde_json::Value,
) -> Result<Entry, Failure> {
    let who = Who::from(&ctx.actor, ctx.request.address);
    let details = Json::from_value(details)
        .map_err(|e| Failure::new(Class::Broken, "internal", e.to_string()))?;
    Ok(Entry {
        event_id: ctx.ids.next(ctx.now),
        at: ctx.now,
        actor: who.actor,
        event_type,
        category: Category::Administration,
        resource_type,
        resource_id: resource_id.to_owned(),
        details,
        address: who.address,
        success: true,
    })
}

/// Records an act that is done. Answers whether that succeeded: an act that cannot be taken back
/// must not be reported as failed for want of its entry.
pub(super) async fn recorded(db: &Db, entry: Entry) -> bool {
    let event = entry.event_type;
    let written = db.write(move |tx| audit::record(tx, entry.clone())).await;
    if let Err(error) = &written {
        tracing::error!(%error, event, "what was done could not be put in the audit trail");
    }
    written.is_ok()
}

/// The details of the entry of a check.
pub(super) fn check_details(checked: &Checked) -> serde_json::Value {
    json!({ "faults": checked.faults.len() })
}

/// The details of the entry of a compaction.
pub(super) fn compact_details(done: &CompactedBody) -> serde_json::Value {
    json!({ "before_bytes": done.before_bytes, "after_bytes": done.after_bytes })
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
    let more = checked.faults.len().saturating_sub(FAULTS_MAX);
    if more > 0 {
        checked.faults.truncate(FAULTS_MAX);
        checked.faults.push(format!("and {more} more"));
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

/// A master key cannot be replaced; the store's keys are as they were.
#[derive(Debug, thiserror::Error)]
pub(super) enum RotateError {
    /// There is nothing to rotate.
    #[error("the store in {0} is not encrypted: it has no master key to rotate")]
    Plain(String),
    /// A key may not lie beside what it protects.
    #[error("{0} lies in the data directory: a key beside what it protects protects nothing")]
    Inside(String),
    /// The old key cannot be had, or is not the one.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new key cannot be had.
    #[error(transparent)]
    New(#[from] master_key::MasterKeyError),
    /// A file cannot be written.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What a rotation did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rotated {
    /// Where the new key lies.
    pub(super) new_key_file: PathBuf,
    /// Whether it was made now.
    pub(super) made: bool,
    /// The setting that still names the old key.
    pub(super) old_origin: String,
    /// Whether the audit trail says so.
    pub(super) audited: bool,
    /// The data keys as they are wrapped now, for the backups.
    #[serde(skip)]
    pub(super) keyring: String,
}

/// Wraps the data keys with the master key in `new_key_file`, which is made when there is none.
/// Safe while a server serves: it holds the data keys, which stay.
///
/// # Errors
/// [`RotateError`]; nothing was changed then, though a new key may lie in its file.
pub(super) fn rotate(
    config: &Config,
    dir: &DataDir,
    new_key_file: &Path,
) -> Result<Rotated, RotateError> {
    let path = dir.path().display().to_string();
    let failed = |file: &Path| {
        let path = file.display().to_string();
        move |cause| RotateError::Write { path, cause }
    };
    match dir.found().map_err(failed(dir.path()))? {
        Found::Current(format) if format.encrypted => {}
        _ => return Err(RotateError::Plain(path)),
    }
    if is_inside(dir, new_key_file) {
        return Err(RotateError::Inside(new_key_file.display().to_string()));
    }
    let sourced = master_key::read(config).map_err(OpenError::from)?;
    let Sourced { key: old, origin } =
        sourced.ok_or_else(|| OpenError::KeyMissing { path: path.clone() })?;
    let ring = store::keyring(dir)?;
    let refused = |error| match error {
        KeyError::WrongKey => OpenError::KeyWrong { path: path.clone(), origin: origin.clone() },
        error => OpenError::Damaged(error.to_string()),
    };
    // Before a new key is made: a wrong old key must leave nothing behind.
    ring.unlock(&old).map_err(refused)?;
    let made = !new_key_file.exists();
    let new = if made {
        let key = MasterKey::generate();
        write_key(new_key_file, &key).map_err(failed(new_key_file))?;
        key
    } else {
        master_key::read_key_file(new_key_file)?
    };
    let wrapped = ring.rewrap(&old, &new).map_err(refused)?;
    let keyring = wrapped.to_json();
    write_private(&dir.keyring(), keyring.as_bytes()).map_err(failed(&dir.keyring()))?;
    let new_key_file = new_key_file.to_owned();
    Ok(Rotated { new_key_file, made, old_origin: origin, audited: false, keyring })
}

/// Writes a key for its owner's eyes only.
pub(super) fn write_key(path: &Path, key: &MasterKey) -> std::io::Result<()> {
    let text = zeroize::Zeroizing::new(format!("{}\n", key.to_text()));
    write_private(path, text.as_bytes())
}

/// Whether a path lies in the data directory, also by another spelling.
pub(super) fn is_inside(dir: &DataDir, path: &Path) -> bool {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| whole(path));
    let place = whole(path);
    let folder = place.parent().map(real).unwrap_or_default();
    folder.starts_with(real(dir.path())) || place.starts_with(whole(dir.path()))
}

/// Answers the instant of the newest data key, and how many there are.
pub(super) fn data_keys(dir: &DataDir) -> Result<(usize, Option<Time>), OpenError> {
    let ring = store::keyring(dir)?;
    Ok((ring.key_count(), ring.newest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::operator::act;
    use crate::base::Ids;
    use crate::engine::db::{Options, Schema};
    use crate::engine::disk::sim::{Fault, FaultKind, SimDisk};
    use crate::ops::event;

    #[tokio::test]
    async fn an_act_without_its_entry_is_still_done() {
        const NOW: Time = Time::from_unix_us(1_790_000_000_000_000);
        let checked = || act(&Ids::seeded(1), NOW, event::STORE_CHECKED, &json!({ "faults": 0 }));
        let good = Db::in_memory(crate::ops::schema(Schema::new())).unwrap();
        assert!(recorded(&good, checked()).await);
        assert_eq!(good.read(audit::verify).unwrap().entries, 1);
        let disk = SimDisk::new();
        let schema = crate::ops::schema(Schema::new());
        let (failing, _) = Db::open(Arc::new(disk.clone()), Options::default(), schema).unwrap();
        disk.fail(Fault { kind: FaultKind::Unsynced, at: 0, lasting: true });
        assert!(!recorded(&failing, checked()).await);
    }
}
