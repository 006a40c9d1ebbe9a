//! A disk for drills: it remembers what is durable and what is not, and fails when told to.
//!
//! A [`SimDisk`] works like any other and keeps a [`Recording`] of what was done to it. Afterwards
//! every moment at which the power could have gone can be visited, and for each of them the images
//! that a disk might show on the next start: what was not synced may be missing, out of order,
//! torn, or without the length of its file. Nothing but the two syncs orders anything, as POSIX has
//! it: a rename may survive the write before it, and a file may be durable without its name.

use super::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a sector is to a disk that tears writes.
const SECTOR_BYTES: u64 = 512;
/// `EIO` and `ENOSPC` of Linux.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The files of a disk: content by name.
pub(crate) type Image = BTreeMap<String, Arc<Vec<u8>>>;

/// Pseudo-random numbers (splitmix64): the same seed, the same crash.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}

type FileId = u64;

/// The smallest thing that a crash keeps or loses.
#[derive(Debug, Clone)]
enum Atom {
    Data { file: FileId, offset: u64, bytes: Arc<[u8]> },
    Length { file: FileId, size: u64 },
    Link { name: String, file: FileId },
    Rename { from: String, to: String, file: FileId },
    Unlink { name: String },
}

impl Atom {
    /// The file whose sync makes it durable; names belong to none.
    fn file(&self) -> Option<FileId> {
        match self {
            Self::Data { file, .. } | Self::Length { file, .. } => Some(*file),
            Self::Link { .. } | Self::Rename { .. } | Self::Unlink { .. } => None,
        }
    }
}

/// Something that happened to the disk.
#[derive(Debug, Clone)]
enum Event {
    Change(Atom),
    Sync(Option<FileId>),
    /// A sync that failed: some of it is durable, the rest never will be.
    FailedSync(Option<FileId>, u64),
    Note(u64),
}

/// Files by identity and the names that lead to them.
#[derive(Debug, Clone, Default)]
struct Tree {
    files: BTreeMap<FileId, Arc<Vec<u8>>>,
    names: BTreeMap<String, FileId>,
}

impl Tree {
    fn of(image: &Image) -> Self {
        let numbered = || (0..).zip(image);
        Self {
            files: numbered().map(|(id, (_, content))| (id, Arc::clone(content))).collect(),
            names: numbered().map(|(id, (name, _))| (name.clone(), id)).collect(),
        }
    }

    fn image(&self) -> Image {
        let named = self.names.iter().map(|(name, id)| {
            (name.clone(), self.files.get(id).map(Arc::clone).unwrap_or_default())
        });
        named.collect()
    }

    /// Applies a change. Bytes past the end of the file are lost: its length did not survive.
    fn apply(&mut self, atom: &Atom) {
        match atom {
            Atom::Data { file, offset, bytes } => {
                let content = Arc::make_mut(self.files.entry(*file).or_default());
                let from = usize::try_from(*offset).unwrap().min(content.len());
                let end = (from + bytes.len()).min(content.len());
                content[from..end].copy_from_slice(&bytes[..end - from]);
            }
            Atom::Length { file, size } => {
                let content = Arc::make_mut(self.files.entry(*file).or_default());
                content.resize(usize::try_from(*size).unwrap(), 0);
            }
            Atom::Link { name, file } => {
                self.files.entry(*file).or_default();
                self.names.insert(name.clone(), *file);
            }
            Atom::Rename { from, to, file } => {
                // It moves this file, whatever has its old name after a crash.
                if self.names.get(from) == Some(file) {
                    self.names.remove(from);
                }
                self.files.entry(*file).or_default();
                self.names.insert(to.clone(), *file);
            }
            Atom::Unlink { name } => {
                self.names.remove(name);
            }
        }
    }
}

