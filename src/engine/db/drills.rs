//! Drills: power cuts at every sync, failures of every disk operation, flipped bits in every page.
//!
//! Each closure of the workload stores, with its change, a row that says which operation it was and
//! the how-manieth in order of commit. So a store found after a crash tells which operations it
//! holds, and a model that applies the same ones must hold the same rows. The long runs are ignored
//! by an ordinary test run; `make drills` runs them and prints their figures.

use super::*;
use crate::engine::disk::Disk;
use crate::engine::disk::sim::{
    Dice, FAULT_KINDS, Fault, FaultKind, Image, LOSSES, Loss, Moment, Recording, SimDisk,
};
use crate::engine::key::{KeyRing, Keys, MasterKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A place that parts lie in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bin {
    id: u64,
}

impl Row for Bin {
    type Key = u64;
    const TABLE: &'static str = "drill_bins";
    fn key(&self) -> u64 {
        self.id
    }
}

/// A thing with every kind of index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    id: u64,
    bin: u64,
    name: String,
    stocked: bool,
    body: Vec<u8>,
}

const BY_BIN: Index<Part> = Index::many("drill_parts_by_bin", |p| Some(key().u64(p.bin)));
const BY_NAME: Index<Part> = Index::unique("drill_parts_by_name", |p| Some(key().str(&p.name)));
const STOCKED: Index<Part> =
    Index::many("drill_parts_stocked", |p| p.stocked.then(|| key().str(&p.name)));

impl Row for Part {
    type Key = u64;
    const TABLE: &'static str = "drill_parts";
    const INDEXES: &'static [Index<Self>] = &[BY_BIN, BY_NAME, STOCKED];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<Bin>(BY_BIN, |p| Some(key().u64(p.bin)))];
    fn key(&self) -> u64 {
        self.id
    }
}

/// An operation that was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    /// Place in the order of commits, from 1.
    turn: u64,
    operation: u64,
}

impl Row for Done {
    type Key = u64;
    const TABLE: &'static str = "drill_done";
    fn key(&self) -> u64 {
        self.turn
    }
}

fn schema() -> Schema {
    Schema::new().with::<Bin>().with::<Part>().with::<Done>()
}

const BINS: u64 = 5;
const PARTS: u64 = 40;
const NAMES: u64 = 60;

/// What one closure does.
#[derive(Debug, Clone)]
enum Step {
    PutBin(u64),
    DropBin(u64),
    PutPart(Part),
    DropPart(u64),
}

/// A closure of the workload; the number names it in notes.
#[derive(Debug, Clone)]
struct Operation {
    number: u64,
    steps: Vec<Step>,
    /// Fails after it wrote everything.
    fails: bool,
}

impl Operation {
    /// The same number and seed, the same operation.
    fn make(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let count = match dice.below(10) {
            0 => 5 + dice.below(15),
            1..4 => 2,
            _ => 1,
        };
        let fails = dice.below(15) == 0;
        let mut steps: Vec<Step> = (0..count).map(|_| Step::make(&mut dice)).collect();
        if number <= BINS {
            steps = vec![Step::PutBin(number - 1)];
        }
        Self { number, steps, fails: fails && number > BINS }
    }

    fn run(&self, tx: &Write<'_>) -> Result<(), DbError> {
        for step in &self.steps {
            match step {
                Step::PutBin(id) => tx.put(&Bin { id: *id })?,
                Step::DropBin(id) => tx.delete::<Bin>(id).map(drop)?,
                Step::PutPart(part) => tx.put(part)?,
                Step::DropPart(id) => tx.delete::<Part>(id).map(drop)?,
            }
        }
        let turn = tx.next_counter("drill_turn")?;
        tx.put(&Done { turn, operation: self.number })?;
        // The caller's own refusal, after everything was written.
        if self.fails { Err(DbError::Unique { index: "drill" }) } else { Ok(()) }
    }
}

impl Step {
    fn make(dice: &mut Dice) -> Self {
        match dice.below(20) {
            0 => Self::PutBin(dice.below(BINS)),
            1 => Self::DropBin(dice.below(BINS)),
            2..5 => Self::DropPart(dice.below(PARTS)),
            _ => {
                let size = if dice.below(12) == 0 { 6_000 } else { 20 + dice.below(600) };
                let fill = dice.next().to_le_bytes();
                Self::PutPart(Part {
                    id: dice.below(PARTS),
                    bin: dice.below(BINS),
                    name: format!("part {}", dice.below(NAMES)),
                    stocked: dice.below(2) == 0,
                    body: fill.iter().copied().cycle().take(size as usize).collect(),
                })
            }
        }
    }
}

