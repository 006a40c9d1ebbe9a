//! The commands that take care of a store: make, check, compact, migrate, re-key, back up, restore.
//! On a closed store they work directly; while a server holds it they go through the server.

use super::backups::{StoreParts, archive_of, shelf_of};
use super::cli::{Backup, Format, Key};
use super::config::Config;
use super::data_dir::{DataDir, Found};
use super::maintenance::{
    Checked, CompactedBody, Rotated, check_details, check_rooms, compact_details, data_keys,
    is_inside, recorded, rotate, write_key,
};
use super::master_key::{self, Sourced};
use super::migrate::{self, Migrated, Progress};
use super::operator::{self, AS_LONG_AS_IT_TAKES, MadeBackup, NewBackup, NewKey};
use super::run::runtime;
use super::store::{self, BLOB_PURPOSE, OpenError};
use super::swap;
use super::terminal::{note, say, say_json};
use crate::backup::{self, Access, Manifest, Target, Tell, Unlock, quiet};
use crate::base::{Clock, Ids, Time};
use crate::engine::key::{KeyRing, MasterKey};
use crate::ops::event;
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn existing(config: &Config) -> Result<DataDir, String> {
    let dir = DataDir::new(&config.data_dir);
    if dir.has_store() { Ok(dir) } else { Err(format!("no store in {}", dir.path().display())) }
}

/// Makes a store, and with `encrypt` its master key.
pub(super) fn init(
    config: &Config,
    encrypt: bool,
    new_key_file: Option<PathBuf>,
) -> Result<(), String> {
    let dir = DataDir::new(&config.data_dir);
    if dir.has_store() {
        return Err(format!("{} holds a store already", dir.path().display()));
    }
    let mut config = config.clone();
    let mut made = None;
    if encrypt {
        made = new_key(&mut config, &dir, new_key_file)?;
    }
    drop(store::open(&config, &Clock::system(), &Ids::system()).map_err(said)?);
    let kind = if config.names_key() { "an encrypted store" } else { "a store" };
    say(format!("{kind} was made in {}", dir.path().display()));
    if let Some(path) = made {
        let path = path.display();
        say(format!(
            "its master key is in {path}: keep a copy in a safe place, because without it"
        ));
        say("nothing of the store and of its backups can be read by anybody");
        say(format!("start the server with key_file = \"{path}\" in faultmaven.toml,"));
        say(format!("or with FAULTMAVEN_MASTER_KEY_FILE={path}"));
    }
    Ok(())
}

/// Makes the key of a new store, unless one that can be read is configured.
fn new_key(
    config: &mut Config,
    dir: &DataDir,
    given: Option<PathBuf>,
) -> Result<Option<PathBuf>, String> {
    let configured = Some(&config.key_file).filter(|path| !path.as_os_str().is_empty());
    if given.is_some() && config.names_key() {
        return Err("a master key is configured already; leave --new-key-file out".into());
    }
    let path = match (given, configured) {
        (Some(path), _) => path,
        // A file that is configured and missing is one to make.
        (None, Some(path)) if !path.exists() => path.clone(),
        (None, _) if config.names_key() => return Ok(None),
        (None, _) => {
            let mut name = OsString::from(dir.path());
            name.push(".key");
            PathBuf::from(name)
        }
    };
    let path = std::path::absolute(&path).map_err(said)?;
    make_key(&path, dir)?;
    config.key_file = path.clone();
    Ok(Some(path))
}

