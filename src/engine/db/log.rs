//! The write-ahead log, which is the change log too: every commit as one record, on disk before
//! anybody is told "done".
//!
//! **Segments.** `log-<number>` files of a fixed size whose bytes were written once before, so that
//! a sync has only data to write and no file length. A segment that nobody needs becomes the next
//! one; its new salt makes the old records in it unreadable.
//!
//! **Records.** A head (magic, length, sequence, time, CRC-32 over these and the salt), then the
//! changes, sealed with the head as associated data. Sequences have no gaps.
//!
//! **The end.** A record that does not verify ends a segment: a crash tore it, and nobody was told.
//! When a later record of the same segment is whole, or the next segment does not go on with the
//! next sequence, it was damage, and opening says so.

use super::error::DbError;
use super::pages::RESERVE;
use super::record::{self, Record};
use crate::base::Time;
use crate::engine::disk::{Disk, DiskFile};
use crate::engine::key::{RecordSeal, Seal};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PREFIX: &str = "log-";
const SEGMENT_MAGIC: [u8; 8] = *b"FMLOG\0\x02\n";
const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"FMR2");
const SEGMENT_HEAD_BYTES: usize = 48;
const RECORD_HEAD_BYTES: usize = 32;
/// Records start at multiples of this, so that a search for them is short.
const ALIGN_BYTES: u64 = 8;
/// Segments kept for reuse.
const SPARES_MAX: usize = 8;
/// A reader starts at most this many bytes before the record it wants.
const MARK_EVERY_BYTES: u64 = 64 << 10;
/// Zeros are written in pieces of this size.
const FILL_BYTES: usize = 1 << 20;

/// How large the log may be.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// Bytes of one segment; a larger record has a segment of its own.
    pub segment_bytes: u64,
    /// Bytes of all segments together: a store whose log cannot be shortened refuses writes.
    pub bytes_max: u64,
    /// Logged bytes after which the store file is brought up to date.
    pub checkpoint_bytes: u64,
    /// Milliseconds after which it is, when there were writes.
    pub checkpoint_ms: u64,
}

impl Default for LogLimits {
    /// Segments of 4 MiB (allocated in a few milliseconds), 256 MiB together, a checkpoint every
    /// 8 MiB or half a second: what a start after a crash has to do again.
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            bytes_max: 256 << 20,
            checkpoint_bytes: 8 << 20,
            checkpoint_ms: 500,
        }
    }
}

/// Who holds the log, and whether the store waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// At the size limit writes are refused: the archive must have every record.
    Firm,
    /// At the size limit the holder is forgotten and finds [`DbError::LogGone`].
    Soft,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<dyn DiskFile>,
    seal: Arc<RecordSeal>,
    salt: [u8; 16],
    size_bytes: u64,
    /// Made by this process: its end is known, and no sequence of it was sealed before.
    writable: bool,
    /// First and last sequence in it, when there is any.
    span: Option<(u64, u64)>,
    /// End of the last record.
    end: u64,
    /// (sequence, offset) of some records.
    marks: Vec<(u64, u64)>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// In order of their numbers; the last one is written to.
    segments: VecDeque<Segment>,
    /// Names of files for reuse, with their sizes.
    spares: Vec<(String, u64)>,
    holders: BTreeMap<String, (u64, Hold)>,
    next_number: u64,
}

/// The log of an open store. The writer appends; anybody reads.
#[derive(Debug)]
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    seal: Seal,
    limits: LogLimits,
    shelf: Mutex<Shelf>,
    /// Last sequence that the store file holds durably.
    applied: AtomicU64,
}