/// What the rows must be.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Model {
    bins: BTreeSet<u64>,
    parts: BTreeMap<u64, Part>,
}

impl Model {
    /// Applies a whole operation; `false` when the store must refuse it.
    fn apply(&mut self, operation: &Operation) -> bool {
        let before = self.clone();
        let done = !operation.fails && operation.steps.iter().all(|step| self.step(step));
        if !done {
            *self = before;
        }
        done
    }

    fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::PutBin(id) => {
                self.bins.insert(*id);
            }
            Step::DropBin(id) => {
                self.bins.remove(id);
                self.parts.retain(|_, part| part.bin != *id);
            }
            Step::PutPart(part) => {
                let taken = |other: &Part| other.name == part.name && other.id != part.id;
                if !self.bins.contains(&part.bin) || self.parts.values().any(taken) {
                    return false;
                }
                self.parts.insert(part.id, part.clone());
            }
            Step::DropPart(id) => {
                self.parts.remove(id);
            }
        }
        true
    }
}

/// What the disk's notes say of an operation: its number and one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Submitted = 0,
    Acknowledged = 1,
    /// Refused in a way that promises that nothing was stored.
    Refused = 2,
}

fn note(disk: &SimDisk, number: u64, said: Said) {
    disk.note(number * 4 + said as u64);
}

/// Operations by what is known of them.
#[derive(Debug, Default)]
struct Known {
    submitted: HashSet<u64>,
    acknowledged: HashSet<u64>,
    refused: HashSet<u64>,
}

impl Known {
    fn of(notes: &[u64]) -> Self {
        let mut known = Self::default();
        for note in notes {
            let set = match note % 4 {
                0 => &mut known.submitted,
                1 => &mut known.acknowledged,
                _ => &mut known.refused,
            };
            set.insert(note / 4);
        }
        known
    }
}

/// Whether an error promises that nothing of the closure was or will be stored.
fn definite(error: &DbError) -> bool {
    matches!(
        error,
        DbError::Unique { .. } | DbError::Orphan { .. } | DbError::Full | DbError::LogFull
    )
}

/// How a drill opens its stores.
#[derive(Clone)]
struct Setup {
    seed: u64,
    keys: Option<Keys>,
}

impl Setup {
    fn new(seed: u64, encrypted: bool) -> Self {
        let keys = encrypted.then(|| KeyRing::create(&MasterKey::generate()).unwrap().1);
        Self { seed, keys }
    }

    /// Limits so small that segments fill and checkpoints come all the time.
    fn options(&self) -> Options {
        let log = LogLimits {
            segment_bytes: 24 << 10,
            bytes_max: 512 << 10,
            checkpoint_bytes: 30 << 10,
            checkpoint_ms: 40,
        };
        Options { cache_bytes: 1 << 20, keys: self.keys.clone(), log, ..Options::default() }
    }