/// What a crash does to changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All are gone.
    All,
    /// None is gone: the process died, the machine did not.
    None,
    /// Those after some moment are gone.
    Tail,
    /// Any may be gone, in any order; so many of 8 stay.
    Some(u64),
    /// As `Some`, and of a write that stays, any sector may be gone.
    Sectors,
    /// As `Tail`, and the last write is cut at any byte.
    Cut,
    /// Content stays, but files may not have grown or shrunk; names may be gone.
    Lengths,
}

/// Every kind of loss once.
pub(crate) const LOSSES: [Loss; 9] = [
    Loss::All,
    Loss::None,
    Loss::Tail,
    Loss::Some(1),
    Loss::Some(4),
    Loss::Some(7),
    Loss::Sectors,
    Loss::Cut,
    Loss::Lengths,
];

/// What lies on the disk for good, and what does not yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Platter {
    durable: Tree,
    pending: Vec<Atom>,
}

impl Platter {
    fn of(image: &Image) -> Self {
        Self { durable: Tree::of(image), pending: Vec::new() }
    }

    /// Changes that a crash may lose.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Change(atom) => self.pending.push(atom.clone()),
            Event::Sync(file) => {
                for atom in self.take(*file) {
                    self.durable.apply(&atom);
                }
            }
            Event::FailedSync(file, seed) => {
                let mut dice = Dice::new(*seed);
                let taken = self.take(*file);
                let kept = survivors(&taken, Loss::Sectors, &mut dice);
                kept.iter().for_each(|atom| self.durable.apply(atom));
            }
            Event::Note(_) => {}
        }
    }

    fn take(&mut self, file: Option<FileId>) -> Vec<Atom> {
        let all = std::mem::take(&mut self.pending);
        let (taken, left) = all.into_iter().partition(|atom| atom.file() == file);
        self.pending = left;
        taken
    }

    /// The files as the next start finds them.
    pub(crate) fn image(&self, loss: Loss, seed: u64) -> Image {
        let mut tree = self.durable.clone();
        for atom in survivors(&self.pending, loss, &mut Dice::new(seed)) {
            tree.apply(&atom);
        }
        tree.image()
    }
}

/// The parts of unsynced changes that a crash leaves.
fn survivors(pending: &[Atom], loss: Loss, dice: &mut Dice) -> Vec<Atom> {
    let cut_at = usize::try_from(dice.below(pending.len() as u64 + 1)).unwrap();
    let mut kept = Vec::new();
    for (at, atom) in pending.iter().enumerate() {
        match loss {
            Loss::All => {}
            Loss::None => kept.push(atom.clone()),
            Loss::Tail | Loss::Cut if at < cut_at => kept.push(atom.clone()),
            Loss::Tail => {}
            Loss::Cut => {
                if at == cut_at
                    && let Atom::Data { file, offset, bytes } = atom
                {
                    let left = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
                    let bytes = bytes[..left].into();
                    kept.push(Atom::Data { file: *file, offset: *offset, bytes });
                }
            }
            Loss::Some(of_8) => {
                if dice.below(8) < of_8 {
                    kept.push(atom.clone());
                }
            }
            Loss::Sectors => match atom {
                Atom::Data { file, offset, bytes } => {
                    kept.extend(torn(*file, *offset, bytes, dice));
                }
                other => kept.extend(dice.coin().then(|| other.clone())),
            },
            Loss::Lengths => match atom {
                Atom::Data { .. } => kept.push(atom.clone()),
                other => kept.extend(dice.coin().then(|| other.clone())),
            },
        }
    }
    kept
}

/// The sectors of one write that reached the disk: all, none, or each by the toss of a coin.
fn torn(file: FileId, offset: u64, bytes: &[u8], dice: &mut Dice) -> Vec<Atom> {
    let fate = dice.below(4);
    let mut kept = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let at = offset + from as u64;
        let room = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap();
        let end = (from + room).min(bytes.len());
        if fate == 0 || (fate > 1 && dice.coin()) {
            kept.push(Atom::Data { file, offset: at, bytes: bytes[from..end].into() });
        }
        from = end;
    }
    kept
}

/// Everything that was done to a disk, from its first content on.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    start: Image,
    events: Vec<Event>,
}