impl Log {
    /// Finds the segments on disk and visits every record after `applied`, in order; answers the
    /// log, which goes on in a new segment, and the last sequence and time.
    ///
    /// # Errors
    /// [`DbError::Damaged`] when an acknowledged record is missing, or what `visit` answers.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        seal: Seal,
        limits: LogLimits,
        applied: u64,
        mut visit: impl FnMut(u64, Time, &[u8]) -> Result<(), DbError>,
    ) -> Result<(Self, u64, Time), DbError> {
        let mut shelf = Shelf::default();
        let (mut last, mut time) = (applied, Time::default());
        for name in disk.names().map_err(DbError::io)? {
            let Some(number) = name.strip_prefix(PREFIX).and_then(|n| n.parse().ok()) else {
                continue;
            };
            shelf.next_number = shelf.next_number.max(number + 1);
            let file = disk.open(&name).map_err(DbError::io)?;
            let size_bytes = file.size_bytes().map_err(DbError::io)?;
            let Some(mut segment) = Segment::read(number, Arc::clone(&file), size_bytes, &seal)?
            else {
                // Made but not used before a crash, or all of it is in the store file: what it may
                // still hold of earlier use is. Anything newer was acknowledged.
                if newest_in(&*file, size_bytes)? > applied {
                    return Err(DbError::Damaged(format!("the head of {name} is damaged")));
                }
                shelf.spares.push((name, size_bytes));
                continue;
            };
            segment.scan(applied, |sequence, at, body| {
                if sequence > last + 1 {
                    return Err(DbError::Damaged(format!(
                        "the log goes from change {last} to change {sequence}: \
                         {name} or a segment before it is damaged"
                    )));
                }
                time = time.max(at);
                if sequence == last + 1 {
                    visit(sequence, at, body)?;
                    last = sequence;
                }
                Ok(())
            })?;
            match segment.span {
                Some(_) => {
                    // Nothing is added to it any more. What it does not need counts towards the
                    // limit of the log, and each start makes a segment.
                    if segment.end < size_bytes && file.set_size(segment.end).is_ok() {
                        segment.size_bytes = segment.end;
                    }
                    shelf.segments.push_back(segment);
                }
                None => shelf.spares.push((name, size_bytes)),
            }
        }
        let log =
            Self { disk, seal, limits, shelf: Mutex::new(shelf), applied: AtomicU64::new(applied) };
        Ok((log, last, time))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one record and syncs it.
    ///
    /// # Errors
    /// [`DbError::Full`] or [`DbError::LogFull`] before anything was written, when there is no
    /// room; otherwise the log is in doubt.
    pub(super) fn append(
        &self,
        sequence: u64,
        time: Time,
        body: &mut Vec<u8>,
    ) -> Result<(), DbError> {
        let room = RECORD_HEAD_BYTES + body.len() + RecordSeal::TAG_BYTES;
        let room = u32::try_from(room).map_err(|_| record::too_large())?;
        let (file, seal, salt, offset) = {
            let mut shelf = self.shelf();
            let fits = |s: &Segment| s.writable && s.end + u64::from(room) <= s.size_bytes;
            if !shelf.segments.back().is_some_and(fits) {
                self.start_segment(&mut shelf, u64::from(room))?;
            }
            let Some(segment) = shelf.segments.back() else { return Err(DbError::Closed) };
            (Arc::clone(&segment.file), Arc::clone(&segment.seal), segment.salt, segment.end)
        };
        let head = record_head(&salt, room, sequence, time);
        seal.seal(sequence, &head, body);
        body.splice(0..0, head);
        file.write_all_at(body, offset).map_err(DbError::io)?;
        file.sync().map_err(DbError::io)?;
        // Only this writer adds segments, and the last one is never taken away.
        if let Some(segment) = self.shelf().segments.back_mut() {
            segment.took(sequence, offset, u64::from(room));
        }
        Ok(())
    }

    /// Makes the next segment from one that nobody needs, or a new file.
    fn start_segment(&self, shelf: &mut Shelf, room: u64) -> Result<(), DbError> {
        self.recycle(shelf)?;
        let size_bytes = self.limits.segment_bytes.max(SEGMENT_HEAD_BYTES as u64 + room);
        let held: u64 = shelf.segments.iter().map(|s| s.size_bytes).sum();
        if held + size_bytes > self.limits.bytes_max {
            shelf.holders.retain(|_, (_, hold)| *hold == Hold::Firm);
            self.recycle(shelf)?;
            let held: u64 = shelf.segments.iter().map(|s| s.size_bytes).sum();
            if held + size_bytes > self.limits.bytes_max.max(2 * size_bytes) {
                return Err(DbError::LogFull);
            }
        }
        let number = shelf.next_number;
        let name = format!("{PREFIX}{number:010}");
        let spare = shelf.spares.iter().position(|(_, size)| *size >= size_bytes);
        let made = match spare.map(|at| shelf.spares.swap_remove(at)) {
            Some((spare, size)) => {
                self.disk.rename(&spare, &name).map_err(DbError::full_or_io)?;
                let file = self.disk.open(&name).map_err(DbError::full_or_io)?;
                (file, size)
            }
            None => (self.fill_or_use_reserve(&name, size_bytes)?, size_bytes),
        };
        let (file, size_bytes) = made;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|e| DbError::io(io::Error::other(e)))?;
        let head = segment_head(number, &salt);
        let write = || {
            file.write_all_at(&head, 0)?;
            file.sync()?;
            self.disk.sync_names()
        };
        write().map_err(DbError::full_or_io)?;
        shelf.next_number = number + 1;
        shelf.segments.push_back(Segment {
            number,
            file,
            seal: Arc::new(self.seal.records(salt)),
            salt,
            size_bytes,
            writable: true,
            span: None,
            end: SEGMENT_HEAD_BYTES as u64,
            marks: Vec::new(),
        });
        Ok(())
    }

    /// A new file; on a full disk in the place of the reserve, which is there for this: without a
    /// log not even a delete could be written.
    fn fill_or_use_reserve(
        &self,
        name: &str,
        size_bytes: u64,
    ) -> Result<Arc<dyn DiskFile>, DbError> {
        match self.fill(name, size_bytes) {
            Err(DbError::Full) if self.disk.remove(RESERVE).is_ok() => {
                tracing::warn!("the disk is full: the reserve is used to go on");
                self.fill(name, size_bytes)
            }
            made => made,
        }
    }

    /// A new file whose every byte is written; nothing is left when the disk is full.
    fn fill(&self, name: &str, size_bytes: u64) -> Result<Arc<dyn DiskFile>, DbError> {
        let write = || {
            let file = self.disk.create(name)?;
            file.set_size(size_bytes)?;
            let zeros = vec![0; FILL_BYTES.min(size_bytes as usize)];
            let mut at = 0;
            while at < size_bytes {
                let piece = (zeros.len() as u64).min(size_bytes - at);
                file.write_all_at(&zeros[..piece as usize], at)?;
                at += piece;
            }
            Ok(file)
        };
        write().map_err(|error| {
            // What is half made is of no use; if it cannot go either, the next start reuses it.
            let _ = self.disk.remove(name);
            DbError::full_or_io(error)
        })
    }

    /// Takes segments whose records are all in the store file and held by nobody.
    fn recycle(&self, shelf: &mut Shelf) -> Result<(), DbError> {
        let held = shelf.holders.values().map(|(after, _)| *after).min().unwrap_or(u64::MAX);
        let needed_after = self.applied.load(Ordering::SeqCst).min(held);
        while shelf.segments.len() > 1
            && let Some(segment) = shelf.segments.front()
            && segment.span.is_none_or(|(_, last)| last <= needed_after)
        {
            let (name, size) = (format!("{PREFIX}{:010}", segment.number), segment.size_bytes);
            shelf.segments.pop_front();
            if shelf.spares.len() < SPARES_MAX && size == self.limits.segment_bytes {
                shelf.spares.push((name, size));
            } else {
                self.disk.remove(&name).map_err(DbError::io)?;
            }
        }
        Ok(())
    }

    /// Says that the store file holds everything up to `sequence` durably.
    pub(super) fn applied(&self, sequence: u64) -> Result<(), DbError> {
        self.applied.store(sequence, Ordering::SeqCst);
        self.recycle(&mut self.shelf())
    }

    /// Last sequence that the store file holds durably.
    pub(super) fn applied_sequence(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    /// Keeps records after `after` for `holder`.
    pub(super) fn keep(&self, holder: &str, after: u64, hold: Hold) {
        self.shelf().holders.insert(holder.to_owned(), (after, hold));
    }

    /// Keeps nothing for `holder` any more.
    pub(super) fn forget(&self, holder: &str) {
        self.shelf().holders.remove(holder);
    }

    /// Bytes of all segment files.
    pub(super) fn size_bytes(&self) -> u64 {
        let shelf = self.shelf();
        let segments = shelf.segments.iter().map(|s| s.size_bytes);
        segments.chain(shelf.spares.iter().map(|(_, size)| *size)).sum()
    }

    /// Visits the records after `after` and up to `until`, until the visitor has enough.
    ///
    /// # Errors
    /// [`DbError::LogGone`] when the first of them is not in the log any more, or
    /// [`DbError::Damaged`].
    pub(super) fn read(
        &self,
        after: u64,
        until: u64,
        mut visit: impl FnMut(Record) -> Result<bool, DbError>,
    ) -> Result<(), DbError> {
        let mut next = after + 1;
        while next <= until {
            let (file, seal, salt, from, end) = {
                let shelf = self.shelf();
                let holds = |s: &&Segment| s.span.is_some_and(|(_, last)| last >= next);
                let gone = || DbError::LogGone {
                    oldest: shelf.segments.iter().find_map(|s| s.span).map_or(until + 1, |s| s.0),
                };
                let segment = shelf.segments.iter().find(holds).ok_or_else(gone)?;
                if segment.span.is_none_or(|(first, _)| first > next) {
                    return Err(gone());
                }
                let at = segment.marks.partition_point(|(sequence, _)| *sequence <= next);
                let from =
                    at.checked_sub(1).map_or(SEGMENT_HEAD_BYTES as u64, |at| segment.marks[at].1);
                let (file, seal) = (Arc::clone(&segment.file), Arc::clone(&segment.seal));
                (file, seal, segment.salt, from, segment.end)
            };
            let mut offset = from;
            while offset < end && next <= until {
                // A segment is not reused before its holders and the checkpoint passed it; one that
                // nobody holds may be, under a slow reader: then the salt does not fit.
                let Some(found) = read_record(&*file, &seal, &salt, offset, end)? else {
                    return Err(DbError::LogGone { oldest: next + 1 });
                };
                if found.sequence >= next {
                    next = found.sequence + 1;
                    if !visit(Record::from_body(found.sequence, found.time, &found.body)?)? {
                        return Ok(());
                    }
                }
                offset = found.next;
            }
        }
        Ok(())
    }
}

