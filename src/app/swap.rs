//! Puts new content in the place of the old, as a whole or not at all.
//!
//! A restore or a migration makes its content in `incoming/`. One renamed file, `swap.json`, is the
//! decision; what follows only moves names. Every open first finishes a decided swap, so a crash at
//! any point leaves either the old content, or the new with the old beside it.

use super::data_dir::{CONTENT, DataDir, sync_names, write_private};
use crate::base::Time;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A swap that is decided: names in the data directory, fixed at the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Decision {
    /// The directory that receives the old content; none when there is none.
    before: Option<String>,
    /// Old content.
    aside: Vec<String>,
    /// New content.
    take: Vec<String>,
}

fn incoming(dir: &DataDir) -> PathBuf {
    dir.path().join("incoming")
}

fn decision(dir: &DataDir) -> PathBuf {
    dir.path().join("swap.json")
}

/// Makes an empty place for new content; what an earlier attempt left there is removed.
///
/// # Errors
/// What the file system says.
pub(super) fn prepare(dir: &DataDir) -> io::Result<DataDir> {
    remove(&incoming(dir))?;
    let place = DataDir::new(incoming(dir));
    place.create()?;
    Ok(place)
}

/// Swaps the prepared content in and answers where the old lies now. `what` names the cause.
///
/// # Errors
/// What the file system says. The decision may have been made: the next open finishes it.
pub(super) fn commit(dir: &DataDir, what: &str, now: Time) -> io::Result<Option<PathBuf>> {
    decide(dir, what, now)?;
    complete(dir, &mut || Ok(()))
}

/// Finishes a decided swap and removes what an undecided one left. Answers where old content lies
/// when a swap was finished.
///
/// # Errors
/// What the file system says, or [`io::ErrorKind::InvalidData`] when the decision is damaged.
pub(super) fn finish(dir: &DataDir) -> io::Result<Option<PathBuf>> {
    let before = complete(dir, &mut || Ok(()))?;
    remove(&incoming(dir))?;
    Ok(before)
}

fn decide(dir: &DataDir, what: &str, now: Time) -> io::Result<()> {
    let take = names(&incoming(dir))?;
    sync_tree(&incoming(dir))?;
    let exists = |name: &&str| dir.path().join(name).symlink_metadata().is_ok();
    let aside: Vec<_> = CONTENT.iter().copied().filter(exists).map(str::to_owned).collect();
    let before = (!aside.is_empty()).then(|| unused(dir, what, now));
    let text = serde_json::to_vec_pretty(&Decision { before, aside, take })?;
    write_private(&decision(dir), &text)
}

/// A name for the old content that nothing has yet: `before-restore-20261124T014500Z`.
fn unused(dir: &DataDir, what: &str, now: Time) -> String {
    let seconds = Time::from_unix_us(now.unix_us().div_euclid(1_000_000) * 1_000_000);
    let time: String = seconds.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let base = format!("before-{what}-{time}");
    let numbered = (2..).map(|n| format!("{base}-{n}"));
    let mut candidates = std::iter::once(base.clone()).chain(numbered);
    candidates.find(|name| !dir.path().join(name).exists()).unwrap_or(base)
}

