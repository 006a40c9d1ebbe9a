//! Claim: durable writes, point reads and index scans are ahead of PostgreSQL, SQLite and Redis on
//! the same rows. This is our side of the comparison, called in process as the product calls it;
//! `make bench-peers` runs it between the others and prints one table.
//!
//! Each row has 600 bytes and one index entry, its key is 16 bytes in time order, and 100,000 rows
//! are there before. One line of JSON for each figure. `open` measures the start after `kill -9`.

#![allow(clippy::print_stdout, reason = "a bench that reports to the terminal")]

use faultmaven::base::id::EventId;
use faultmaven::base::{Clock, Ids};
use faultmaven::engine::db::{Db, DbError, Index, Options, Row, Schema, Span, View, key};
use faultmaven::engine::disk::Directory;
use faultmaven::engine::key::{KeyRing, Keys, MasterKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const OWNERS: u64 = 1_000;
const PAYLOAD_BYTES: usize = 600;
const PRELOAD_BATCH: usize = 5_000;
const CACHE_BYTES: usize = 256 << 20;
/// Rows that a page of a list shows.
const NEWEST: usize = 20;

#[derive(Serialize, Deserialize)]
struct Record {
    id: EventId,
    owner: u64,
    payload: String,
}

const BY_OWNER: Index<Record> = Index::many("records_by_owner", |r| Some(key().u64(r.owner)));

impl Row for Record {
    type Key = EventId;
    const TABLE: &'static str = "records";
    const INDEXES: &'static [Index<Self>] = &[BY_OWNER];

    fn key(&self) -> EventId {
        self.id
    }
}

impl Record {
    fn new(id: EventId) -> Self {
        let owner = u64::from(id.as_bytes()[15]) * 256 + u64::from(id.as_bytes()[14]);
        Self { id, owner: owner % OWNERS, payload: "x".repeat(PAYLOAD_BYTES) }
    }
}

/// What the command line asks for.
struct Asked {
    open_only: bool,
    /// Fills this directory and writes until it is killed.
    fill: Option<PathBuf>,
    directory: PathBuf,
    encrypted: bool,
    rows: usize,
    run: Duration,
    clients: Vec<usize>,
}

impl Asked {
    fn parse() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| {
            let at = words.iter().position(|word| word == name)?;
            words.get(at + 1).cloned()
        };
        let number = |name: &str, default: f64| {
            value(name).map_or(default, |text| text.parse().expect("a number"))
        };
        let open_only = words.iter().any(|word| word == "open");
        let rows = number("--rows", if open_only { 1e6 } else { 1e5 });
        let clients = value("--clients").unwrap_or_else(|| "1,8,64".into());
        Self {
            open_only,
            fill: value("--fill").map(PathBuf::from),
            directory: value("--directory").map_or_else(|| ".".into(), PathBuf::from),
            encrypted: words.iter().any(|word| word == "--encrypted"),
            rows: rows as usize,
            run: Duration::from_secs_f64(number("--seconds", 3.0)),
            clients: clients.split(',').map(|n| n.parse().expect("a number")).collect(),
        }
    }
}

fn main() {
    let asked = Asked::parse();
    if let Some(directory) = &asked.fill {
        fill_until_killed(directory, &asked);
    } else if asked.open_only {
        opening(&asked);
    } else {
        serving(&asked);
    }
}

fn open(directory: &Path, keys: Option<Keys>) -> Db {
    let disk = Arc::new(Directory::open(&directory.join("db")).expect("a directory"));
    let options = Options { cache_bytes: CACHE_BYTES, keys, ..Options::default() };
    Db::open(disk, options, Schema::new().with::<Record>()).expect("a store").0
}

fn preload(db: &Db, ids: &Ids, rows: usize) -> Vec<EventId> {
    let now = Clock::system().now();
    let made: Vec<EventId> = (0..rows).map(|_| ids.next(now)).collect();
    for chunk in made.chunks(PRELOAD_BATCH) {
        let chunk = chunk.to_vec();
        db.write_blocking(move |tx| chunk.iter().try_for_each(|id| tx.put(&Record::new(*id))))
            .expect("rows");
    }
    made
}

fn told(asked: &Asked, what: &str, clients: usize, mut took: Vec<Duration>, run: Duration) {
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    let system = if asked.encrypted { "FaultMaven, encrypted" } else { "FaultMaven" };
    let line = json!({
        "system": system, "what": what, "clients": clients,
        "per_second": took.len() as f64 / run.as_secs_f64(), "p50_us": at(0.5), "p99_us": at(0.99),
    });
    println!("{line}");
}