impl Segment {
    /// Reads the head; none when there is no whole one.
    fn read(
        number: u64,
        file: Arc<dyn DiskFile>,
        size_bytes: u64,
        seal: &Seal,
    ) -> Result<Option<Self>, DbError> {
        if size_bytes < SEGMENT_HEAD_BYTES as u64 {
            return Ok(None);
        }
        let mut head = [0; SEGMENT_HEAD_BYTES];
        file.read_exact_at(&mut head, 0).map_err(DbError::io)?;
        let mut salt = [0; 16];
        salt.copy_from_slice(&head[16..32]);
        if head != segment_head(number, &salt) {
            return Ok(None);
        }
        Ok(Some(Self {
            number,
            file,
            seal: Arc::new(seal.records(salt)),
            salt,
            size_bytes,
            writable: false,
            span: None,
            end: SEGMENT_HEAD_BYTES as u64,
            marks: Vec::new(),
        }))
    }

    fn took(&mut self, sequence: u64, offset: u64, room: u64) {
        let first = self.span.map_or(sequence, |(first, _)| first);
        self.span = Some((first, sequence));
        if self.marks.last().is_none_or(|(_, marked)| offset >= marked + MARK_EVERY_BYTES) {
            self.marks.push((sequence, offset));
        }
        self.end = offset + room.next_multiple_of(ALIGN_BYTES);
    }