    fn open(&self, disk: &SimDisk) -> Result<Db, DbError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        Ok(Db::open(disk, self.options(), schema())?.0)
    }

    /// Runs operations `numbers` from three threads, which meet in batches, and now and then a
    /// checkpoint and a compaction. Says in the disk's notes what became of each.
    fn work(&self, db: &Db, disk: &SimDisk, numbers: std::ops::Range<u64>) {
        let next = AtomicU64::new(numbers.start);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = || {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= numbers.end {
                    break;
                }
                let operation = Operation::make(self.seed, number);
                note(disk, number, Said::Submitted);
                let answer = db.write_blocking(move |tx| operation.run(tx));
                match answer {
                    Ok(()) => note(disk, number, Said::Acknowledged),
                    Err(error) if definite(&error) => note(disk, number, Said::Refused),
                    Err(_) => {}
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(client);
            }
            let middle = numbers.start + (numbers.end - numbers.start) / 2;
            let mut compacted = false;
            while next.load(Ordering::SeqCst) < numbers.end {
                if !compacted && next.load(Ordering::SeqCst) >= middle {
                    compacted = true;
                    let _ = runtime.block_on(db.compact());
                } else {
                    let _ = runtime.block_on(db.checkpoint());
                    thread::yield_now();
                }
                thread::sleep(std::time::Duration::from_millis(3));
            }
        });
    }

    /// A workload from an empty disk on, with a close and an open in its middle.
    fn record(&self, operations: u64) -> SimDisk {
        let disk = SimDisk::new();
        for numbers in [1..operations / 2, operations / 2..operations + 1] {
            let db = self.open(&disk).unwrap();
            self.work(&db, &disk, numbers);
        }
        disk
    }

    /// What is wrong with the store on a disk after a crash; nothing, if all is well.
    fn verdict(&self, disk: &SimDisk, known: &Known) -> Result<(), String> {
        let opened = catch_unwind(AssertUnwindSafe(|| self.open(disk)));
        let db = match opened {
            Ok(Ok(db)) => db,
            Ok(Err(error)) => return Err(format!("does not open: {error}")),
            Err(_) => return Err("panicked while opening".into()),
        };
        self.holds(&db, known)
    }

    fn holds(&self, db: &Db, known: &Known) -> Result<(), String> {
        let read = |error: DbError| format!("does not read: {error}");
        let done = rows::<Done>(db).map_err(read)?;
        let turns = done.iter().zip(1..).all(|(done, turn)| done.turn == turn);
        if !turns {
            return Err("the order of commits has gaps".into());
        }
        let stored: HashSet<u64> = done.iter().map(|done| done.operation).collect();
        if let Some(lost) = known.acknowledged.difference(&stored).min() {
            return Err(format!("operation {lost} was acknowledged and is lost"));
        }
        if let Some(phantom) = stored.difference(&known.submitted).min() {
            return Err(format!("operation {phantom} was never submitted"));
        }
        if let Some(phantom) = stored.intersection(&known.refused).min() {
            return Err(format!("operation {phantom} was refused and is stored"));
        }
        let mut model = Model::default();
        for done in &done {
            if !model.apply(&Operation::make(self.seed, done.operation)) {
                return Err(format!("operation {} cannot have succeeded", done.operation));
            }
        }
        let bins: BTreeSet<u64> = rows::<Bin>(db).map_err(read)?.iter().map(|b| b.id).collect();
        let parts: BTreeMap<u64, Part> =
            rows::<Part>(db).map_err(read)?.into_iter().map(|part| (part.id, part)).collect();
        if (Model { bins, parts }) != model {
            return Err("the rows are not what the operations make".into());
        }
        match db.check() {
            Ok(faults) if faults.is_empty() => Ok(()),
            Ok(faults) => Err(format!("check found {faults:?}")),
            Err(error) => Err(format!("check failed: {error}")),
        }
    }
}

fn rows<R: Row>(db: &Db) -> Result<Vec<R>, DbError> {
    db.read(|tx| {
        let mut rows = Vec::new();
        tx.each_row::<R>(&Span::all(), |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    })
}

/// Figures of a power drill.
#[derive(Debug, Default)]
struct Power {
    syncs: usize,
    states: u64,
    /// States in which the recovery was interrupted as well.
    nested: u64,
    violations: Vec<String>,
}

/// One state in so many has its recovery interrupted too.
const NESTED_EVERY: u64 = 16;
/// Violations told in full.
const TOLD_MAX: usize = 20;

impl Power {
    /// Explores the states after a crash at every sync of a recording.
    fn explore(&mut self, setup: &Setup, recording: &Recording, seeds: u64) {
        self.syncs += recording.syncs();
        let mut seen = HashSet::new();
        recording.visit(|moment| {
            for (loss, seed) in choices(moment, seeds) {
                let image = moment.platter.image(loss, seed);
                if seen.insert((digest(&image), moment.notes.len())) {
                    self.state(setup, &image, moment, loss, seed);
                }
            }
        });
    }

    fn state(&mut self, setup: &Setup, image: &Image, moment: &Moment<'_>, loss: Loss, seed: u64) {
        let place = || format!("event {}, {loss:?} with seed {seed}", moment.event);
        let known = Known::of(moment.notes);
        self.states += 1;
        let disk = SimDisk::of(image);
        if let Err(what) = setup.verdict(&disk, &known) {
            return self.tell(setup, &place(), &what);
        }
        if self.states.is_multiple_of(NESTED_EVERY) {
            // The power goes again while the store is being opened.
            disk.recording().visit(|again| {
                for (loss, seed) in [(Loss::All, 0), (Loss::Some(4), seed), (Loss::Sectors, seed)] {
                    self.nested += 1;
                    let disk = SimDisk::of(&again.platter.image(loss, seed));
                    if let Err(what) = setup.verdict(&disk, &known) {
                        let place = format!("{}, then event {} {loss:?}", place(), again.event);
                        self.tell(setup, &place, &what);
                    }
                }
            });
        }
    }

    fn tell(&mut self, setup: &Setup, place: &str, what: &str) {
        if self.violations.len() < TOLD_MAX {
            let keys = if setup.keys.is_some() { "encrypted" } else { "plain" };
            println!("violation: workload {} {keys}, {place}: {what}", setup.seed);
        }
        self.violations.push(format!("{place}: {what}"));
    }
}

/// The crash images to look at: every kind of loss, those by chance with several seeds.
fn choices(moment: &Moment<'_>, seeds: u64) -> Vec<(Loss, u64)> {
    if moment.platter.pending() == 0 {
        return vec![(Loss::All, 0)];
    }
    let by_chance = |loss: &Loss| ![Loss::All, Loss::None].contains(loss);
    let count = |loss: &Loss| if by_chance(loss) { seeds } else { 1 };
    LOSSES
        .iter()
        .flat_map(|loss| (0..count(loss)).map(|seed| (*loss, seed + 31 * moment.event as u64)))
        .collect()
}

fn digest(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, content) in image {
        (name, content.len(), crc32fast::hash(content)).hash(&mut hasher);
    }
    hasher.finish()
}

