//! The store's file below redb: every 4 KiB page is checksummed and, with a key, encrypted.
//!
//! redb verifies its own checksums only when it repairs; a page that rotted later would be served.
//! Here a page is verified whenever it is read from the file, so damage is an error, never an
//! answer. The file is a sequence of groups: one page of checksums (CRC-32 over page number and
//! stored bytes, 4 bytes each), then the 1024 pages they are of. Redb never overwrites a page of its last
//! durable state, except its header, so checksums may be written at the sync that makes their
//! pages durable, and what a power cut mixes up is not reachable.
//!
//! Page 0 is redb's header, which carries its own checksums and is rewritten in place in pieces of
//! 320 bytes; it has none here, and some of its fields are never encrypted.

use super::error::DbError;
use super::file::STORE;
use crate::engine::disk::{Disk, DiskFile};
use crate::engine::key::Xts;
use redb::StorageBackend;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Bytes of a page, redb's and ours.
pub(super) const PAGE_BYTES: usize = 4096;
/// Pages whose checksums fill one page.
const GROUP_PAGES: u64 = (PAGE_BYTES / 4) as u64;
/// XTS works on blocks of this many bytes.
const BLOCK_BYTES: u64 = 16;
/// Where redb's header is encrypted. Its start (magic number, flags, geometry) and the first block
/// of each of its two states (version and page number of the root) are not: redb looks at these
/// before it looks at the checksum of a state, so a cut inside a cipher block must not change more
/// of them than it would without a key. They hold no data.
const SECRET_HEADER: [(u64, u64); 2] = [(80, 192), (208, PAGE_BYTES as u64)];
/// Set aside so that a full disk does not stop deletes and a shutdown.
pub(super) const RESERVE: &str = "reserve";

/// What the pages' user may ask while redb owns them.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Redb was told of a failure and refuses everything from then on.
    failed: AtomicBool,
    /// The first failure.
    cause: Mutex<Option<Failure>>,
}

/// Why redb gave the file up.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    /// The file cannot grow; nothing was half-written.
    #[error("the disk is full")]
    Full,
    /// A page is not as it was written; all others are.
    #[error("{0}")]
    Damaged(String),
    /// Anything else: what is on the disk is unknown.
    #[error("the store file failed: {0}")]
    Other(String),
}

impl From<Failure> for DbError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Self::Full,
            Failure::Damaged(what) => Self::Damaged(what),
            Failure::Other(what) => Self::Poisoned(what),
        }
    }
}

impl Health {
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The first failure, once there is one.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.failed() {
            return None;
        }
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes this handle write nothing any more.
    pub(super) fn give_up(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// After a failure another handle may own the file. Redb does not notice every failure (it
    /// writes pages early, on a full cache, and goes on when that fails), and would write its
    /// state over the other's at the latest when it is closed.
    fn allows_writing(&self) -> io::Result<()> {
        if self.failed() { Err(io::Error::other("the file was given up")) } else { Ok(()) }
    }

    fn note<T>(
        &self,
        result: io::Result<T>,
        what: impl FnOnce(&io::Error) -> Failure,
    ) -> io::Result<T> {
        if let Err(error) = &result {
            let mut cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
            cause.get_or_insert_with(|| what(error));
            self.failed.store(true, Ordering::SeqCst);
        }
        result
    }
}

/// The backend that redb reads and writes.
pub(super) struct Pages {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    name: String,
    xts: Option<Xts>,
    /// Checksum of each page, 0 for one never written.
    sums: RwLock<Vec<u32>>,
    /// Groups whose checksums are not in the file yet.
    dirty: Mutex<BTreeSet<u64>>,
    health: Arc<Health>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Pages {
    /// Opens the file called `name`, or makes it.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        name: &str,
        xts: Option<Xts>,
    ) -> io::Result<(Self, Arc<Health>)> {
        let file = match disk.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(name)?,
            opened => opened?,
        };
        let stored_pages = file.size_bytes()? / PAGE_BYTES as u64;
        let pages = stored_pages - stored_pages.div_ceil(GROUP_PAGES + 1);
        let mut sums = vec![0; pages as usize];
        for (group, sums) in sums.chunks_mut(GROUP_PAGES as usize).enumerate() {
            let mut stored = [0; PAGE_BYTES];
            file.read_exact_at(&mut stored, group_offset(group as u64))?;
            for (sum, bytes) in sums.iter_mut().zip(stored.as_chunks::<4>().0) {
                *sum = u32::from_le_bytes(*bytes);
            }
        }
        let health = Arc::new(Health::default());
        let opened = Self {
            disk: Arc::clone(disk),
            file,
            name: name.to_owned(),
            xts,
            sums: RwLock::new(sums),
            dirty: Mutex::default(),
            health: Arc::clone(&health),
        };
        Ok((opened, health))
    }

