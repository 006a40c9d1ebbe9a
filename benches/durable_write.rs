//! Claim: concurrent callers share one disk sync (group commit), so durable writes per second grow
//! with the number of callers. Each write is a row of 600 bytes with one index entry, answered only
//! when it is on disk. Run as a plain program: it prints writes per second and latency per caller
//! count.

#![allow(clippy::print_stdout, reason = "a bench that reports to the terminal")]

use faultmaven::base::Ids;
use faultmaven::base::Time;
use faultmaven::base::id::EventId;
use faultmaven::engine::db::{Db, DbError, Index, Options, Row, Schema, key};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const CALLERS: [usize; 3] = [1, 8, 64];
const RUN: Duration = Duration::from_secs(3);
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

async fn caller(db: Db, ids: Ids, until: Instant) -> Result<Vec<Duration>, DbError> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let id: EventId = ids.next(NOW);
        let owner = u64::from(id.as_bytes()[15]);
        let start = Instant::now();
        db.write(move |tx| tx.insert(&Record { id, owner, payload: "x".repeat(PAYLOAD_BYTES) }))
            .await?;
        took.push(start.elapsed());
    }
    Ok(took)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("callers  writes/s  p50 ms  p99 ms  writes per commit");
    for callers in CALLERS {
        let directory = tempfile::tempdir_in(".").expect("a directory on the disk under test");
        let path = directory.path().join("db");
        let db = Db::open_in(&path, Options::default(), Schema::new().with::<Record>())
            .expect("a store");
        let ids = Ids::seeded(callers as u64);
        let start = Instant::now();
        let mut took: Vec<Duration> = runtime.block_on(async {
            let spawned: Vec<_> = (0..callers)
                .map(|_| tokio::spawn(caller(db.clone(), ids.clone(), start + RUN)))
                .collect();
            let mut all = Vec::new();
            for task in spawned {
                all.extend(task.await.expect("a caller").expect("durable writes"));
            }
            all
        });
        let seconds = start.elapsed().as_secs_f64();
        took.sort();
        let at = |part: f64| {
            let place = ((took.len() - 1) as f64 * part) as usize;
            took[place].as_secs_f64() * 1e3
        };
        let stats = db.stats();
        println!(
            "{callers:>7}  {:>8.0}  {:>6.2}  {:>6.2}  {:>17.1}",
            took.len() as f64 / seconds,
            at(0.50),
            at(0.99),
            stats.operations as f64 / stats.commits as f64,
        );
    }
}