fn drill_power_with(workloads: u64, operations: u64, seeds: u64) {
    let mut power = Power::default();
    for seed in 1..=workloads {
        for encrypted in [false, true] {
            let setup = Setup::new(seed, encrypted);
            power.explore(&setup, &setup.record(operations).recording(), seeds);
        }
    }
    println!(
        "drill_power: {workloads} workloads of {operations} operations, plain and encrypted, {} \
         syncs, {} states after a crash, {} of a crash during recovery, violations {}",
        power.syncs,
        power.states,
        power.nested,
        power.violations.len(),
    );
    assert_eq!(power.violations.first(), None);
}

/// Acknowledged operations survive a loss of power at every sync, whatever the disk kept.
#[test]
#[ignore = "a drill of minutes: make drill-power"]
fn drill_power() {
    drill_power_with(4, 300, 3);
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    drill_power_with(1, 24, 1);
}

/// Figures of a fault drill.
#[derive(Debug, Default)]
struct Faults {
    runs: u64,
    hit: u64,
    /// Runs in which every answer was a success all the same.
    unnoticed: u64,
    read_only: u64,
    /// Runs whose opening was refused.
    not_opened: u64,
    reads_refused: u64,
    violations: Vec<String>,
}

impl Faults {
    /// One workload in which one operation of the disk fails.
    fn run(&mut self, setup: &Setup, start: &Image, operations: u64, fault: Fault) {
        let place = format!("workload {}, {fault:?}", setup.seed);
        let disk = SimDisk::of(start);
        self.runs += 1;
        let ran = catch_unwind(AssertUnwindSafe(|| self.attempt(setup, &disk, operations, fault)));
        if ran.is_err() {
            self.tell(&place, "panicked");
        }
        self.hit += u64::from(disk.failed() > 0);
        disk.heal();
        let recording = disk.recording();
        let notes = recording.notes();
        let known = Known::of(&notes);
        // The process ends and the store is opened again; or the power goes too.
        for loss in [Loss::None, Loss::All] {
            let left = SimDisk::of(&recording.end().image(loss, 0));
            if let Err(what) = setup.verdict(&left, &known) {
                self.tell(&place, &format!("after {loss:?}: {what}"));
            }
        }
    }