fn make_key(path: &Path, dir: &DataDir) -> Result<(), String> {
    if is_inside(dir, path) {
        let path = path.display();
        return Err(format!(
            "{path} lies in the data directory: a key beside what it protects protects nothing"
        ));
    }
    if path.exists() {
        return Err(format!("{} exists already and is not overwritten", path.display()));
    }
    write_key(path, &MasterKey::generate())
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// Makes, replaces or examines master keys.
pub(super) fn key(
    command: Key,
    config: impl FnOnce() -> Result<Config, String>,
) -> Result<(), String> {
    match command {
        Key::Generate { output: None } => {
            say(MasterKey::generate().to_text());
            Ok(())
        }
        Key::Generate { output: Some(path) } => {
            make_key(&path, &DataDir::new(&config()?.data_dir))?;
            say(format!("a new master key is in {}", path.display()));
            Ok(())
        }
        Key::Rotate { new_key_file } => rotate_key(&config()?, &new_key_file),
        Key::Status { output } => key_status(&config()?, output.format),
    }
}

fn rotate_key(config: &Config, new_key_file: &Path) -> Result<(), String> {
    let dir = existing(config)?;
    let new_key_file = std::path::absolute(new_key_file).map_err(said)?;
    let (clock, ids) = (Clock::system(), Ids::system());
    let rotated = match store::enter(config, &ids) {
        Ok(entered) => {
            let (db, _) = store::open_db(&entered, config, &clock).map_err(said)?;
            let mut rotated = rotate(config, &dir, &new_key_file).map_err(said)?;
            let entry = operator::rotation(&ids, clock.now());
            rotated.audited = runtime()?.block_on(recorded(&db, entry));
            rotated
        }
        Err(OpenError::InUse { .. }) => {
            let new = NewKey { new_key_file };
            operator::ask::<Rotated>(&dir, "/operator/key/rotate", &new, operator::SOON)?
        }
        Err(error) => return Err(error.to_string()),
    };
    let (path, old) = (rotated.new_key_file.display(), &rotated.old_origin);
    let made = if rotated.made { "was made and " } else { "" };
    say(format!("the master key in {path} {made}opens the store from now on"));
    warn_unless(rotated.audited);
    say(format!("before the next start, put it in the place of {old}"));
    say(
        "earlier backups open with it here, and anywhere else with the old key only: keep that as long as them",
    );
    Ok(())
}

/// Says when an act is missing in the audit trail; what was done stays done.
fn warn_unless(audited: bool) {
    if !audited {
        note("faultmaven: what was done could not be put in the audit trail");
    }
}

fn key_status(config: &Config, format: Format) -> Result<(), String> {
    /// What is known of the keys of a store.
    #[derive(Serialize)]
    struct Status {
        encrypted: bool,
        data_keys: usize,
        newest_data_key_at: Option<Time>,
        master_key_from: Option<String>,
        opens: bool,
    }
    let dir = existing(config)?;
    let encrypted = match dir.found().map_err(said)? {
        Found::Current(format) => format.encrypted,
        Found::One => false,
        Found::Nothing | Found::Newer(_) | Found::Damaged(_) => {
            return Err(store::enter(config, &Ids::system()).err().map_or_else(String::new, said));
        }
    };
    let (data_keys, newest_data_key_at) =
        if encrypted { data_keys(&dir).map_err(said)? } else { (0, None) };
    let sourced = master_key::read(config).map_err(said)?;
    let opens = match &sourced {
        Some(Sourced { key, .. }) if encrypted => {
            store::keyring(&dir).map_err(said)?.unlock(key).is_ok()
        }
        sourced => !encrypted && sourced.is_none(),
    };
    let master_key_from = sourced.map(|sourced| sourced.origin);
    let status = Status { encrypted, data_keys, newest_data_key_at, master_key_from, opens };
    if format == Format::Json {
        say_json(&status)?;
    } else if encrypted {
        let newest = status.newest_data_key_at.map(|at| at.to_string()).unwrap_or_default();
        say(format!("encrypted; {data_keys} data keys, the newest of {newest}"));
    } else {
        say("not encrypted");
    }
    match (opens, &status.master_key_from) {
        (true, from) => {
            if let (Format::Text, Some(from)) = (format, from) {
                say(format!("the master key from {from} opens it"));
            }
            Ok(())
        }
        (false, None) => Err("no master key is configured".into()),
        (false, Some(from)) if encrypted => {
            Err(format!("the master key from {from} does not open it"))
        }
        (false, Some(from)) => {
            Err(format!("{from} is configured for a store that is not encrypted"))
        }
    }
}

/// Verifies everything.
pub(super) fn check(config: &Config, format: Format) -> Result<(), String> {
    let dir = existing(config)?;
    let (clock, ids) = (Clock::system(), Ids::system());
    let checked = match store::open(config, &clock, &ids) {
        Ok(store) => runtime()?.block_on(async {
            let checked = check_rooms(&store.db, &store.blobs, &store.search).await;
            let details = check_details(&checked);
            let entry = operator::act(&ids, clock.now(), event::STORE_CHECKED, &details);
            warn_unless(recorded(&store.db, entry).await);
            checked
        }),
        Err(OpenError::InUse { .. }) => {
            operator::ask::<Checked>(&dir, "/operator/check", &json!({}), AS_LONG_AS_IT_TAKES)?
        }
        Err(error) => return Err(error.to_string()),
    };
    if format == Format::Json {
        say_json(&checked)?;
    } else {
        checked.faults.iter().for_each(say);
        if checked.faults.is_empty() {
            say(format!("all is well; {} audit entries verified", checked.audit_entries));
        }
    }
    match checked.faults.len() {
        0 => Ok(()),
        n => Err(format!("{n} faults found")),
    }
}

/// Returns the space of deleted rows.
pub(super) fn compact(config: &Config, format: Format) -> Result<(), String> {
    let dir = existing(config)?;
    let (clock, ids) = (Clock::system(), Ids::system());
    let opened = store::enter(config, &ids).and_then(|entered| {
        let (db, _) = store::open_db(&entered, config, &clock)?;
        Ok((db, entered))
    });
    let compacted = match opened {
        Ok((db, _entered)) => runtime()?.block_on(async {
            let compacted: CompactedBody = db.compact().await.map_err(said)?.into();
            let details = compact_details(&compacted);
            let entry = operator::act(&ids, clock.now(), event::STORE_COMPACTED, &details);
            warn_unless(recorded(&db, entry).await);
            Ok::<_, String>(compacted)
        })?,
        Err(OpenError::InUse { .. }) => {
            let nothing = json!({});
            operator::ask::<CompactedBody>(
                &dir,
                "/operator/compact",
                &nothing,
                AS_LONG_AS_IT_TAKES,
            )?
        }
        Err(error) => return Err(error.to_string()),
    };
    if format == Format::Json {
        return say_json(&compacted);
    }
    let CompactedBody { before_bytes, after_bytes } = compacted;
    say(format!("the store file took {before_bytes} bytes and takes {after_bytes} now"));
    Ok(())
}

/// Builds the search index again.
pub(super) fn reindex(config: &Config) -> Result<(), String> {
    let (clock, ids) = (Clock::system(), Ids::system());
    match store::open(config, &clock, &ids) {
        Ok(store) => {
            store.search.reindex();
            let entry = operator::act(&ids, clock.now(), event::STORE_REINDEXED, &json!({}));
            let audited = runtime()?.block_on(async {
                store.search.catch_up(&store.db).await.map_err(said)?;
                Ok::<_, String>(recorded(&store.db, entry).await)
            })?;
            say(format!("{} passages indexed", store.search.ready().passages));
            warn_unless(audited);
        }
        Err(OpenError::InUse { .. }) => {
            let (dir, nothing) = (DataDir::new(&config.data_dir), json!({}));
            let path = "/operator/reindex";
            operator::ask::<serde_json::Value>(&dir, path, &nothing, operator::SOON)?;
            say("the running server rebuilds the index in the background");
        }
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

/// Brings the store to this version's format, or says what that would be.
pub(super) fn migrate(config: &Config, dry_run: bool, format: Format) -> Result<(), String> {
    existing(config)?;
    let runtime = runtime()?;
    let done = if dry_run {
        migrate::plan(config).map_err(said)?
    } else {
        let (clock, ids) = (Clock::system(), Ids::system());
        let shown = std::io::stderr().is_terminal();
        let tell = Arc::new(move |progress: Progress| {
            if shown {
                note(progress.to_string());
            }
        });
        runtime.block_on(migrate::run(config, &clock, &ids, tell)).map_err(said)?
    };
    if format == Format::Json {
        return say_json(&done);
    }
    let Some(Migrated { from, to, entries, blobs, bytes, encrypted, before }) = done else {
        say("the store has the format of this version; there is nothing to do");
        return Ok(());
    };
    let kind = if encrypted { "encrypted" } else { "not encrypted" };
    let what = format!("{entries} entries and {blobs} files, {bytes} bytes, {kind}");
    match before {
        None => say(format!("would bring the store from format {from} to {to}: {what}")),
        Some(before) => {
            say(format!("the store went from format {from} to {to}: {what}"));
            say(format!("the old one is kept in {}; delete it when all is well", before.display()));
        }
    }
    Ok(())
}

/// Makes, verifies, lists and restores backups.
pub(super) fn backup(command: Backup, config: &Config) -> Result<(), String> {
    match command {
        Backup::Create { output, format } => create_backup(config, output, format),
        Backup::Verify { file, output } => verify_backup(config, &file, output.format),
        Backup::List { output } => list_backups(config, output.format),
        Backup::Restore { file, at, output } => restore_backup(config, &file, at, output.format),
    }
}

/// Megabytes a second, for people.
fn speed(bytes: u64, begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs_f64().max(1e-3);
    format!("{:.1} s, {:.0} MB/s", seconds, bytes as f64 / 1e6 / seconds)
}

/// Shows progress on a terminal and nowhere else.
fn shown() -> Tell {
    if !std::io::stderr().is_terminal() {
        return quiet();
    }
    Arc::new(|progress| {
        note(format!("{}: {} MB", progress.stage.as_str(), progress.bytes / 1_000_000));
        ControlFlow::Continue(())
    })
}

fn create_backup(config: &Config, output: Option<PathBuf>, format: Format) -> Result<(), String> {
    let dir = existing(config)?;
    let begun = Instant::now();
    let output = output.map(std::path::absolute).transpose().map_err(said)?;
    let (clock, ids) = (Clock::system(), Ids::system());
    let made = match store::open(config, &clock, &ids) {
        Ok(store) => {
            let parts = StoreParts {
                dir: &dir,
                format: &store.format,
                keys: store.keys.as_ref(),
                db: &store.db,
                blobs: &store.blobs,
            };
            let backups = parts.backups(config).map_err(said)?;
            let (now, tell) = (clock.now(), shown());
            let made = operator::make_backup(&backups, &store.db, output, now, &ids, &tell);
            runtime()?.block_on(made).map_err(said)?
        }
        Err(OpenError::InUse { .. }) => {
            let new = NewBackup { output };
            operator::ask::<MadeBackup>(&dir, "/operator/backup", &new, AS_LONG_AS_IT_TAKES)?
        }
        Err(error) => return Err(error.to_string()),
    };
    if format == Format::Json {
        return say_json(&made);
    }
    let MadeBackup { rows, blobs, size_bytes, .. } = made;
    say(made.path.display().to_string());
    say(format!("{rows} entries and {blobs} files in {size_bytes} bytes, written and read back"));
    say(speed(made.content_bytes, begun));
    Ok(())
}

/// What the configured master key opens, with the ring of the store that is here, when there is one:
/// a backup from before a change of the master key has the same data keys.
fn unlock<'a>(sourced: Option<&'a Sourced>, ring: Option<&'a KeyRing>) -> Unlock<'a> {
    match (sourced, ring) {
        (None, _) => Unlock::Nothing,
        (Some(Sourced { key: master, .. }), Some(ring)) => Unlock::Store { master, ring },
        (Some(Sourced { key, .. }), None) => Unlock::Master(key),
    }
}

/// The ring of the store that is here; none when there is no readable one.
fn ring_here(dir: &DataDir) -> Option<KeyRing> {
    KeyRing::parse(&std::fs::read(dir.keyring()).ok()?).ok()
}

fn verify_backup(config: &Config, file: &Path, format: Format) -> Result<(), String> {
    let sourced = master_key::read(config).map_err(said)?;
    let begun = Instant::now();
    let ring = ring_here(&DataDir::new(&config.data_dir));
    let unlocked = unlock(sourced.as_ref(), ring.as_ref());
    let verified = backup::verify(file, unlocked, &shown()).map_err(said)?;
    let manifest = &verified.summary.manifest;
    if format == Format::Json {
        return say_json(&json!({
            "file": file, "size_bytes": verified.size_bytes, "store_id": manifest.store_id,
            "created_at": manifest.created_at, "sequence": manifest.sequence,
            "last_change_at": manifest.last_change_at, "rows": verified.summary.rows(),
            "blobs": verified.summary.blobs, "content_bytes": verified.summary.content_bytes(),
        }));
    }
    let Manifest { created_at, store_id, .. } = manifest;
    say(format!("the backup is good: made {created_at} of store {store_id}"));
    let (rows, blobs) = (verified.summary.rows(), verified.summary.blobs);
    say(format!("{rows} entries and {blobs} files, every sum matches"));
    say(speed(verified.summary.content_bytes(), begun));
    Ok(())
}

fn list_backups(config: &Config, format: Format) -> Result<(), String> {
    let dir = DataDir::new(&config.data_dir);
    let shelf = shelf_of(config, &dir);
    let listed = backup::list(&shelf).map_err(said)?;
    if format == Format::Json {
        let rows = listed.iter().map(|listed| {
            let manifest = listed.manifest.as_ref();
            json!({
                "path": listed.path, "name": listed.name, "size_bytes": listed.size_bytes,
                "encrypted": listed.encrypted(), "readable": manifest.is_some(),
                "created_at": manifest.map(|m| m.created_at),
                "last_change_at": manifest.map(|m| m.last_change_at),
                "sequence": manifest.map(|m| m.sequence),
                "store_id": manifest.map(|m| &m.store_id),
            })
        });
        return say_json(&rows.collect::<Vec<_>>());
    }
    if listed.is_empty() {
        say(format!("no backups in {}", shelf.display()));
    }
    for listed in listed {
        let made = listed.manifest.map_or("damaged".to_owned(), |m| m.created_at.to_string());
        say(format!("{made}  {:>12}  {}", listed.size_bytes, listed.path.display()));
    }
    Ok(())
}

/// Puts a backup, and with a time the archive, in the place of the store.
fn restore_backup(
    config: &Config,
    file: &Path,
    at: Option<Time>,
    format: Format,
) -> Result<(), String> {
    let (clock, ids) = (Clock::system(), Ids::system());
    let (dir, _lock) = store::take(config).map_err(|error| match error {
        OpenError::InUse { .. } => "a server holds the store: stop it before a restore".into(),
        error => error.to_string(),
    })?;
    let sourced = master_key::read(config).map_err(said)?;
    let begun = Instant::now();
    // A directory stands for the newest backup in it that is old enough.
    let file = match at {
        Some(at) if file.is_dir() => {
            let base = backup::newest_base(file, at).map_err(said)?;
            if format != Format::Json
                && let Some(manifest) = &base.manifest
            {
                say(format!("base: {}, of store {}", base.name, manifest.store_id));
            }
            base.path
        }
        _ => file.to_owned(),
    };
    let ring = ring_here(&dir);
    let new_ring = sourced.as_ref().map(|sourced| KeyRing::create(&sourced.key));
    let new_ring = new_ring.transpose().map_err(said)?;
    let new = swap::prepare(&dir).map_err(said)?;
    let models = &config.search.models_dir;
    let has_models = std::fs::read_dir(models).is_ok_and(|mut found| found.next().is_some());
    let target = Target {
        db: new.db(),
        blobs: new.blobs(),
        keyring: new.keyring(),
        models: (!has_models).then(|| models.clone()),
        config: Some(new.restored_config()),
        encrypt_with: new_ring
            .map(|(ring, keys)| Access { keys: Some(keys), keyring: Some(ring.to_json()) }),
        blobs_purpose: BLOB_PURPOSE,
        named_blobs: backup::uploaded_blobs,
        cache_bytes: usize::from(config.database.cache_mib) << 20,
    };
    let archive = archive_of(config, &dir);
    let archive = at.map(|_| archive.as_path());
    let unlocked = unlock(sourced.as_ref(), ring.as_ref());
    let tell = shown();
    let work = backup::restore(&file, unlocked, &target, archive, at, &tell);
    let restored = runtime()?.block_on(work).map_err(said)?;
    let encrypted = new.keyring().exists();
    // Another history from here on: its archive must not be mixed with that of the old store.
    new.set_format(&store::new_format(&ids, encrypted)).map_err(said)?;
    let before = swap::commit(&dir, "restore", clock.now()).map_err(said)?;
    let (rows, blobs) = (restored.summary.rows(), restored.summary.blobs);
    let content_bytes = restored.summary.content_bytes();
    if format == Format::Json {
        return say_json(&json!({
            "file": file, "of_store": restored.summary.manifest.store_id, "rows": rows, "blobs": blobs, "content_bytes": content_bytes,
            "sequence": restored.sequence, "reached": restored.reached,
            "complete": restored.complete, "replayed": restored.replayed,
            "archived_blobs": restored.archived_blobs, "encrypted": encrypted, "before": before,
        }));
    }
    say(format!("restored and compared: {rows} entries and {blobs} files"));
    say(speed(content_bytes, begun));
    if let Some(at) = at {
        let replayed = restored.replayed;
        say(format!(
            "{replayed} changes from the archive; the store is as of {}",
            restored.reached
        ));
        if !restored.complete {
            say(format!("the archive ends there: what came until {at} may be missing"));
        }
    }
    if let Some(before) = before {
        say(format!("the old store is kept in {}; delete it when all is well", before.display()));
    }
    Ok(())
}
