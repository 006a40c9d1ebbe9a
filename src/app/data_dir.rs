//! The data directory: what lies where, and who may look.
//!
//! ```text
//! faultmaven-data/
//! ├── db/             every row, index, job, chunk, vector and audit entry: the truth
//! ├── blobs/          raw uploaded files: the truth
//! ├── text/           full-text index: derived, rebuilt when missing or damaged
//! └── operator.json   address and credential of the running server, for its owner's command line
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

    /// Whether a store was ever made here.
    pub(super) fn has_store(&self) -> bool {
        self.database().exists()
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The database's directory.
    pub(super) fn database(&self) -> PathBuf {
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
    fs::rename(&temporary, path)
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
    fn a_new_data_directory_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("a/b");
        DataDir::new(&made).create().unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