    fn attempt(&mut self, setup: &Setup, disk: &SimDisk, operations: u64, fault: Fault) {
        disk.fail(fault);
        let Ok(db) = setup.open(disk) else {
            self.not_opened += 1;
            return;
        };
        setup.work(&db, disk, 1..operations + 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(db.checkpoint());
        self.read_only += u64::from(db.stats().poisoned);
        disk.heal();
        // Reads go on: at most the one that meets the failure is refused.
        let reads = (0..50).any(|_| {
            thread::yield_now();
            rows::<Done>(&db).is_ok()
        });
        self.reads_refused += u64::from(!reads);
        let notes = disk.recording().notes();
        let known = Known::of(&notes);
        let decided = known.acknowledged.len() + known.refused.len();
        self.unnoticed += u64::from(decided == known.submitted.len() && disk.failed() > 0);
        if reads && let Err(what) = setup.holds_at_least(&db, &known) {
            self.tell(&format!("{fault:?}"), &format!("before closing: {what}"));
        }
    }

    fn tell(&mut self, place: &str, what: &str) {
        if self.violations.len() < TOLD_MAX {
            println!("violation: {place}: {what}");
        }
        self.violations.push(format!("{place}: {what}"));
    }
}

impl Setup {
    /// Whether a store that met a failure still shows what it acknowledged.
    fn holds_at_least(&self, db: &Db, known: &Known) -> Result<(), String> {
        let done = rows::<Done>(db).map_err(|error| error.to_string())?;
        let stored: HashSet<u64> = done.iter().map(|done| done.operation).collect();
        match known.acknowledged.difference(&stored).min() {
            Some(lost) => Err(format!("operation {lost} was acknowledged and is not shown")),
            None => Ok(()),
        }
    }
}

fn drill_faults_with(operations: u64, step: u64, lasting: &[bool]) {
    let mut faults = Faults::default();
    let mut covered = 0;
    for encrypted in [false, true] {
        let setup = Setup::new(5, encrypted);
        // From an empty disk, so that making the store can fail too.
        let start = Image::new();
        let free = SimDisk::of(&start);
        {
            let db = setup.open(&free).unwrap();
            setup.work(&db, &free, 1..operations + 1);
        }
        for kind in FAULT_KINDS {
            let count = free.operations(kind);
            covered += count;
            for at in (0..count).step_by(step as usize) {
                for lasting in lasting {
                    let fault = Fault { kind, at, lasting: *lasting };
                    faults.run(&setup, &start, operations, fault);
                }
            }
        }
    }
    println!(
        "drill_faults: {operations} operations, {covered} failure points of {} kinds, {} runs, {} \
         met their failure; store refused to open {}, read-only afterwards {}, failure absorbed \
         {}, reads refused {}; violations {}",
        FAULT_KINDS.len(),
        faults.runs,
        faults.hit,
        faults.not_opened,
        faults.read_only,
        faults.unnoticed,
        faults.reads_refused,
        faults.violations.len(),
    );
    assert_eq!(faults.violations.first(), None);
}

/// Whatever operation of the disk fails, nothing acknowledged is lost and nothing panics.
#[test]
#[ignore = "a drill of minutes: make drill-faults"]
fn drill_faults() {
    drill_faults_with(60, 1, &[false, true]);
}

#[test]
fn a_failing_disk_loses_nothing_that_was_acknowledged() {
    drill_faults_with(12, 11, &[false]);
}

/// Figures of a flip drill.
#[derive(Debug, Default)]
struct Flips {
    flips: u64,
    refused: u64,
    found: u64,
    harmless: u64,
    /// The last record of the log, whose damage cannot be told from a torn write.
    torn: u64,
    wrong: Vec<String>,
}

/// A store before any bit of it is flipped.
struct Whole<'a> {
    setup: &'a Setup,
    image: &'a Image,
    known: &'a Known,
    /// Of its last commit.
    sequence: u64,
}

impl Flips {
    fn flip(&mut self, store: &Whole<'_>, name: &str, bit: u64) {
        let Whole { setup, image, known, sequence } = *store;
        let mut flipped = image.clone();
        let content = Arc::make_mut(flipped.get_mut(name).unwrap());
        content[(bit / 8) as usize] ^= 1 << (bit % 8);
        self.flips += 1;
        let disk = SimDisk::of(&flipped);
        let place = format!("{name}, byte {}, bit {}", bit / 8, bit % 8);
        let Ok(opened) = catch_unwind(AssertUnwindSafe(|| setup.open(&disk))) else {
            return self.wrong.push(format!("{place}: panicked while opening"));
        };
        let Ok(db) = opened else {
            self.refused += 1;
            return;
        };
        // Every answer that is given must be the right one; a refusal is an answer too.
        let (judged, checked) =
            match catch_unwind(AssertUnwindSafe(|| (setup.holds(&db, known), db.check()))) {
                Ok(judged) => judged,
                Err(_) => return self.wrong.push(format!("{place}: panicked while reading")),
            };
        let named = !matches!(&checked, Ok(faults) if faults.is_empty());
        match judged {
            Ok(()) if !named => self.harmless += 1,
            Err(what) if what.starts_with("does not read") || what.starts_with("check") => {
                self.found += 1;
            }
            Ok(()) => self.found += 1,
            Err(_) if name.starts_with("log-") && db.sequence() + 1 == sequence => self.torn += 1,
            Err(what) => {
                let left = db.sequence();
                self.wrong.push(format!("{place}: {what}; at commit {left} of {sequence}"));
            }
        }
    }