    fn dirty(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn size_bytes(&self) -> u64 {
        let pages = self.sums.read().unwrap_or_else(PoisonError::into_inner).len();
        pages as u64 * PAGE_BYTES as u64
    }

    /// Reads whole pages of one group and verifies them.
    fn read_pages(&self, page: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, page_offset(page))?;
        let sums = self.sums.read().unwrap_or_else(PoisonError::into_inner);
        for (page, bytes) in (page..).zip(out.chunks(PAGE_BYTES)) {
            if page == 0 || sums.get(page as usize) == Some(&checksum(page, bytes)) {
                continue;
            }
            let what = format!("page {page} of {} is damaged", self.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        drop(sums);
        if let Some(xts) = &self.xts {
            xts.decrypt(page * PAGE_BYTES as u64, out);
        }
        Ok(())
    }

    /// Reads a part of page 0, which has no checksum.
    fn read_header(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset - offset % BLOCK_BYTES;
        let end = (offset + out.len() as u64).next_multiple_of(BLOCK_BYTES);
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_exact_at(&mut bytes, page_offset(0) + start)?;
        if let Some(xts) = &self.xts {
            secret_parts(&mut bytes, start, |at, part| xts.decrypt(at, part));
        }
        let from = (offset - start) as usize;
        out.copy_from_slice(&bytes[from..from + out.len()]);
        Ok(())
    }

    fn read_any(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 <= PAGE_BYTES as u64 {
            return self.read_header(offset, out);
        }
        self.whole_pages(offset, out.len())?;
        let mut page = offset / PAGE_BYTES as u64;
        let mut rest = out;
        while !rest.is_empty() {
            let run = run_bytes(page, rest.len());
            let (now, later) = rest.split_at_mut(run);
            self.read_pages(page, now)?;
            page += (run / PAGE_BYTES) as u64;
            rest = later;
        }
        Ok(())
    }

    fn write_any(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset + data.len() as u64 <= PAGE_BYTES as u64 {
            let mut bytes = data.to_vec();
            if let Some(xts) = &self.xts {
                if !offset.is_multiple_of(BLOCK_BYTES) || !data.len().is_multiple_of(16) {
                    return Err(unaligned(offset, data.len()));
                }
                secret_parts(&mut bytes, offset, |at, part| xts.encrypt(at, part));
            }
            return self.file.write_all_at(&bytes, page_offset(0) + offset);
        }
        self.whole_pages(offset, data.len())?;
        let first = offset / PAGE_BYTES as u64;
        let sealed;
        let stored = match &self.xts {
            None => data,
            Some(xts) => {
                let mut bytes = data.to_vec();
                xts.encrypt(offset, &mut bytes);
                sealed = bytes;
                &sealed
            }
        };
        let (mut page, mut rest) = (first, stored);
        while !rest.is_empty() {
            let run = run_bytes(page, rest.len());
            self.file.write_all_at(&rest[..run], page_offset(page))?;
            page += (run / PAGE_BYTES) as u64;
            rest = &rest[run..];
        }
        let mut sums = self.sums.write().unwrap_or_else(PoisonError::into_inner);
        for (page, bytes) in (first..).zip(stored.chunks(PAGE_BYTES)) {
            if let Some(sum) = sums.get_mut(page as usize) {
                *sum = checksum(page, bytes);
            }
        }
        drop(sums);
        self.dirty().extend(first / GROUP_PAGES..=(page - 1) / GROUP_PAGES);
        Ok(())
    }

    fn whole_pages(&self, offset: u64, bytes: usize) -> io::Result<()> {
        let whole = offset.is_multiple_of(PAGE_BYTES as u64) && bytes.is_multiple_of(PAGE_BYTES);
        let end = offset + bytes as u64;
        if !whole {
            Err(unaligned(offset, bytes))
        } else if end > self.size_bytes() {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "past the end of the store"))
        } else {
            Ok(())
        }
    }

