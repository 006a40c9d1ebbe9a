//! The data directory: what lies where, and who may look.
//!
//! ```text
//! faultmaven-data/
//! ├── format.json     version of this layout, id of the store, whether it is encrypted
//! ├── keyring.json    the data keys, wrapped by the master key; only of an encrypted store
//! ├── lock            held by the process that has the store open
//! ├── db/             every row, index, job, chunk, vector and audit entry, and their log: the truth
//! ├── blobs/          raw uploaded files: the truth
//! ├── text/           full-text index: derived, rebuilt when missing or damaged
//! ├── archive/        copies of the change log and of new blobs, for a restore to a point in time
//! ├── backups/        backup files
//! ├── consumers.json how far those who follow the changes have come
//! ├── swap.json      a decided swap, until it is done
//! ├── restored-config.toml  the configuration that a restored backup was made with
//! ├── incoming/       what a restore or a migration makes, until it is swapped in (`swap`)
//! ├── before-*/       what lay here before a restore or a migration
//! └── operator.json   address and credential of the running server, for its owner's command line
//! ```
//!
//! Format 1, of earlier versions, was `store.redb`, `blobs/` and `text/`.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The layout that this program writes.
pub(super) const FORMAT: u32 = 2;
/// The database of format 1.
const DATABASE_1: &str = "store.redb";
/// The configuration that a restored backup was made with.
const RESTORED: &str = "restored-config.toml";
/// Everything in the directory that is one store's content, of any format. The archive and the
/// backups are not: they keep the history of every store there was, by its id.
pub(super) const CONTENT: [&str; 8] =
    ["format.json", "keyring.json", DATABASE_1, "db", "blobs", "text", RESTORED, "consumers.json"];

/// What `format.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    /// Version of the layout.
    pub(super) format: u32,
    /// Names this store among others: 32 hexadecimal digits.
    pub(super) store_id: String,
    /// Whether everything but this file and the wrapped keys is encrypted.
    pub(super) encrypted: bool,
    /// Version of the program that made it.
    pub(super) created_by: String,
}

impl Format {
    /// Of a store that is made now.
    pub(super) fn new(store_id: String, encrypted: bool) -> Self {
        let created_by = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, store_id, encrypted, created_by }
    }
}

/// What lies in a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No store.
    Nothing,
    /// A store of format 1.
    One,
    /// A store of this format.
    Current(Format),
    /// A store of a format that a later version of this program made.
    Newer(u32),
    /// What should say the format does not.
    Damaged(String),
}

/// The right to change a data directory; ends when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// The system lets the lock go when the file is closed.
    _file: fs::File,
}

/// A directory that holds one store.
#[derive(Debug, Clone)]
pub(super) struct DataDir(PathBuf);

