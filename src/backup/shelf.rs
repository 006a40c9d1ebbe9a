//! The backups that there are: their names, what they say of themselves, how long they stay.

use super::error::BackupError;
use super::file::{PARTIAL, free_bytes, make_private};
use super::format::Manifest;
use super::read::open;
use crate::base::Time;
use std::fs;
use std::path::{Path, PathBuf};

/// Ends the name of a plain backup.
pub(super) const PLAIN: &str = ".tar.zst";
/// Ends the name of an encrypted backup.
pub(super) const SEALED: &str = ".fmb";
/// Most files of a directory that are looked at; daily backups of 30 days are 30.
const FILES_MAX: usize = 10_000;
/// A backup is about as large as the one before; this much more is set aside, in percent.
const GROWTH_PERCENT: u64 = 10;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A backup file, as far as it can be known without reading it all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// Name of the file.
    pub name: String,
    /// Length of the file in bytes.
    pub size_bytes: u64,
    /// What it is of; none when the file is damaged or not a backup.
    pub manifest: Option<Manifest>,
}

impl Listed {
    /// Whether it is encrypted.
    pub fn encrypted(&self) -> bool {
        self.name.ends_with(SEALED)
    }
}

/// The backups in a directory, newest first, damaged ones last. Reads the head of each file.
///
/// # Errors
/// [`BackupError::File`] when the directory cannot be read; one that is missing is empty.
pub fn list(directory: &Path) -> Result<Vec<Listed>, BackupError> {
    let mut found = Vec::new();
    for path in files(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(PLAIN) && !name.ends_with(SEALED) {
            continue;
        }
        let Ok(metadata) = path.metadata() else { continue };
        let manifest = open(&path).and_then(|opened| opened.manifest(&path)).ok();
        found.push(Listed { name, size_bytes: metadata.len(), manifest, path });
        if found.len() == FILES_MAX {
            break;
        }
    }
    let age = |listed: &Listed| listed.manifest.as_ref().map(|m| (m.created_at, m.sequence));
    found.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| b.name.cmp(&a.name)));
    Ok(found)
}

/// The backup made last of those that hold nothing later than `at`: the base for a restore to that
/// time. Of two histories that a restore has parted, it is of the one that was lived then: their
/// changes have the same numbers, the times of their backups tell.
///
/// # Errors
/// [`BackupError::NoBase`], or as [`list`].
pub fn newest_base(directory: &Path, at: Time) -> Result<Listed, BackupError> {
    let old_enough = |listed: &Listed| {
        listed.manifest.as_ref().is_some_and(|manifest| manifest.last_change_at <= at)
    };
    let made_by_then = |listed: &Listed| {
        listed.manifest.as_ref().is_some_and(|manifest| manifest.created_at <= at)
    };
    let mut found = list(directory)?;
    found.retain(old_enough);
    // The newest one comes first. One made later of what had not changed since will do.
    let chosen = found.iter().position(made_by_then).or(found.len().checked_sub(1));
    chosen.map(|at| found.swap_remove(at)).ok_or(BackupError::NoBase(at))
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match directory.read_dir() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(BackupError::file(directory))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(BackupError::file(directory))
}

/// A free name for a backup begun at `now`, in a directory that is made when missing.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn free_name(
    directory: &Path,
    now: Time,
    encrypted: bool,
) -> Result<PathBuf, BackupError> {
    make_private(directory)?;
    let text = now.to_string();
    // 2026-01-02T03:04:05.678Z becomes 20260102T030405Z: no file system minds it.
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    let stamp: String = seconds.chars().filter(char::is_ascii_alphanumeric).collect();
    let end = if encrypted { SEALED } else { PLAIN };
    let free = (1..).map(|count| match count {
        1 => directory.join(format!("faultmaven-{stamp}Z{end}")),
        count => directory.join(format!("faultmaven-{stamp}Z-{count}{end}")),
    });
    Ok(free.into_iter().find(|path| !path.exists()).unwrap_or_default())
}

/// Whether a backup fits: it is taken to be as large as the newest one and a tenth more, or
/// `first_bytes` when there is none.
///
/// # Errors
/// [`BackupError::NoSpace`] when less than `floor_bytes` would stay free.
pub(super) fn admit(
    directory: &Path,
    first_bytes: u64,
    floor_bytes: u64,
) -> Result<(), BackupError> {
    let newest = list(directory)?.first().map(|listed| listed.size_bytes);
    let needed_bytes =
        newest.map_or(first_bytes, |bytes| bytes.saturating_add(bytes / 100 * GROWTH_PERCENT));
    let free_bytes = free_bytes(directory)?;
    if free_bytes < needed_bytes.saturating_add(floor_bytes) {
        return Err(BackupError::NoSpace { needed_bytes, floor_bytes, free_bytes });
    }
    Ok(())
}

/// Removes what a crash left half-written. Nothing may be writing a backup here meanwhile.
///
/// # Errors
/// [`BackupError::File`].
pub(super) fn sweep(directory: &Path) -> Result<(), BackupError> {
    for path in files(directory)? {
        let name = path.to_string_lossy();
        let ours = [PLAIN, SEALED].iter().any(|end| name.ends_with(&format!("{end}{PARTIAL}")));
        if ours {
            fs::remove_file(&path).map_err(BackupError::file(&path))?;
            tracing::info!(path = %path.display(), "half a backup is removed");
        }
    }
    Ok(())
}

/// What is older has outlived its time.
pub(super) fn expiry(keep_days: u32, now: Time) -> Time {
    now.plus_ms(-i64::from(keep_days) * DAY_MS)
}

/// Removes the backups in a directory that are older than `keep_days`, whichever history of the store
/// they are of, but none that is not followed by a good one: `is_good` proves a backup. Answers how
/// many went. Files that cannot be read are left for a person to look at.
///
/// # Errors
/// [`BackupError::File`].
pub fn retain(
    directory: &Path,
    keep_days: u32,
    now: Time,
    is_good: &mut dyn FnMut(&Path) -> bool,
) -> Result<usize, BackupError> {
    let until = expiry(keep_days, now);
    let known = list(directory)?.into_iter().filter_map(|listed| {
        let manifest = listed.manifest?;
        Some((listed.path, manifest.created_at))
    });
    let known: Vec<(PathBuf, Time)> = known.collect();
    if known.iter().all(|(_, created_at)| *created_at >= until) {
        return Ok(0);
    }
    let Some(newest_good) = known.iter().position(|(path, _)| is_good(path)) else {
        tracing::warn!("no backup could be proven good; none is removed");
        return Ok(0);
    };
    let mut removed = 0;
    for (path, _) in known.iter().skip(newest_good + 1).filter(|(_, at)| *at < until) {
        fs::remove_file(path).map_err(BackupError::file(path))?;
        removed += 1;
    }
    Ok(removed)
}
