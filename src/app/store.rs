//! Opening a store: the tables of all rooms, the engines over one data directory.

use super::backups::archive_of;
use super::config::Config;
use super::consumers::Consumers;
use super::data_dir::{DataDir, FORMAT, Format, Found, Lock, write_private};
use super::master_key::{self, MasterKeyError, Sourced};
use super::swap;
use crate::base::{Clock, Ids};
use crate::engine::blob::{BlobError, Blobs};
use crate::engine::db::{Db, DbError, Hold, LogLimits, Opened, Options, Schema};
use crate::engine::disk::Directory;
use crate::engine::key::{KeyError, KeyRing, Keys, Seal};
use crate::engine::text::{TextError, TextIndex};
use crate::search::{Search, SearchError};
use crate::{backup, cases, jobs, knowledge, ops, reports, search, uploads, users, web};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Purpose of the seal of blobs.
pub(super) const BLOB_PURPOSE: &str = "blobs";
/// Purpose of the seal of the word index.
const TEXT_PURPOSE: &str = "text";

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used.
    #[error("cannot use {path}: {cause}")]
    Directory {
        /// The directory.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Another process has the store open.
    #[error("{path} is in use by another faultmaven process")]
    InUse {
        /// The directory.
        path: String,
    },
    /// An earlier version made the store.
    #[error(
        "the store in {path} is of format 1, made by an earlier version: `faultmaven migrate` or \
         `faultmaven serve` brings it to format {FORMAT} and keeps the old one beside it"
    )]
    Older {
        /// The directory.
        path: String,
    },
    /// A later version made the store.
    #[error(
        "the store in {path} is of format {format}, made by a later version of faultmaven; this one \
         knows formats up to {FORMAT}: use the later version, or restore a backup made by this one"
    )]
    Newer {
        /// The directory.
        path: String,
        /// The format it has.
        format: u32,
    },
    /// A file that says what the store is cannot be read.
    #[error("the store is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The store is encrypted and no key is configured.
    #[error(
        "the store in {path} is encrypted and no master key is configured: set key_file, \
         key_command or FAULTMAVEN_MASTER_KEY"
    )]
    KeyMissing {
        /// The directory.
        path: String,
    },
    /// The store was encrypted with another master key.
    #[error(
        "the master key from {origin} does not open the store in {path}: configure the key it was \
         made with or last rotated to"
    )]
    KeyWrong {
        /// The directory.
        path: String,
        /// Where the key came from.
        origin: String,
    },
    /// The store is not encrypted and a key is configured.
    #[error(
        "the store in {path} is not encrypted, but {origin} is configured: take that setting away, \
         or restore a backup of the store with it, which encrypts everything"
    )]
    KeyNeedless {
        /// The directory.
        path: String,
        /// Where the key came from.
        origin: String,
    },
    /// The configured master key cannot be read.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Database(DbError),
    /// The blobs cannot be opened.
    #[error("the blobs cannot be opened: {0}")]
    Blobs(#[from] BlobError),
    /// The full-text index cannot be opened.
    #[error("the full-text index cannot be opened: {0}")]
    Text(#[from] TextError),
    /// The search catalogue cannot be read.
    #[error("the search catalogue cannot be read: {0}")]
    Search(#[from] SearchError),
}

/// The tables of all rooms.
pub fn schema() -> Schema {
    let rooms = [
        search::schema,
        web::schema,
        ops::schema,
        jobs::schema,
        users::schema,
        cases::schema,
        knowledge::schema,
        uploads::schema,
        reports::schema,
    ];
    rooms.into_iter().fold(Schema::new(), |schema, room| room(schema))
}

/// The engines over one data directory. What holds `lock` keeps other processes away; it goes last.
pub(super) struct Store {
    pub(super) db: Db,
    pub(super) blobs: Blobs,
    pub(super) search: Search,
    pub(super) format: Format,
    pub(super) keys: Option<Keys>,
    pub(super) consumers: Consumers,
    pub(super) lock: Lock,
}

/// A directory that is ours alone, what it is, and the keys to it.
pub(super) struct Entered {
    pub(super) dir: DataDir,
    pub(super) format: Format,
    pub(super) keys: Option<Keys>,
    pub(super) lock: Lock,
}

/// Makes a data directory ours and finishes what a crash interrupted there.
///
/// # Errors
/// [`OpenError::InUse`] when another process has it.
pub(super) fn take(config: &Config) -> Result<(DataDir, Lock), OpenError> {
    let dir = DataDir::new(&config.data_dir);
    let path = dir.path().display().to_string();
    let failed = |cause| OpenError::Directory { path: path.clone(), cause };
    dir.create().map_err(failed)?;
    let lock = dir.lock().map_err(failed)?;
    let lock = lock.ok_or_else(|| OpenError::InUse { path: path.clone() })?;
    if let Some(before) = swap::finish(&dir).map_err(failed)? {
        tracing::info!(before = %before.display(), "an interrupted change of the store was finished");
    }
    Ok((dir, lock))
}

/// Makes a data directory ours and its keys known; where no store is, one begins.
///
/// # Errors
/// [`OpenError`], in one line that says what to do.
pub(super) fn enter(config: &Config, ids: &Ids) -> Result<Entered, OpenError> {
    let (dir, lock) = take(config)?;
    let path = dir.path().display().to_string();
    let found = dir.found().map_err(|cause| OpenError::Directory { path: path.clone(), cause })?;
    let (format, keys) = match found {
        Found::Nothing => begin(&dir, config, ids)?,
        Found::One => return Err(OpenError::Older { path }),
        Found::Current(format) => {
            let keys = unlock(&dir, config, format.encrypted)?;
            (format, keys)
        }
        Found::Newer(format) => return Err(OpenError::Newer { path, format }),
        Found::Damaged(what) => return Err(OpenError::Damaged(what)),
    };
    Ok(Entered { dir, format, keys, lock })
}

/// Says in an empty directory what will lie there; encrypted when a master key is configured.
pub(super) fn begin(
    dir: &DataDir,
    config: &Config,
    ids: &Ids,
) -> Result<(Format, Option<Keys>), OpenError> {
    let path = dir.path().display().to_string();
    let failed = |cause| OpenError::Directory { path: path.clone(), cause };
    // A ring without a format is what a crash of this function left, or belongs to files that
    // somebody may still bring back: it is opened, never replaced.
    let encrypted = config.names_key() || dir.keyring().exists();
    if encrypted && !dir.keyring().exists() {
        let sourced = master_key::read(config)?;
        let sourced = sourced.ok_or_else(|| OpenError::KeyMissing { path: path.clone() })?;
        let made = KeyRing::create(&sourced.key);
        let (ring, _) = made.map_err(|e| OpenError::Damaged(e.to_string()))?;
        write_private(&dir.keyring(), ring.to_json().as_bytes()).map_err(failed)?;
    }
    let keys = unlock(dir, config, encrypted)?;
    let format = new_format(ids, encrypted);
    dir.set_format(&format).map_err(failed)?;
    Ok((format, keys))
}

/// Names a store that begins now.
pub(super) fn new_format(ids: &Ids, encrypted: bool) -> Format {
    let id: [u8; 16] = ids.secret();
    let id = id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Format::new(id, encrypted)
}

/// The keys to a store, when it is encrypted and the configured master key opens it.
fn unlock(dir: &DataDir, config: &Config, encrypted: bool) -> Result<Option<Keys>, OpenError> {
    let path = dir.path().display().to_string();
    let sourced = master_key::read(config)?;
    match (encrypted, sourced) {
        (false, None) => Ok(None),
        (false, Some(Sourced { origin, .. })) => Err(OpenError::KeyNeedless { path, origin }),
        (true, None) => Err(OpenError::KeyMissing { path }),
        (true, Some(Sourced { key, origin })) => match keyring(dir)?.unlock(&key) {
            Ok(keys) => Ok(Some(keys)),
            Err(KeyError::WrongKey) => Err(OpenError::KeyWrong { path, origin }),
            Err(error) => Err(damaged(&dir.keyring(), &error)),
        },
    }
}

/// The wrapped keys of a store.
///
/// # Errors
/// [`OpenError::Damaged`] when they cannot be read.
pub(super) fn keyring(dir: &DataDir) -> Result<KeyRing, OpenError> {
    let text = std::fs::read(dir.keyring()).map_err(|e| damaged(&dir.keyring(), &e))?;
    KeyRing::parse(&text).map_err(|e| damaged(&dir.keyring(), &e))
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> OpenError {
    OpenError::Damaged(format!("{}: {why}", path.display()))
}

/// A seal for one purpose: keyed when the store is encrypted, otherwise checksums.
pub(super) fn seal(keys: Option<&Keys>, purpose: &str) -> Seal {
    keys.map_or_else(Seal::checked, |keys| keys.seal(purpose))
}

/// Opens the database of a directory that is ours, and who follows its changes.
///
/// # Errors
/// [`OpenError::Database`], or [`OpenError::Directory`].
pub(super) fn open_db(
    entered: &Entered,
    config: &Config,
    clock: &Clock,
) -> Result<(Db, Consumers), OpenError> {
    let path = entered.dir.path().display().to_string();
    let failed = |cause| OpenError::Directory { path: path.clone(), cause };
    let consumers = Consumers::open(&entered.dir).map_err(failed)?;
    let mebibytes = |mib: u16| u64::from(mib) << 20;
    let log = LogLimits { bytes_max: mebibytes(config.database.log_mib), ..LogLimits::default() };
    let mut holders = consumers.holders();
    if config.archive.every_seconds > 0 {
        let archive = archive_of(config, &entered.dir);
        let until = backup::archived_until(&archive, &entered.format.store_id);
        let until = until.map_err(|e| OpenError::Damaged(format!("the archive: {e}")))?;
        holders.push((backup::ARCHIVE_HOLDER.to_owned(), until, Hold::Firm));
    }
    let options = Options {
        cache_bytes: usize::from(config.database.cache_mib) << 20,
        keys: entered.keys.clone(),
        clock: clock.clone(),
        log,
        reserve_bytes: mebibytes(config.disk.reserve_mib),
        holders,
    };
    let disk = Directory::open(&entered.dir.db()).map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse { path: path.clone() },
        _ => failed(cause),
    })?;
    let (db, opened) =
        Db::open(Arc::new(disk), options, schema()).map_err(|error| match error {
            DbError::InUse => OpenError::InUse { path: path.clone() },
            error => OpenError::Database(error),
        })?;
    if opened.replayed > 0 {
        let Opened { replayed, took_ms, .. } = opened;
        tracing::info!(replayed, took_ms, "commits that only the log had were brought back");
    }
    Ok((db, consumers))
}

/// Opens everything.
///
/// # Errors
/// [`OpenError`], in one line that says what to do.
pub(super) fn open(config: &Config, clock: &Clock, ids: &Ids) -> Result<Store, OpenError> {
    let entered = enter(config, ids)?;
    let (db, consumers) = open_db(&entered, config, clock)?;
    let Entered { dir, format, keys, lock } = entered;
    let blobs = Blobs::open(&dir.blobs(), &seal(keys.as_ref(), BLOB_PURPOSE))?;
    let (text, opened) = TextIndex::open(&dir.text(), &seal(keys.as_ref(), TEXT_PURPOSE))?;
    let search = Search::open(&db, text, opened)?;
    let passages = search.ready().passages;
    if opened.rebuilt && passages > 0 {
        tracing::warn!(passages, "the full-text index was missing or damaged and is rebuilt");
    }
    Ok(Store { db, blobs, search, format, keys, consumers, lock })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Secret;
    use crate::engine::key::MasterKey;

    fn config(at: &Path, key: Option<&MasterKey>) -> Config {
        let master_key = key.map(|key| Secret::new(key.to_text()));
        Config { data_dir: at.join("data"), master_key, ..Config::default() }
    }

    fn refusal(config: &Config) -> String {
        let error = enter(config, &Ids::seeded(2)).err().expect("it is refused").to_string();
        assert!(!error.contains('\n'), "{error}");
        error.replace(&config.data_dir.display().to_string(), "D")
    }

    #[test]
    fn a_store_opens_only_as_it_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let (right, wrong) = (MasterKey::generate(), MasterKey::generate());
        let open = |key| config(directory.path(), key);
        let made = enter(&open(Some(&right)), &Ids::seeded(1)).unwrap();
        assert!(made.format.encrypted && made.keys.is_some());
        assert_eq!(refusal(&open(Some(&right))), "D is in use by another faultmaven process");
        let format = made.format.clone();
        drop(made);
        assert_eq!(enter(&open(Some(&right)), &Ids::seeded(1)).unwrap().format, format);
        assert!(refusal(&open(None)).starts_with("the store in D is encrypted and no master key"));
        let said = refusal(&open(Some(&wrong)));
        assert!(
            said.starts_with("the master key from FAULTMAVEN_MASTER_KEY does not open"),
            "{said}"
        );
        assert!(!said.contains(&wrong.to_text()));
        let path = DataDir::new(directory.path().join("data")).keyring();
        let ring = std::fs::read(&path).unwrap();
        std::fs::write(&path, &ring[..ring.len() - 9]).unwrap();
        let said = refusal(&open(Some(&right)));
        assert!(said.contains("D/keyring.json: the key ring is damaged"), "{said}");
    }

    #[test]
    fn a_plain_store_refuses_a_key_that_would_not_protect_it() {
        let directory = tempfile::tempdir().unwrap();
        drop(enter(&config(directory.path(), None), &Ids::seeded(1)).unwrap());
        let said = refusal(&config(directory.path(), Some(&MasterKey::generate())));
        assert!(said.starts_with("the store in D is not encrypted, but"), "{said}");
    }

    #[test]
    fn a_later_format_and_a_missing_one_are_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), None);
        let entered = enter(&config, &Ids::seeded(1)).unwrap();
        let later = Format { format: 9, ..entered.format.clone() };
        entered.dir.set_format(&later).unwrap();
        let dir = entered.dir.clone();
        drop(entered);
        assert!(refusal(&config).starts_with("the store in D is of format 9, made by a later"));
        std::fs::remove_file(dir.format()).unwrap();
        std::fs::create_dir_all(dir.db()).unwrap();
        assert_eq!(
            refusal(&config),
            "the store is damaged: D/format.json is missing; restore a backup"
        );
    }

    #[test]
    fn an_interrupted_beginning_keeps_the_ring_it_made() {
        let directory = tempfile::tempdir().unwrap();
        let key = MasterKey::generate();
        let config = config(directory.path(), Some(&key));
        let entered = enter(&config, &Ids::seeded(1)).unwrap();
        let (dir, ring) = (entered.dir.clone(), std::fs::read(entered.dir.keyring()).unwrap());
        drop(entered);
        std::fs::remove_file(dir.format()).unwrap();
        assert!(enter(&config, &Ids::seeded(3)).unwrap().format.encrypted);
        assert_eq!(std::fs::read(dir.keyring()).unwrap(), ring);
    }
}