    /// Visits every whole record from the start. Damage to what the store file holds (up to
    /// `applied`) is passed over: the segment then begins after it, a reader of the log will find a
    /// gap, and the store has none.
    fn scan(
        &mut self,
        applied: u64,
        mut visit: impl FnMut(u64, Time, &[u8]) -> Result<(), DbError>,
    ) -> Result<(), DbError> {
        loop {
            let offset = self.end;
            let found = read_record(&*self.file, &self.seal, &self.salt, offset, self.size_bytes)?;
            if let Some(found) = found {
                visit(found.sequence, found.time, &found.body)?;
                self.took(found.sequence, offset, found.next - offset);
                continue;
            }
            match self.whole_record_after(offset)? {
                None => return Ok(()),
                Some((_, sequence)) if sequence > applied + 1 => {
                    return Err(DbError::Damaged(format!(
                        "a change before change {sequence} in {PREFIX}{:010} is damaged",
                        self.number
                    )));
                }
                Some((next, _)) => {
                    (self.span, self.end) = (None, next);
                    self.marks.clear();
                }
            }
        }
    }

    /// Offset and sequence of a whole record behind one that is not: damage, not a crash.
    fn whole_record_after(&self, end: u64) -> Result<Option<(u64, u64)>, DbError> {
        // Where the last record fills a segment, what aligns the next one lies behind its end.
        if end >= self.size_bytes {
            return Ok(None);
        }
        let mut rest = vec![0; (self.size_bytes - end) as usize];
        self.file.read_exact_at(&mut rest, end).map_err(DbError::io)?;
        let magic = RECORD_MAGIC.to_le_bytes();
        for at in (ALIGN_BYTES..).step_by(ALIGN_BYTES as usize) {
            let Some(start) = rest.get(at as usize..) else { return Ok(None) };
            if start.starts_with(&magic)
                && let Some(found) =
                    read_record(&*self.file, &self.seal, &self.salt, end + at, self.size_bytes)?
            {
                return Ok(Some((end + at, found.sequence)));
            }
        }
        Ok(None)
    }
}