/// Does what is left of a decided swap; `step` is called after each change.
fn complete(
    dir: &DataDir,
    step: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Option<PathBuf>> {
    let text = match fs::read(decision(dir)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let swap: Decision = serde_json::from_slice(&text)
        .map_err(|e| invalid(format!("{}: {e}", decision(dir).display())))?;
    let (here, from) = (dir.path(), incoming(dir));
    let before = swap.before.map(|name| here.join(name));
    if let Some(before) = &before {
        DataDir::new(before).create()?;
        step()?;
        for name in &swap.aside {
            // Once it lies there, the name may belong to new content already.
            if !exists(&before.join(name)) {
                fs::rename(here.join(name), before.join(name))?;
                step()?;
            }
        }
        // Nothing new is named before the old is known to be safe under its other name.
        sync_names(before)?;
        sync_names(here)?;
    }
    for name in &swap.take {
        if exists(&from.join(name)) {
            fs::rename(from.join(name), here.join(name))?;
            step()?;
        } else if !exists(&here.join(name)) {
            return Err(invalid(format!("{} is missing", from.join(name).display())));
        }
    }
    sync_names(here)?;
    fs::remove_file(decision(dir))?;
    step()?;
    sync_names(here)?;
    remove(&from)?;
    step()?;
    Ok(before)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Removes a directory that may be missing.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The content that lies in a directory; other names (a lock, a leftover) stay behind.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if CONTENT.contains(&name.as_str()) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Forces everything in a directory to disk.
fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    sync_names(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_unix_us(1_790_000_000_123_456);

    fn fill(dir: &DataDir, age: &str, files: &[&str]) {
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{age} {file}")).unwrap();
        }
    }

    const OLD: [&str; 4] = ["format.json", "db/store.db", "blobs/a", "text/meta"];
    const NEW: [&str; 5] =
        ["format.json", "keyring.json", "db/store.db", "blobs/b", "restored-config.toml"];
    /// What belongs to the directory and not to one store in it.
    const OTHER: [&str; 3] = ["operator.json", "backups/one", "archive/00/log/one"];

    fn two() -> (tempfile::TempDir, DataDir) {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        fill(&dir, "old", &OLD);
        fill(&dir, "other", &OTHER);
        fill(&prepare(&dir).unwrap(), "new", &NEW);
        (directory, dir)
    }

    fn holds(at: &Path, age: &str, files: &[&str]) {
        for file in files {
            let text = fs::read_to_string(at.join(file)).unwrap_or_default();
            assert_eq!(text, format!("{age} {file}"), "in {}", at.display());
        }
    }

    fn assert_swapped(dir: &DataDir) {
        holds(dir.path(), "new", &NEW);
        holds(dir.path(), "other", &OTHER);
        let before = dir.path().join("before-restore-20260921T141320Z");
        holds(&before, "old", &OLD);
        assert!(!dir.text().exists() && !dir.blobs().join("a").exists());
        assert!(!incoming(dir).exists() && !decision(dir).exists());
        let entries = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(entries, NEW.len() + OTHER.len() + 1, "nothing else is left");
    }

    #[test]
    fn a_swap_that_is_stopped_after_any_step_is_finished_by_the_next_open() {
        let mut steps = 0;
        loop {
            let (_directory, dir) = two();
            decide(&dir, "restore", NOW).unwrap();
            let mut left = steps;
            let stopped = complete(&dir, &mut || {
                left -= 1;
                if left < 0 { Err(io::Error::other("stopped")) } else { Ok(()) }
            });
            // Twice, because an open may be cut short as well.
            let finished = finish(&dir).unwrap();
            assert_eq!(finish(&dir).unwrap(), None);
            assert_swapped(&dir);
            if stopped.is_ok() {
                assert_eq!(finished, None);
                break;
            }
            steps += 1;
        }
        assert!(steps >= 1 + OLD.len() as i32 + NEW.len() as i32, "only {steps} steps");
    }

    #[test]
    fn before_the_decision_everything_is_as_it_was() {
        let (_directory, dir) = two();
        assert_eq!(finish(&dir).unwrap(), None);
        holds(dir.path(), "old", &OLD);
        assert!(!incoming(&dir).exists());
    }

    #[test]
    fn content_can_come_where_nothing_was() {
        let directory = tempfile::tempdir().unwrap();
        let dir = DataDir::new(directory.path());
        fill(&prepare(&dir).unwrap(), "new", &NEW);
        assert_eq!(commit(&dir, "restore", NOW).unwrap(), None);
        holds(dir.path(), "new", &NEW);
    }

    #[test]
    fn two_swaps_in_one_second_keep_both_pasts() {
        let (_directory, dir) = two();
        let first = commit(&dir, "restore", NOW).unwrap().unwrap();
        fill(&prepare(&dir).unwrap(), "newer", &NEW);
        let second = commit(&dir, "restore", NOW).unwrap().unwrap();
        holds(&first, "old", &OLD);
        holds(&second, "new", &NEW);
        holds(dir.path(), "newer", &NEW);
    }

    #[test]
    fn a_damaged_decision_is_not_guessed_at() {
        let (_directory, dir) = two();
        fs::write(decision(&dir), "{").unwrap();
        assert_eq!(finish(&dir).unwrap_err().kind(), io::ErrorKind::InvalidData);
        holds(dir.path(), "old", &OLD);
    }
}
