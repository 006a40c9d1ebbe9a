//! Backups of a store that is written to, restored, damaged, too old, and without their key.

mod damage;
mod drill;
mod moments;
mod rounds;

use super::{
    ARCHIVE_PURPOSE, ArchiveLimits, Archiver, BACKUP_PURPOSE, BackupError, Restored, RingText,
    Source, Summary, Target, Tell, Unlock, create, quiet, restore,
};
use crate::base::{Clock, Ids, Time};
use crate::engine::blob::{BlobKey, Blobs};
use crate::engine::db::{Db, DbError, Options, Row, Schema, View, Write, peek};
use crate::engine::disk::{Directory, Disk};
use crate::engine::embed::{Embed, EmbedError, Pool};
use crate::engine::key::{KeyRing, Keys, MasterKey, Seal};
use crate::search::{self, Document, NewChunk, Search};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2026-11-23T10:00:00Z.
const START: Time = Time::from_unix_us(1_795_428_000_000_000);
const BLOBS_PURPOSE: &str = "blobs";

/// A row of a test: what writer `writer` wrote as its `number`th, with a blob behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    writer: u64,
    number: u64,
    text: String,
}

impl Row for Note {
    type Key = (u64, u64);
    const TABLE: &'static str = "test_notes";

    fn key(&self) -> (u64, u64) {
        (self.writer, self.number)
    }
}

impl Note {
    fn new(writer: u64, number: u64) -> Self {
        let text = format!("note {number} of writer {writer} ").repeat(1 + number as usize % 40);
        Self { writer, number, text }
    }

    fn blob(&self) -> BlobKey {
        format!("artifacts/{}/{}", self.writer, self.number).parse().unwrap()
    }

    fn content(&self) -> Vec<u8> {
        let bytes = 100 + (self.number * 977) % 9_000;
        noise(self.writer << 32 | self.number, bytes as usize)
    }
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes())
    };
    std::iter::from_fn(next).take(bytes.div_ceil(8)).flatten().take(bytes).collect()
}

/// A model whose vectors follow from the bytes of a text.
struct Tiny;