/// The highest sequence that the records of a file without a whole head name; 0 without any. They
/// cannot be verified, because the salt was in the head.
fn newest_in(file: &dyn DiskFile, size_bytes: u64) -> Result<u64, DbError> {
    let (mut offset, mut newest) = (SEGMENT_HEAD_BYTES as u64, 0);
    while offset + RECORD_HEAD_BYTES as u64 <= size_bytes {
        let mut head = [0; RECORD_HEAD_BYTES];
        file.read_exact_at(&mut head, offset).map_err(DbError::io)?;
        let room = word(&head, 0) >> 32;
        if !head.starts_with(&RECORD_MAGIC.to_le_bytes()) || offset + room > size_bytes {
            break;
        }
        newest = newest.max(word(&head, 8));
        offset += room.next_multiple_of(ALIGN_BYTES).max(RECORD_HEAD_BYTES as u64);
    }
    Ok(newest)
}

fn word(head: &[u8; RECORD_HEAD_BYTES], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&head[at..at + 8]);
    u64::from_le_bytes(bytes)
}

struct Found {
    sequence: u64,
    time: Time,
    body: Vec<u8>,
    next: u64,
}

/// The record at `offset`; none when there is no whole one.
fn read_record(
    file: &dyn DiskFile,
    seal: &RecordSeal,
    salt: &[u8; 16],
    offset: u64,
    end: u64,
) -> Result<Option<Found>, DbError> {
    let least = (RECORD_HEAD_BYTES + RecordSeal::TAG_BYTES) as u64;
    if offset + least > end {
        return Ok(None);
    }
    let mut head = [0; RECORD_HEAD_BYTES];
    file.read_exact_at(&mut head, offset).map_err(DbError::io)?;
    let (room, sequence) = ((word(&head, 0) >> 32) as u32, word(&head, 8));
    let time = Time::from_unix_us(word(&head, 16) as i64);
    if head != record_head(salt, room, sequence, time) {
        return Ok(None);
    }
    let room = u64::from(room);
    if room < least || offset + room > end {
        return Ok(None);
    }
    let mut body = vec![0; room as usize - RECORD_HEAD_BYTES];
    let at = offset + RECORD_HEAD_BYTES as u64;
    file.read_exact_at(&mut body, at).map_err(DbError::io)?;
    let Ok(opened) = seal.open(sequence, &head, &mut body) else { return Ok(None) };
    let length = opened.len();
    body.truncate(length);
    Ok(Some(Found { sequence, time, body, next: offset + room.next_multiple_of(ALIGN_BYTES) }))
}

fn segment_head(number: u64, salt: &[u8; 16]) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    head[..8].copy_from_slice(&SEGMENT_MAGIC);
    head[8..16].copy_from_slice(&number.to_le_bytes());
    head[16..32].copy_from_slice(salt);
    let sum = crc32fast::hash(&head[..32]);
    head[32..36].copy_from_slice(&sum.to_le_bytes());
    head
}

/// `room` counts head, sealed changes and tag, without what aligns the next record.
fn record_head(salt: &[u8; 16], room: u32, sequence: u64, time: Time) -> [u8; RECORD_HEAD_BYTES] {
    let mut head = [0; RECORD_HEAD_BYTES];
    head[..4].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
    head[4..8].copy_from_slice(&room.to_le_bytes());
    head[8..16].copy_from_slice(&sequence.to_le_bytes());
    head[16..24].copy_from_slice(&time.unix_us().to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(salt);
    hasher.update(&head[..24]);
    head[24..28].copy_from_slice(&hasher.finalize().to_le_bytes());
    head
}
