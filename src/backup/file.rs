//! Files that appear under their name whole and on disk, or not at all.

use super::error::BackupError;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Ends the name of a file that is being written.
pub(super) const PARTIAL: &str = ".partial";

/// A file being written under a temporary name; dropping it leaves nothing.
pub(super) struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl NewFile {
    /// Starts a file that only its owner can read; its directory is made when missing.
    ///
    /// # Errors
    /// [`BackupError::Occupied`] when there is one of the name, or [`BackupError::File`].
    pub(super) fn create(path: &Path) -> Result<(Self, File), BackupError> {
        if path.exists() {
            return Err(BackupError::Occupied(path.display().to_string()));
        }
        if let Some(directory) = path.parent() {
            make_private(directory)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(PARTIAL);
        let partial = PathBuf::from(name);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(BackupError::file(&partial))?;
        Ok((Self { path: path.to_owned(), partial, finished: false }, file))
    }

    /// Forces content and name to disk; answers the size in bytes.
    ///
    /// # Errors
    /// [`BackupError::File`]; then there is no file of the name.
    pub(super) fn finish(mut self, file: File) -> Result<u64, BackupError> {
        file.sync_all().map_err(BackupError::file(&self.partial))?;
        let size_bytes = file.metadata().map_err(BackupError::file(&self.partial))?.len();
        drop(file);
        fs::rename(&self.partial, &self.path).map_err(BackupError::file(&self.path))?;
        self.finished = true;
        if let Some(directory) = self.path.parent() {
            sync_names(directory)?;
        }
        Ok(size_bytes)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.partial)
        {
            tracing::warn!(%error, path = %self.partial.display(), "half a file is left behind");
        }
    }
}

/// Writes a small file whole or not at all, in place of one that is there.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), BackupError> {
    let staged = path.with_extension("new");
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(BackupError::file(&staged)(error));
        }
        _ => {}
    }
    let (new, mut file) = NewFile::create(&staged)?;
    std::io::Write::write_all(&mut file, content).map_err(BackupError::file(&staged))?;
    new.finish(file)?;
    fs::rename(&staged, path).map_err(BackupError::file(path))?;
    path.parent().map_or(Ok(()), sync_names)
}

/// Makes a directory for its owner only, with those above it; one that exists is left as it is.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn make_private(directory: &Path) -> Result<(), BackupError> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(BackupError::file(directory))?;
    directory.parent().map_or(Ok(()), sync_names)
}

/// Forces the names in a directory to disk.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn sync_names(directory: &Path) -> Result<(), BackupError> {
    if cfg!(unix) && !directory.as_os_str().is_empty() {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(BackupError::file(directory))?;
    }
    Ok(())
}

/// Bytes that an ordinary user may still write to the file system of `directory`.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn free_bytes(directory: &Path) -> Result<u64, BackupError> {
    let found = rustix::fs::statvfs(directory).map_err(|error| {
        BackupError::file(directory)(std::io::Error::from_raw_os_error(error.raw_os_error()))
    })?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