    fn write_sums(&self) -> io::Result<()> {
        let groups = std::mem::take(&mut *self.dirty());
        let sums = self.sums.read().unwrap_or_else(PoisonError::into_inner);
        for group in groups {
            let first = (group * GROUP_PAGES) as usize;
            let Some(of_group) = sums.get(first..) else { continue };
            let mut page = [0; PAGE_BYTES];
            for (bytes, sum) in page.as_chunks_mut::<4>().0.iter_mut().zip(of_group) {
                *bytes = sum.to_le_bytes();
            }
            self.file.write_all_at(&page, group_offset(group))?;
        }
        Ok(())
    }

    fn resize(&self, size_bytes: u64) -> io::Result<()> {
        let pages = size_bytes.div_ceil(PAGE_BYTES as u64);
        let stored = (pages + pages.div_ceil(GROUP_PAGES)) * PAGE_BYTES as u64;
        let grown = match self.file.set_size(stored) {
            // The reserve is for this: a store that cannot grow could not even delete.
            Err(error)
                if is_full(&error) && self.name == STORE && self.disk.remove(RESERVE).is_ok() =>
            {
                tracing::warn!("the disk is full: the reserve is used to go on");
                self.file.set_size(stored)
            }
            other => other,
        };
        grown?;
        let mut sums = self.sums.write().unwrap_or_else(PoisonError::into_inner);
        let fewer = sums.len() > pages as usize;
        sums.resize(pages as usize, 0);
        drop(sums);
        if fewer {
            // Checksums of pages cut off must not be found when the file grows again.
            self.dirty().retain(|group| *group * GROUP_PAGES < pages);
            self.dirty().extend(pages.checked_sub(1).map(|last| last / GROUP_PAGES));
        }
        Ok(())
    }
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.size_bytes())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.health.note(self.read_any(offset, out), |error| {
            if error.kind() == io::ErrorKind::InvalidData {
                Failure::Damaged(error.to_string())
            } else {
                Failure::Other(error.to_string())
            }
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.health.allows_writing()?;
        self.health.note(self.resize(len), |error| {
            if is_full(error) { Failure::Full } else { Failure::Other(error.to_string()) }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.health.allows_writing()?;
        self.health.note(self.write_sums().and_then(|()| self.file.sync()), other)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.health.allows_writing()?;
        // A page outside the durable state may be half-written; the log has what it should hold.
        self.health.note(self.write_any(offset, data), |error| {
            if is_full(error) { Failure::Full } else { other(error) }
        })
    }
}

fn other(error: &io::Error) -> Failure {
    Failure::Other(error.to_string())
}

/// Whether the error means that there is no space.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn unaligned(offset: u64, bytes: usize) -> io::Error {
    let what = format!("{bytes} bytes at {offset} are no whole pages");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Visits the parts of a piece of page 0 that are encrypted, with the offset of each.
fn secret_parts(bytes: &mut [u8], offset: u64, mut visit: impl FnMut(u64, &mut [u8])) {
    let end = offset + bytes.len() as u64;
    for (from, to) in SECRET_HEADER {
        let (from, to) = (from.max(offset), to.min(end));
        if from < to {
            visit(from, &mut bytes[(from - offset) as usize..(to - offset) as usize]);
        }
    }
}

/// Where a page lies in the file.
fn page_offset(page: u64) -> u64 {
    (page + page / GROUP_PAGES + 1) * PAGE_BYTES as u64
}

/// Where the checksums of a group lie.
fn group_offset(group: u64) -> u64 {
    group * (GROUP_PAGES + 1) * PAGE_BYTES as u64
}

/// Bytes from `page` on that lie together in the file.
fn run_bytes(page: u64, bytes: usize) -> usize {
    let left = (GROUP_PAGES - page % GROUP_PAGES) as usize * PAGE_BYTES;
    bytes.min(left)
}

/// Never 0, which says "not written". The page's number is part of it: a page at the wrong place
/// is damage too.
fn checksum(page: u64, stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(stored);
    hasher.update(&page.to_le_bytes());
    hasher.finalize().max(1)
}