impl DataDir {
    /// Names a directory without touching it.
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Creates the directory for its owner only; one that exists is closed to all others.
    pub(super) fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)?;
        #[cfg(unix)]
        self.tighten()?;
        Ok(())
    }

    /// Takes the permissions of group and others away: rows and uploads are private, and what lies
    /// inside was made under whatever umask there was. A directory that is not ours, or is shared
    /// by design (sticky, like `/tmp`), is left alone with a warning.
    #[cfg(unix)]
    fn tighten(&self) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let found = fs::metadata(&self.0)?;
        let mode = found.mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let data_dir = self.0.display();
        let private = fs::Permissions::from_mode(0o700);
        if mode & 0o1000 == 0 && found.uid() == self.own_uid()? {
            fs::set_permissions(&self.0, private)?;
            tracing::info!(%data_dir, was = %format!("{mode:o}"), "the data directory is private now");
        } else {
            tracing::warn!(%data_dir, mode = %format!("{mode:o}"), "others may read the data directory");
        }
        Ok(())
    }

    /// Who we are, as the owner of a file we make: the standard library has no other way to ask.
    #[cfg(unix)]
    fn own_uid(&self) -> io::Result<u32> {
        let probe = self.0.join(format!("owner.{}.tmp", std::process::id()));
        write_private(&probe, b"")?;
        let uid = fs::metadata(&probe).map(|made| std::os::unix::fs::MetadataExt::uid(&made));
        fs::remove_file(&probe)?;
        uid
    }

    /// Keeps every other process away; `None` when one has the directory already.
    pub(super) fn lock(&self) -> io::Result<Option<Lock>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.0.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// What lies here.
    pub(super) fn found(&self) -> io::Result<Found> {
        /// The one field that every later format keeps.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let path = self.format();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if self.database_1().exists() {
                    Found::One
                } else if self.db().exists() {
                    Found::Damaged(format!("{} is missing", path.display()))
                } else {
                    Found::Nothing
                });
            }
            Err(error) => return Err(error),
        };
        let damaged =
            |error: serde_json::Error| Found::Damaged(format!("{}: {error}", path.display()));
        Ok(match serde_json::from_slice::<Version>(&text) {
            Ok(Version { format }) if format > FORMAT => Found::Newer(format),
            Ok(_) => serde_json::from_slice(&text).map_or_else(damaged, Found::Current),
            Err(error) => damaged(error),
        })
    }

    /// Says what lies here from now on.
    pub(super) fn set_format(&self, format: &Format) -> io::Result<()> {
        write_private(&self.format(), &serde_json::to_vec_pretty(format)?)
    }

    /// Whether a store of any format was ever made here.
    pub(super) fn has_store(&self) -> bool {
        self.found().is_ok_and(|found| found != Found::Nothing)
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Which format this is.
    pub(super) fn format(&self) -> PathBuf {
        self.0.join("format.json")
    }

    /// The wrapped data keys.
    pub(super) fn keyring(&self) -> PathBuf {
        self.0.join("keyring.json")
    }

    /// The database of format 1.
    pub(super) fn database_1(&self) -> PathBuf {
        self.0.join(DATABASE_1)
    }

    /// The database and its log.
    pub(super) fn db(&self) -> PathBuf {
        self.0.join("db")
    }

    /// Raw uploaded files.
    pub(super) fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// The full-text index.
    pub(super) fn text(&self) -> PathBuf {
        self.0.join("text")
    }

    /// Where the point-in-time archive is kept, unless configured elsewhere.
    pub(super) fn archive(&self) -> PathBuf {
        self.0.join("archive")
    }

    /// Where backups are kept, unless configured elsewhere.
    pub(super) fn backups(&self) -> PathBuf {
        self.0.join("backups")
    }

    /// The configuration that a restored backup was made with, for its operator to look at.
    pub(super) fn restored_config(&self) -> PathBuf {
        self.0.join(RESTORED)
    }

    /// How far those who follow the changes have come.
    pub(super) fn consumers(&self) -> PathBuf {
        self.0.join("consumers.json")
    }

    /// The running server's credential.
    pub(super) fn operator(&self) -> PathBuf {
        self.0.join("operator.json")
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_names(path.parent().unwrap_or(Path::new("")))
}

/// Forces the names in a directory to disk.
pub(super) fn sync_names(directory: &Path) -> io::Result<()> {
    let here = Path::new(".");
    let directory = if directory.as_os_str().is_empty() { here } else { directory };
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn opened(before: u32) -> u32 {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(before)).unwrap();
        DataDir::new(directory.path()).create().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
        fs::metadata(directory.path()).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_data_directory_that_others_could_read_is_closed_to_them() {
        assert_eq!(opened(0o755), 0o700);
        assert_eq!(opened(0o750), 0o700);
        assert_eq!(opened(0o700), 0o700);
    }

    #[test]
    fn a_directory_shared_by_design_is_left_alone() {
        assert_eq!(opened(0o1777), 0o1777);
    }

    #[test]
    fn one_process_at_a_time_has_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        let lock = dir.lock().unwrap();
        assert!(lock.is_some() && dir.lock().unwrap().is_none());
        drop(lock);
        assert!(dir.lock().unwrap().is_some());
    }

    #[test]
    fn what_lies_in_a_directory_is_recognised() {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        assert_eq!(dir.found().unwrap(), Found::Nothing);
        assert!(!dir.has_store());
        fs::write(dir.database_1(), "").unwrap();
        assert_eq!(dir.found().unwrap(), Found::One);
        fs::remove_file(dir.database_1()).unwrap();
        fs::create_dir(dir.db()).unwrap();
        assert!(matches!(dir.found().unwrap(), Found::Damaged(_)));
        let format = Format::new("00".repeat(16), true);
        dir.set_format(&format).unwrap();
        assert_eq!(dir.found().unwrap(), Found::Current(format));
        fs::write(dir.format(), r#"{"format":7,"shape":"unheard of"}"#).unwrap();
        assert_eq!(dir.found().unwrap(), Found::Newer(7));
        fs::write(dir.format(), r#"{"format":2}"#).unwrap();
        assert!(matches!(dir.found().unwrap(), Found::Damaged(_)));
        fs::write(dir.format(), "").unwrap();
        assert!(matches!(dir.found().unwrap(), Found::Damaged(_)));
    }

    #[test]
    fn a_new_data_directory_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("a/b");
        DataDir::new(&made).create().unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