    /// Flips bits in every page of every file.
    fn every_page(&mut self, store: &Whole<'_>, bits_per_page: u64, dice: &mut Dice) {
        for (name, content) in store.image {
            for page in 0..(content.len() as u64).div_ceil(4096) {
                let left = (content.len() as u64 - page * 4096).min(4096);
                for _ in 0..bits_per_page {
                    self.flip(store, name, page * 4096 * 8 + dice.below(left * 8));
                }
            }
            if content.len() >= 320 {
                // Where redb and the log say what they are.
                for _ in 0..bits_per_page * 8 {
                    self.flip(store, name, dice.below(320 * 8));
                }
            }
        }
    }

    fn print(&self, encrypted: bool) {
        let detected = self.refused + self.found;
        println!(
            "drill_flip ({}): {} bits flipped, detected {} ({:.1} %: {} at opening, {} by a read \
             or check), harmless {}, taken for a torn write {}, wrong answers {}",
            if encrypted { "encrypted" } else { "plain" },
            self.flips,
            detected,
            detected as f64 * 100.0 / self.flips as f64,
            self.refused,
            self.found,
            self.harmless,
            self.torn,
            self.wrong.len(),
        );
        self.wrong.iter().take(TOLD_MAX).for_each(|wrong| println!("wrong: {wrong}"));
    }
}

fn drill_flip_with(operations: u64, bits_per_page: u64) {
    for encrypted in [false, true] {
        let setup = Setup::new(9, encrypted);
        let closed = setup.record(operations);
        // One store that was closed, and one that crashed with its log still to be replayed.
        let running = SimDisk::of(&closed.image());
        let db = setup.open(&running).unwrap();
        setup.work(&db, &running, operations + 1..operations + 20);
        let crashed = running.image();
        drop(db);
        let mut notes = closed.recording().notes();
        let known_closed = Known::of(&notes);
        notes.extend(running.recording().notes());
        let known_crashed = Known::of(&notes);
        let (mut flips, mut dice) = (Flips::default(), Dice::new(17));
        for (image, known) in [(closed.image(), &known_closed), (crashed, &known_crashed)] {
            let whole = setup.open(&SimDisk::of(&image)).unwrap();
            setup.holds(&whole, known).unwrap();
            let sequence = whole.sequence();
            let store = Whole { setup: &setup, image: &image, known, sequence };
            flips.every_page(&store, bits_per_page, &mut dice);
        }
        flips.print(encrypted);
        assert_eq!(flips.wrong.first(), None);
    }
}

/// A flipped bit is found or does no harm: no wrong answer is served.
#[test]
#[ignore = "a drill of minutes: make drill-flip"]
fn drill_flip() {
    drill_flip_with(120, 4);
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm() {
    drill_flip_with(12, 1);
}

/// A store ten times as large as its page cache, and how it is opened: no checkpoint by itself.
fn large() -> (Options, Image) {
    let log = LogLimits {
        checkpoint_bytes: u64::MAX,
        checkpoint_ms: u64::MAX,
        bytes_max: 200 << 20,
        ..LogLimits::default()
    };
    let options = Options { log, ..Options::default().with_cache(1 << 20) };
    let disk = SimDisk::new();
    let db = Db::open(Arc::new(disk.clone()), options.clone(), schema()).unwrap().0;
    for bin in 0..LARGE_PARTS / 10 {
        let fill = move |tx: &Write<'_>| {
            tx.put(&Bin { id: bin })?;
            (bin * 10..bin * 10 + 10).try_for_each(|id| tx.put(&large_part(id, 1)))
        };
        db.write_blocking(fill).unwrap();
    }
    drop(db);
    (options, disk.image())
}