/// A moment at which the power goes.
pub(crate) struct Moment<'r> {
    /// Position in the recording, for a report.
    pub(crate) event: usize,
    /// What lies on the disk.
    pub(crate) platter: &'r Platter,
    /// Notes taken so far.
    pub(crate) notes: &'r [u64],
}

impl Recording {
    /// Visits the moments just before and just after every sync, and the last one.
    pub(crate) fn visit(&self, mut visitor: impl FnMut(&Moment<'_>)) {
        let mut platter = Platter::of(&self.start);
        let mut notes = Vec::new();
        let mut show = |event, platter: &Platter, notes: &[u64]| {
            visitor(&Moment { event, platter, notes });
        };
        for (at, event) in self.events.iter().enumerate() {
            if let Event::Note(note) = event {
                notes.push(*note);
            }
            let sync = matches!(event, Event::Sync(_) | Event::FailedSync(..));
            if sync {
                show(at, &platter, &notes);
            }
            platter.apply(event);
            if sync {
                show(at, &platter, &notes);
            }
        }
        show(self.events.len(), &platter, &notes);
    }

    /// What lies on the disk at the end.
    pub(crate) fn end(&self) -> Platter {
        let mut platter = Platter::of(&self.start);
        self.events.iter().for_each(|event| platter.apply(event));
        platter
    }

    /// All notes.
    pub(crate) fn notes(&self) -> Vec<u64> {
        let notes = self.events.iter().filter_map(|event| match event {
            Event::Note(note) => Some(*note),
            _ => None,
        });
        notes.collect()
    }

    /// Syncs in it.
    pub(crate) fn syncs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Sync(_))).count()
    }
}

/// A way in which an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Any operation: `EIO`, and nothing is done.
    Broken,
    /// A creation, a write or a growth: `ENOSPC`, and nothing is done.
    Full,
    /// A write: a part of it is done.
    Short,
    /// A sync: `EIO`, and what was not durable may never be.
    Unsynced,
}

/// Every way to fail.
pub(crate) const FAULT_KINDS: [FaultKind; 4] =
    [FaultKind::Broken, FaultKind::Full, FaultKind::Short, FaultKind::Unsynced];

/// What a caller asks of the disk, as far as a fault cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Look,
    Rename,
    Grow,
    Write,
    Sync,
}

impl FaultKind {
    fn hits(self, asked: Asked) -> bool {
        match self {
            Self::Broken => true,
            Self::Full => matches!(asked, Asked::Grow | Asked::Write),
            Self::Short => asked == Asked::Write,
            Self::Unsynced => asked == Asked::Sync,
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Broken | Self::Unsynced => io::Error::from_raw_os_error(EIO),
            Self::Full => io::Error::from_raw_os_error(ENOSPC),
            Self::Short => io::Error::new(io::ErrorKind::WriteZero, "a part was written"),
        }
    }
}

/// An order to fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// How.
    pub(crate) kind: FaultKind,
    /// Which of the operations from now on to which the kind applies, from 0.
    pub(crate) at: u64,
    /// Whether all that follow fail too, until [`SimDisk::heal`].
    pub(crate) lasting: bool,
}

#[derive(Debug)]
struct State {
    now: Tree,
    next_file: FileId,
    recording: Recording,
    fault: Option<Fault>,
    dice: Dice,
    /// Operations so far to which each of [`FAULT_KINDS`] applies.
    counts: [u64; FAULT_KINDS.len()],
    failed: u64,
}

impl State {
    fn change(&mut self, atom: Atom) {
        self.now.apply(&atom);
        self.recording.events.push(Event::Change(atom));
    }

    /// Counts an operation and says how it is to fail, if it is.
    fn ask(&mut self, asked: Asked) -> Option<FaultKind> {
        for (kind, count) in FAULT_KINDS.iter().zip(&mut self.counts) {
            *count += u64::from(kind.hits(asked));
        }
        let fault = self.fault.as_mut().filter(|fault| fault.kind.hits(asked))?;
        if fault.at > 0 {
            fault.at -= 1;
            return None;
        }
        let kind = fault.kind;
        if !fault.lasting {
            self.fault = None;
        }
        self.failed += 1;
        Some(kind)
    }