impl Embed for Tiny {
    fn model_id(&self) -> &str {
        "tiny"
    }
    fn dimensions(&self) -> usize {
        8
    }
    fn tokens_max(&self) -> usize {
        254
    }
    fn token_offsets(&self, text: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        Ok((0..text.len()).map(|at| (at, at + 1)).collect())
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vector = |text: &&str| {
            let sum = <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes());
            sum.iter().take(8).map(|byte| f32::from(*byte) / 128.0 - 1.0).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

fn schema() -> Schema {
    search::schema(crate::ops::schema(Schema::new())).with::<Note>()
}

/// A store on disk with a directory for its backups and its archive.
struct Bed {
    home: tempfile::TempDir,
    clock: Clock,
    master: Option<MasterKey>,
    keys: Option<Keys>,
    source: Source,
    search: Search,
    ids: Ids,
}

impl Bed {
    fn new(encrypted: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::standing_at(START);
        let master = encrypted.then(MasterKey::generate);
        let ring = master.as_ref().map(|master| KeyRing::create(master).unwrap());
        let (ring, keys) = ring.unzip();
        let disk: Arc<dyn Disk> = Arc::new(Directory::open(&home.path().join("db")).unwrap());
        let options = Options { keys: keys.clone(), clock: clock.clone(), ..Options::default() };
        let (db, _) = Db::open(disk, options, schema()).unwrap();
        let seal = |purpose: &str| seal(keys.as_ref(), purpose);
        let blobs = Blobs::open(&home.path().join("blobs"), &seal(BLOBS_PURPOSE)).unwrap();
        let source = Source {
            db: db.clone(),
            blobs,
            keyring: ring.map(|ring| RingText::new(ring.to_json())),
            seal: seal(BACKUP_PURPOSE),
            store_id: "5".repeat(32),
            config_toml: "listen = \"127.0.0.1:8090\"\n".to_owned(),
            models: Vec::new(),
        };
        let opened = crate::engine::text::Opened { applied: None, rebuilt: true };
        let text = crate::engine::text::TextIndex::in_memory().unwrap();
        let search = Search::open(&db, text, opened).unwrap();
        search.adopt(Pool::new(Arc::new(Tiny)).unwrap());
        Self { home, clock, master, keys, source, search, ids: Ids::seeded(3) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn unlock(&self) -> Unlock<'_> {
        self.master.as_ref().map_or(Unlock::Nothing, Unlock::Master)
    }

    /// Blob first, row second.
    async fn write(&self, note: Note) {
        let mut writer = self.source.blobs.begin(&note.blob()).await.unwrap();
        writer.write(note.content().into()).await.unwrap();
        writer.finish().await.unwrap();
        self.put(note).await;
    }

    /// The row alone.
    async fn put(&self, note: Note) {
        put(&self.source.db, note).await;
    }

    async fn write_some(&self, writer: u64, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.write(Note::new(writer, number)).await;
        }
    }

    /// A searchable page with `passages` passages, each with a vector of its own.
    async fn page(&self, number: u8, passages: u32) {
        let chunk = |at: u32| NewChunk {
            chunk_id: self.ids.next(START),
            heading: String::new(),
            text: format!("passage {at} of page {number}"),
            offset_start: u64::from(at),
            offset_end: u64::from(at) + 1,
        };
        let document = Document {
            document: [number; 16],
            collection: "pages".to_owned(),
            title: format!("page {number}"),
            chunks: (0..passages).map(chunk).collect(),
        };
        let search = self.search.clone();
        let put = self.source.db.write(move |tx| search.put(tx, &document));
        put.await.unwrap();
        self.search.catch_up(&self.source.db).await.unwrap();
    }

    async fn backup(&self, name: &str) -> Result<Summary, BackupError> {
        create(&self.source, &self.path(name), self.clock.now(), &quiet()).await
    }

    fn target(&self, name: &str) -> Target {
        let home = self.path(name);
        Target {
            db: home.join("db"),
            blobs: home.join("blobs"),
            keyring: home.join("keyring.json"),
            models: Some(home.join("models")),
            config: Some(home.join("config.toml")),
            encrypt_with: None,
            blobs_purpose: BLOBS_PURPOSE,
            named_blobs: |view, visit| {
                view.each_row(&crate::engine::db::Span::all(), |note: Note| {
                    if note.text.starts_with("note ") {
                        visit(note.blob().as_str());
                    }
                    ControlFlow::Continue(())
                })
            },
            cache_bytes: 8 << 20,
        }
    }

    async fn restore(
        &self,
        backup: &str,
        to: &str,
        at: Option<Option<Time>>,
    ) -> Result<Restored, BackupError> {
        let archive = self.path("archive");
        let archive = at.is_some().then_some(archive.as_path());
        let (path, target) = (self.path(backup), self.target(to));
        restore(&path, self.unlock(), &target, archive, at.flatten(), &quiet()).await
    }

    fn archiver(&self) -> Archiver {
        let limits = ArchiveLimits { every_ms: 60_000, segment_bytes: 16 << 10 };
        let seal = seal(self.keys.as_ref(), ARCHIVE_PURPOSE);
        Archiver::open(&self.source, &self.path("archive"), seal, limits, self.clock.now()).unwrap()
    }

    fn options(&self) -> Options {
        Options { keys: self.keys.clone(), ..Options::default() }
    }

    /// The restored store, opened as a server would.
    fn open(&self, to: &str) -> (Db, Blobs) {
        let disk: Arc<dyn Disk> = Arc::new(Directory::open(&self.target(to).db).unwrap());
        let (db, _) = Db::open(disk, self.options(), schema()).unwrap();
        let seal = seal(self.keys.as_ref(), BLOBS_PURPOSE);
        (db, Blobs::open(&self.target(to).blobs, &seal).unwrap())
    }

    fn dump_restored(&self, to: &str) -> Dump {
        let disk: Arc<dyn Disk> = Arc::new(Directory::open(&self.target(to).db).unwrap());
        dump(&peek(&disk, &self.options()).unwrap())
    }

    async fn dump(&self) -> Dump {
        dump(&self.source.db.snapshot().await.unwrap())
    }
}

async fn put(db: &Db, note: Note) {
    let stored: Result<(), DbError> = db.write(move |tx| tx.put(&note)).await;
    stored.unwrap();
}

fn seal(keys: Option<&Keys>, purpose: &str) -> Seal {
    keys.map_or_else(Seal::checked, |keys| keys.seal(purpose))
}

/// Every key and value of every table.
type Dump = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn dump(snapshot: &crate::engine::db::Snapshot) -> Dump {
    let mut all = Dump::new();
    for table in snapshot.tables().unwrap() {
        let each = snapshot.each(&table, None, &mut |key, value| {
            all.insert((table.clone(), key.to_vec()), value.to_vec());
            ControlFlow::Continue(())
        });
        each.unwrap();
    }
    all
}

/// The notes in a store, after checking each and the blob that it names.
async fn notes(db: &Db, blobs: &Blobs) -> BTreeMap<u64, Vec<u64>> {
    let mut found = Vec::new();
    let walked: Result<(), DbError> = db.read(|tx| {
        tx.each_row(&crate::engine::db::Span::all(), |note: Note| {
            found.push(note);
            ControlFlow::Continue(())
        })
    });
    walked.unwrap();
    let mut numbers = BTreeMap::<u64, Vec<u64>>::new();
    for note in found {
        assert_eq!(note, Note::new(note.writer, note.number));
        let content = blobs.get(&note.blob(), 1 << 20).await.unwrap();
        assert_eq!(content, note.content(), "{note:?}");
        numbers.entry(note.writer).or_default().push(note.number);
    }
    numbers
}

/// Stops the work at the `n`th sign of life.
fn stop_at(n: u64) -> Tell {
    let calls = AtomicU64::new(0);
    Arc::new(move |_| {
        let stop = calls.fetch_add(1, Ordering::SeqCst) + 1 >= n;
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = directory.read_dir() else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
