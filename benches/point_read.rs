//! Claim: a point read costs microseconds, because the database is in the process (no socket, no
//! pool): far inside the seed's 5 ms for a session and 20 ms for a case (seed 17.2).

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::base::Ids;
use faultmaven::base::Time;
use faultmaven::base::id::EventId;
use faultmaven::engine::db::{Db, Index, Options, Row, Schema, Span, View, key};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

const ROWS: usize = 100_000;
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

fn reads(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("db");
    let options = Options::default().with_cache(256 << 20);
    let db = Db::open_in(&path, options, Schema::new().with::<Record>()).expect("a store");
    let ids = Ids::seeded(1);
    let made: Vec<EventId> = (0..ROWS).map(|_| ids.next(NOW)).collect();
    for (batch, chunk) in made.chunks(5_000).enumerate() {
        let chunk = chunk.to_vec();
        db.write_blocking(move |tx| {
            chunk.iter().enumerate().try_for_each(|(at, id)| {
                let owner = ((batch * 5_000 + at) % 1_000) as u64;
                tx.put(&Record { id: *id, owner, payload: "x".repeat(PAYLOAD_BYTES) })
            })
        })
        .expect("rows");
    }
    let mut at = 0;
    criterion.bench_function("point_read/by primary key of 100k", |bench| {
        bench.iter(|| {
            at = (at + 7_919) % ROWS;
            black_box(db.read(|tx| tx.get::<Record>(&made[at])).expect("a row"))
        });
    });
    criterion.bench_function("point_read/20 of an owner's 100 by index", |bench| {
        bench.iter(|| {
            at = (at + 7_919) % ROWS;
            let span = Span::prefix(&key().u64((at % 1_000) as u64)).reversed();
            black_box(db.read(|tx| tx.list(&BY_OWNER, &span, 0, 20)).expect("rows"))
        });
    });
}

criterion_group!(benches, reads);
criterion_main!(benches);