    /// As [`State::ask`] for operations that fail without effect.
    fn allow(&mut self, asked: Asked) -> io::Result<()> {
        self.ask(asked).map_or(Ok(()), |kind| Err(kind.error()))
    }

    fn sync(&mut self, file: Option<FileId>) -> io::Result<()> {
        match self.ask(Asked::Sync) {
            None => self.recording.events.push(Event::Sync(file)),
            Some(FaultKind::Unsynced) => {
                let seed = self.dice.next();
                self.recording.events.push(Event::FailedSync(file, seed));
                return Err(FaultKind::Unsynced.error());
            }
            Some(kind) => return Err(kind.error()),
        }
        Ok(())
    }

    fn size(&self, file: FileId) -> u64 {
        self.now.files.get(&file).map_or(0, |content| content.len() as u64)
    }

    fn write(&mut self, file: FileId, bytes: &[u8], offset: u64) {
        let end = offset + bytes.len() as u64;
        if end > self.size(file) {
            self.change(Atom::Length { file, size: end });
        }
        self.change(Atom::Data { file, offset, bytes: bytes.into() });
    }

    fn named(&self, name: &str) -> io::Result<FileId> {
        self.now.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A simulated disk; clones show the same files.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self::of(&Image::new())
    }

    /// A disk on which these files are durable.
    pub(crate) fn of(image: &Image) -> Self {
        let state = State {
            now: Tree::of(image),
            next_file: image.len() as u64,
            recording: Recording { start: image.clone(), events: Vec::new() },
            fault: None,
            dice: Dice::new(7),
            counts: [0; FAULT_KINDS.len()],
            failed: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done to it so far.
    pub(crate) fn recording(&self) -> Recording {
        self.state().recording.clone()
    }

    /// The files as a reader sees them now.
    pub(crate) fn image(&self) -> Image {
        self.state().now.image()
    }

    /// Puts a mark between the operations, such as "operation 7 was acknowledged".
    pub(crate) fn note(&self, note: u64) {
        self.state().recording.events.push(Event::Note(note));
    }

    /// Lets an operation fail.
    pub(crate) fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Lets all operations succeed again.
    pub(crate) fn heal(&self) {
        self.state().fault = None;
    }

    /// Operations so far to which a kind of fault applies.
    pub(crate) fn operations(&self, kind: FaultKind) -> u64 {
        let state = self.state();
        FAULT_KINDS.iter().zip(state.counts).filter(|(k, _)| **k == kind).map(|(_, n)| n).sum()
    }

    /// Operations that failed so far.
    pub(crate) fn failed(&self) -> u64 {
        self.state().failed
    }

    fn file(&self, file: FileId) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.allow(Asked::Look)?;
        Ok(self.file(state.named(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.allow(Asked::Grow)?;
        let file = state.next_file;
        state.next_file += 1;
        state.change(Atom::Link { name: name.to_owned(), file });
        Ok(self.file(file))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.allow(Asked::Look)?;
        Ok(state.now.names.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.allow(Asked::Rename)?;
        let file = state.named(from)?;
        state.change(Atom::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.allow(Asked::Rename)?;
        state.named(name)?;
        state.change(Atom::Unlink { name: name.to_owned() });
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.state().sync(None)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.allow(Asked::Look)?;
        Ok(1 << 40)
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: FileId,
}

impl DiskFile for SimFile {
    fn size_bytes(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.allow(Asked::Look)?;
        Ok(state.size(self.file))
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.allow(Asked::Look)?;
        let content = state.now.files.get(&self.file).map(Arc::clone).unwrap_or_default();
        drop(state);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = from.checked_add(bytes.len()).and_then(|end| content.get(from..end));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        match state.ask(Asked::Write) {
            None => state.write(self.file, bytes, offset),
            Some(FaultKind::Short) => {
                let done = state.dice.below(bytes.len() as u64);
                state.write(self.file, &bytes[..usize::try_from(done).unwrap()], offset);
                return Err(FaultKind::Short.error());
            }
            Some(kind) => return Err(kind.error()),
        }
        Ok(())
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let grows = size_bytes > state.size(self.file);
        state.allow(if grows { Asked::Grow } else { Asked::Rename })?;
        state.change(Atom::Length { file: self.file, size: size_bytes });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync(Some(self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(files: &[(&str, &[u8])]) -> Image {
        files.iter().map(|(name, content)| ((*name).into(), Arc::new(content.to_vec()))).collect()
    }

    fn crashed(disk: &SimDisk, loss: Loss, seed: u64) -> Image {
        disk.recording().end().image(loss, seed)
    }

    #[test]
    fn nothing_is_durable_before_both_syncs() {
        let disk = SimDisk::new();
        let file = disk.create("a").unwrap();
        file.write_all_at(b"hello", 0).unwrap();
        assert_eq!(crashed(&disk, Loss::All, 0), Image::new());
        file.sync().unwrap();
        assert_eq!(crashed(&disk, Loss::All, 0), Image::new(), "its name is not");
        disk.sync_names().unwrap();
        assert_eq!(crashed(&disk, Loss::All, 0), image(&[("a", b"hello")]));
        assert_eq!(disk.recording().end().pending(), 0);
    }

    #[test]
    fn a_name_may_be_durable_without_its_content() {
        let disk = SimDisk::new();
        disk.create("a").unwrap().write_all_at(b"hello", 0).unwrap();
        disk.sync_names().unwrap();
        assert_eq!(crashed(&disk, Loss::All, 0), image(&[("a", b"")]));
        assert_eq!(crashed(&disk, Loss::None, 0), image(&[("a", b"hello")]));
    }

    #[test]
    fn a_rename_is_lost_or_whole() {
        let disk = SimDisk::of(&image(&[("a", b"new"), ("b", b"old")]));
        disk.rename("a", "b").unwrap();
        assert_eq!(disk.names().unwrap(), ["b"]);
        assert_eq!(crashed(&disk, Loss::All, 0), image(&[("a", b"new"), ("b", b"old")]));
        assert_eq!(crashed(&disk, Loss::None, 0), image(&[("b", b"new")]));
    }

    #[test]
    fn a_removed_file_comes_back_with_a_crash() {
        let disk = SimDisk::of(&image(&[("a", b"x")]));
        let file = disk.open("a").unwrap();
        disk.remove("a").unwrap();
        file.read_exact_at(&mut [0], 0).unwrap();
        assert_eq!(disk.open("a").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(crashed(&disk, Loss::All, 0), image(&[("a", b"x")]));
        disk.sync_names().unwrap();
        assert_eq!(crashed(&disk, Loss::All, 0), Image::new());
    }

    #[test]
    fn writes_are_lost_out_of_order() {
        let disk = SimDisk::of(&image(&[("a", b"..")]));
        let file = disk.open("a").unwrap();
        file.write_all_at(b"1", 0).unwrap();
        file.write_all_at(b"2", 1).unwrap();
        let mut seen: Vec<Image> =
            (0..100).map(|seed| crashed(&disk, Loss::Some(4), seed)).collect();
        seen.sort();
        seen.dedup();
        let expected = [b"..", b".2", b"1.", b"12"].map(|content| image(&[("a", content)]));
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_write_is_torn_at_sectors_and_cut_at_bytes() {
        let disk = SimDisk::of(&image(&[("a", &[0; 2048])]));
        disk.open("a").unwrap().write_all_at(&[1; 1000], 500).unwrap();
        let (mut torn, mut cut) = (false, false);
        for seed in 0..100 {
            let found = &crashed(&disk, Loss::Sectors, seed)["a"];
            let parts = [500..512, 512..1024, 1024..1500];
            for part in parts.clone() {
                let first = found[part.start];
                assert!(found[part].iter().all(|byte| *byte == first), "whole sectors");
            }
            torn |= parts.map(|part| found[part.start]) == [1, 0, 1];
            let ones = crashed(&disk, Loss::Cut, seed)["a"].iter().filter(|b| **b == 1).count();
            cut |= ![0, 12, 524, 1000].contains(&ones);
        }
        assert!(torn && cut);
    }

    #[test]
    fn what_lies_past_a_lost_length_is_lost() {
        let disk = SimDisk::of(&image(&[("a", b"x")]));
        let file = disk.open("a").unwrap();
        file.write_all_at(b"yz", 0).unwrap();
        let seen: Vec<Image> = (0..20).map(|seed| crashed(&disk, Loss::Lengths, seed)).collect();
        assert!(seen.contains(&image(&[("a", b"y")])) && seen.contains(&image(&[("a", b"yz")])));
    }

    #[test]
    fn every_sync_is_a_moment_before_and_after_it() {
        let disk = SimDisk::of(&image(&[("a", b".")]));
        let file = disk.open("a").unwrap();
        for at in 0..3 {
            file.write_all_at(&[b'0' + at], 0).unwrap();
            file.sync().unwrap();
            disk.note(u64::from(at));
        }
        let mut seen = Vec::new();
        disk.recording().visit(|moment| {
            let left = moment.platter.image(Loss::All, 0)["a"][0];
            seen.push((left, moment.platter.pending(), moment.notes.len()));
        });
        let expected = [
            (b'.', 1, 0),
            (b'0', 0, 0),
            (b'0', 1, 1),
            (b'1', 0, 1),
            (b'1', 1, 2),
            (b'2', 0, 2),
            (b'2', 0, 3),
        ];
        assert_eq!(seen, expected);
        assert_eq!(disk.recording().syncs(), 3);
    }

    #[test]
    fn the_nth_operation_fails_in_the_way_that_was_ordered() {
        for kind in FAULT_KINDS {
            let disk = SimDisk::of(&image(&[("a", b"....")]));
            let file = disk.open("a").unwrap();
            disk.fail(Fault { kind, at: 1, lasting: false });
            let write = |byte: &[u8]| file.write_all_at(byte, 0).is_ok();
            let done = match kind {
                FaultKind::Unsynced => [file.sync().is_ok(), file.sync().is_ok()],
                _ => [write(b"1"), write(b"2222")],
            };
            assert_eq!(done, [true, false], "{kind:?}");
            assert_eq!(disk.failed(), 1);
            assert!(write(b"3") && file.sync().is_ok());
        }
    }

    #[test]
    fn a_lasting_fault_ends_when_it_is_healed() {
        let disk = SimDisk::of(&image(&[("a", b".")]));
        let file = disk.open("a").unwrap();
        disk.fail(Fault { kind: FaultKind::Full, at: 0, lasting: true });
        for _ in 0..3 {
            let refused = file.write_all_at(b"1", 0).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        }
        file.read_exact_at(&mut [0], 0).unwrap();
        disk.heal();
        file.write_all_at(b"1", 0).unwrap();
        assert_eq!(disk.operations(FaultKind::Full), 4);
    }

    #[test]
    fn a_sync_after_a_failed_sync_brings_nothing_back() {
        let lost = (0..20).any(|turn| {
            let disk = SimDisk::of(&image(&[("a", b".")]));
            let file = disk.open("a").unwrap();
            // Each turn the disk decides otherwise.
            (0..turn).for_each(|_| {
                disk.state().dice.next();
            });
            file.write_all_at(b"1", 0).unwrap();
            disk.fail(Fault { kind: FaultKind::Unsynced, at: 0, lasting: false });
            assert!(file.sync().is_err() && file.sync().is_ok());
            assert_eq!(disk.image(), image(&[("a", b"1")]), "a reader still sees it");
            crashed(&disk, Loss::None, 0) == image(&[("a", b".")])
        });
        assert!(lost);
    }
}