fn serving(asked: &Asked) {
    let directory = tempfile::tempdir_in(&asked.directory).expect("a directory");
    let keys = asked.encrypted.then(|| {
        let ring = KeyRing::create(&MasterKey::generate());
        ring.expect("a key ring").1
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let db = open(directory.path(), keys);
    let ids = Ids::system();
    let made = preload(&db, &ids, asked.rows);
    runtime.block_on(db.checkpoint()).expect("a checkpoint");
    for clients in asked.clients.iter().copied() {
        let begun = Instant::now();
        let took = runtime.block_on(writers(&db, &ids, clients, begun + asked.run));
        told(asked, "durable write", clients, took.expect("durable writes"), begun.elapsed());
    }
    for clients in asked.clients.iter().copied().filter(|clients| *clients <= 8) {
        readers(asked, "point read", clients, |at| {
            let id = &made[at % made.len()];
            black_box(db.read(|tx| tx.get::<Record>(id)).expect("a row")).is_some()
        });
        readers(asked, "20 newest by index", clients, |at| {
            let span = Span::prefix(&key().u64(at as u64 % OWNERS)).reversed();
            let rows = db.read(|tx| tx.list(&BY_OWNER, &span, 0, NEWEST)).expect("rows");
            black_box(rows).len() == NEWEST
        });
    }
}

async fn writers(
    db: &Db,
    ids: &Ids,
    clients: usize,
    until: Instant,
) -> Result<Vec<Duration>, DbError> {
    let spawned: Vec<_> = (0..clients)
        .map(|_| {
            let (db, ids) = (db.clone(), ids.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let begun = Instant::now();
                    let id = ids.next(Clock::system().now());
                    db.write(move |tx| tx.insert(&Record::new(id))).await?;
                    took.push(begun.elapsed());
                }
                Ok::<_, DbError>(took)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in spawned {
        all.extend(task.await.expect("a client")?);
    }
    Ok(all)
}

fn readers(asked: &Asked, what: &str, clients: usize, read: impl Fn(usize) -> bool + Sync) {
    let begun = Instant::now();
    let took: Vec<Duration> = std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..clients)
            .map(|client| {
                let read = &read;
                scope.spawn(move || {
                    let (mut took, mut at) = (Vec::new(), client * 7_001);
                    while begun.elapsed() < asked.run {
                        // Far apart, so that no page is the one just read.
                        at += 7_919;
                        let begun = Instant::now();
                        assert!(read(at), "everything is found");
                        took.push(begun.elapsed());
                    }
                    took
                })
            })
            .collect();
        spawned.into_iter().flat_map(|thread| thread.join().expect("a client")).collect()
    });
    told(asked, what, clients, took, begun.elapsed());
}

/// The same key in the process that is killed and in the one that opens.
fn keys_in(directory: &Path, encrypted: bool) -> Option<Keys> {
    let master = MasterKey::parse(&"7f".repeat(32)).expect("a key");
    let path = directory.join("keyring.json");
    if !encrypted {
        None
    } else if let Ok(text) = std::fs::read(&path) {
        Some(KeyRing::parse(&text).and_then(|ring| ring.unlock(&master)).expect("a key ring"))
    } else {
        let (ring, keys) = KeyRing::create(&master).expect("a key ring");
        std::fs::write(&path, ring.to_json()).expect("a file");
        Some(keys)
    }
}

fn fill_until_killed(directory: &Path, asked: &Asked) {
    let db = open(directory, keys_in(directory, asked.encrypted));
    let ids = Ids::system();
    preload(&db, &ids, asked.rows);
    println!("filled");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let until = Instant::now() + Duration::from_secs(600);
    let _ = runtime.expect("a runtime").block_on(writers(&db, &ids, 8, until));
}

/// Time until a store of many rows is open again after its process was killed while writing.
fn opening(asked: &Asked) {
    let directory = tempfile::tempdir_in(&asked.directory).expect("a directory");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--fill").arg(directory.path()).args(["--rows", &asked.rows.to_string()]);
    if asked.encrypted {
        command.arg("--encrypted");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert_eq!(lines.next().expect("it fills").expect("text"), "filled");
    std::thread::sleep(Duration::from_secs(2));
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    let keys = keys_in(directory.path(), asked.encrypted);
    let begun = Instant::now();
    let db = open(directory.path(), keys);
    let took = begun.elapsed();
    let mut rows = 0_usize;
    let counted: Result<(), DbError> = db.read(|tx| {
        rows = tx.count(&BY_OWNER, &Span::all())?;
        Ok(())
    });
    counted.expect("rows");
    assert!(rows >= asked.rows, "{rows} rows are left");
    told(asked, &format!("open after kill -9, {rows} rows"), 1, vec![took], took);
}
