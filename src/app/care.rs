//! The commands that take care of a store: make, check, compact, migrate, re-key, back up, restore.
//! On a closed store they work directly; while a server holds it they go through the server.

use super::cli::{Backup, Format, Key};
use super::config::{Config, Resolved};
use super::data_dir::{DataDir, Found};
use super::maintenance::{
    Checked, CompactedBody, Rotated, check_rooms, data_keys, is_inside, rotate, write_key,
};
use super::master_key::{self, Sourced};
use super::migrate::{self, Migrated, Progress};
use super::operator::{self, AS_LONG_AS_IT_TAKES, NewKey};
use super::run::runtime;
use super::store::{self, OpenError};
use super::terminal::{note, say, say_json};
use crate::base::{Clock, Ids};
use crate::engine::key::MasterKey;
use crate::ops::audit;
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
            let rotated = rotate(config, &dir, &new_key_file).map_err(said)?;
            let entry = operator::rotation(&ids, clock.now());
            db.write_blocking(move |tx| audit::record(tx, entry.clone())).map_err(said)?;
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
    say(format!("before the next start, put it in the place of {old}"));
    say("backups made before open with the old key only: keep it as long as them");
    Ok(())
}

fn key_status(config: &Config, format: Format) -> Result<(), String> {
    /// What is known of the keys of a store.
    #[derive(Serialize)]
    struct Status {
        encrypted: bool,
        data_keys: usize,
        newest_data_key_at: Option<crate::base::Time>,
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
    let checked = match store::open(config, &Clock::system(), &Ids::system()) {
        Ok(store) => runtime()?.block_on(check_rooms(&store.db, &store.blobs, &store.search)),
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
    let opened = store::enter(config, &Ids::system()).and_then(|entered| {
        let (db, _) = store::open_db(&entered, config, &Clock::system())?;
        Ok((db, entered))
    });
    let compacted = match opened {
        Ok((db, _entered)) => runtime()?.block_on(db.compact()).map_err(said)?.into(),
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
pub(super) fn backup(command: Backup, resolved: &Resolved) -> Result<(), String> {
    let _ = (command, resolved);
    Err("not yet".into())
}