const LARGE_PARTS: u64 = 4000;

fn large_part(id: u64, fill: u8) -> Part {
    Part { id, bin: id / 10, name: format!("p{id}"), stocked: true, body: vec![fill; 2500] }
}

/// Parts that hold `fill`.
fn filled(db: &Db, fill: u8) -> usize {
    rows::<Part>(db).unwrap().iter().filter(|part| part.body[0] == fill).count()
}

/// Changes every seventh part; answers how many changes were acknowledged.
fn refill(db: &Db, ids: std::ops::Range<u64>, fill: u8) -> usize {
    let put = |id| db.write_blocking(move |tx| tx.put(&large_part(id, fill)));
    ids.step_by(7).filter(|id| put(*id).is_ok()).count()
}

#[test]
fn a_disk_that_is_full_for_a_moment_under_a_reader_harms_nothing() {
    let (options, image) = large();
    let disk = SimDisk::of(&image);
    let open = |disk: SimDisk| Db::open(Arc::new(disk), options.clone(), schema()).unwrap().0;
    let db = open(disk.clone());
    let first = refill(&db, 0..1000, 2);
    // The cache is full of pages that only the log makes durable: reading writes some of them.
    disk.fail(Fault { kind: FaultKind::Full, at: 0, lasting: false });
    for _ in 0..3 {
        // What a reader is told meanwhile is not the point.
        let _ = rows::<Part>(&db);
        let _ =
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(db.snapshot());
    }
    disk.heal();
    let second = refill(&db, 1000..2000, 3);
    for db in [open(SimDisk::of(&disk.image())), db] {
        assert_eq!(db.check().unwrap(), vec![]);
        assert_eq!((filled(&db, 2), filled(&db, 3)), (first, second));
    }
    // By now the store was closed in order.
    let again = open(SimDisk::of(&disk.image()));
    assert_eq!(again.check().unwrap(), vec![]);
    assert_eq!((filled(&again, 2), filled(&again, 3)), (first, second));
}

#[test]
fn reads_go_on_after_a_failed_sync() {
    let (options, image) = large();
    let disk = SimDisk::of(&image);
    let db = Db::open(Arc::new(disk.clone()), options.clone(), schema()).unwrap().0;
    let changed = refill(&db, 0..1000, 2);
    disk.fail(Fault { kind: FaultKind::Unsynced, at: 0, lasting: false });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(db.checkpoint()).is_err());
    disk.heal();
    assert!(db.stats().poisoned);
    assert!(matches!(db.write_blocking(|tx| tx.put(&large_part(1, 9))), Err(DbError::Poisoned(_))));
    assert_eq!((filled(&db, 2), rows::<Part>(&db).unwrap().len()), (changed, LARGE_PARTS as usize));
    drop(db);
    let db = Db::open(Arc::new(SimDisk::of(&disk.image())), options, schema()).unwrap().0;
    assert_eq!(db.check().unwrap(), vec![]);
    assert_eq!(filled(&db, 2), changed);
}

#[test]
fn writers_never_wait_for_a_compaction_and_it_never_makes_the_file_larger() {
    let (options, image) = large();
    let disk = SimDisk::of(&image);
    let log = LogLimits {
        segment_bytes: 64 << 10,
        bytes_max: 6 << 20,
        checkpoint_bytes: 64 << 10,
        checkpoint_ms: 20,
    };
    let options = Options { log, ..options };
    let db = Db::open(Arc::new(disk.clone()), options, schema()).unwrap().0;
    let compacting = thread::spawn({
        let db = db.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
            runtime.block_on(db.compact())
        }
    });
    let mut id = 0;
    while !compacting.is_finished() {
        id = (id + 7) % LARGE_PARTS;
        db.write_blocking(move |tx| tx.put(&large_part(id, 9))).unwrap();
    }
    // It may have been too slow for the short log; then the old file is as it was.
    match compacting.join().unwrap() {
        Ok(compacted) => assert!(compacted.after_bytes <= compacted.before_bytes),
        Err(error) => assert!(matches!(error, DbError::LogGone { .. }), "{error}"),
    }
    assert_eq!(rows::<Part>(&db).unwrap().len(), LARGE_PARTS as usize);
    assert_eq!(db.check().unwrap(), vec![]);
}
