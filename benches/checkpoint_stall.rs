//! Claim: checkpoints never stall writers beyond 50 ms at the 99th percentile, at 5,000 writes per
//! second. Writes are due at fixed times, whatever became of the earlier ones, and each is measured
//! from the time it was due: a stall counts for everything that had to wait behind it.

#![allow(clippy::print_stdout, reason = "a bench that reports to the terminal")]

use faultmaven::base::id::EventId;
use faultmaven::base::{Ids, Time};
use faultmaven::engine::db::{Db, Index, Options, Row, Schema, key};
use faultmaven::engine::key::{KeyRing, MasterKey};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const PER_SECOND: u32 = 5_000;
const RUN: Duration = Duration::from_secs(10);
const PRELOADED: u64 = 100_000;
const PAYLOAD_BYTES: usize = 600;
const NOW: Time = Time::from_unix_us(1_790_000_000_000_000);

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

fn record(ids: &Ids) -> (EventId, u64) {
    let id: EventId = ids.next(NOW);
    (id, u64::from(id.as_bytes()[15]))
}

fn measure(runtime: &tokio::runtime::Runtime, name: &str, options: Options) {
    let directory = tempfile::tempdir_in(".").expect("a directory on the disk under test");
    let schema = Schema::new().with::<Record>();
    let db = Db::open_in(directory.path(), options, schema).expect("a store");
    let ids = Ids::seeded(1);
    for _ in 0..PRELOADED / 5_000 {
        let rows: Vec<_> = (0..5_000).map(|_| record(&ids)).collect();
        let put = move |tx: &faultmaven::engine::db::Write<'_>| {
            rows.iter().try_for_each(|(id, owner)| {
                tx.insert(&Record { id: *id, owner: *owner, payload: "x".repeat(PAYLOAD_BYTES) })
            })
        };
        db.write_blocking(put).expect("a row");
    }
    let before = db.stats().checkpoints;
    let mut took: Vec<Duration> = runtime.block_on(async {
        let start = Instant::now();
        let total = PER_SECOND * u32::try_from(RUN.as_secs()).expect("a short run");
        let mut waiting = Vec::with_capacity(total as usize);
        for at in 0..total {
            let due = start + Duration::from_secs(1) * at / PER_SECOND;
            if let Some(early) = due.checked_duration_since(Instant::now())
                && early > Duration::from_millis(1)
            {
                tokio::time::sleep(early).await;
            }
            let (db, (id, owner)) = (db.clone(), record(&ids));
            waiting.push(tokio::spawn(async move {
                let payload = "x".repeat(PAYLOAD_BYTES);
                let row = move |tx: &faultmaven::engine::db::Write<'_>| {
                    tx.insert(&Record { id, owner, payload: payload.clone() })
                };
                db.write(row).await.expect("a row");
                due.elapsed()
            }));
        }
        let mut took = Vec::with_capacity(waiting.len());
        for each in waiting {
            took.push(each.await.expect("a task"));
        }
        took
    });
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let stats = db.stats();
    println!(
        "{name:9}  p50 {:.2} ms  p99 {:.1} ms  p99.9 {:.1} ms  max {:.1} ms  {} checkpoints, longest {:.1} ms",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        stats.checkpoints - before,
        stats.checkpoint_us_max as f64 / 1e3,
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{PER_SECOND} writes/s of {PAYLOAD_BYTES} bytes and an index entry, measured when due"
    );
    measure(&runtime, "plain", Options::default());
    let (_, keys) = KeyRing::create(&MasterKey::generate()).expect("random numbers");
    measure(&runtime, "encrypted", Options { keys: Some(keys), ..Options::default() });
}
