//! Target: knowledge base semantic search in under 200 ms (seed 17.2).
//!
//! 20,000 passages with vectors of 384 dimensions in one collection, ranked by meaning and words,
//! read from the store, five hits. Without the real model (not in `models/`) a stand-in makes
//! vectors from words: the search itself takes the same time, only embedding the query is then not
//! measured. Also measured: opening search over these passages and loading their vectors.
#![allow(missing_docs, clippy::print_stderr)]

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::base::{Ids, Time};
use faultmaven::engine::db::{Db, Options, Schema, Write};
use faultmaven::engine::embed::{Embed, EmbedError, Pool, load};
use faultmaven::engine::key::Seal;
use faultmaven::engine::text::{Opened, TextIndex};
use faultmaven::search::{Document, Mode, NewChunk, Scope, Search, schema};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Passages of the knowledge base, and of each of its documents.
const PASSAGES: u32 = 20_000;
const PASSAGES_PER_DOCUMENT: u32 = 10;
/// Documents stored in one commit.
const DOCUMENTS_PER_COMMIT: u32 = 100;
const DIMENSIONS: usize = 384;
const NOW: Time = Time::from_unix_us(1_760_000_000_000_000);
const QUESTION: &str = "why does the disk of the database node fill up after a restart";
const WORDS: [&str; 24] = [
    "disk",
    "node",
    "pod",
    "queue",
    "proxy",
    "cache",
    "lock",
    "route",
    "restart",
    "database",
    "replica",
    "timeout",
    "certificate",
    "memory",
    "kernel",
    "volume",
    "network",
    "latency",
    "deploy",
    "alert",
    "failover",
    "snapshot",
    "index",
    "backup",
];

/// A number that looks random and is the same in every run.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Stands in for the model while the knowledge base is filled: a vector for each text from a hash.
struct StandIn;

impl Embed for StandIn {
    fn model_id(&self) -> &str {
        "all-minilm-l6-v2"
    }
    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
    fn tokens_max(&self) -> usize {
        254
    }
    fn token_offsets(&self, _: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        Ok(Vec::new())
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vector = |text: &&str| {
            let seed = text.bytes().fold(7, |hash, byte| mix(hash ^ u64::from(byte)));
            let part = |n| (mix(seed ^ n) % 2001) as f32 / 1000.0 - 1.0;
            let vector: Vec<f32> = (0..DIMENSIONS as u64).map(part).collect();
            let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            vector.iter().map(|x| x / norm).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

fn document(number: u32, ids: &Ids) -> Document {
    let passage = |part: u32| {
        let word = |n: u64| WORDS[(mix(u64::from(number * 100 + part) << 8 | n) % 24) as usize];
        let text: Vec<&str> = (0..80).map(word).collect();
        let heading = format!("Part {part}");
        NewChunk {
            chunk_id: ids.next(NOW),
            heading,
            text: text.join(" "),
            offset_start: 0,
            offset_end: 1,
        }
    };
    Document {
        document: u128::from(number).to_be_bytes(),
        collection: "kb_private_ada".to_owned(),
        title: format!("Runbook {number} of the {}", WORDS[number as usize % WORDS.len()]),
        chunks: (0..PASSAGES_PER_DOCUMENT).map(passage).collect(),
    }
}

fn kb_search(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a temporary directory");
    let options = Options::default().with_cache(256 << 20);
    let db = Db::open_in(&home.path().join("db"), options, schema(Schema::new())).expect("a store");
    let (text, opened) =
        TextIndex::open(&home.path().join("text"), &Seal::checked()).expect("a word index");
    let search = Search::open(&db, text.clone(), opened).expect("search");
    let start = Instant::now();
    runtime.block_on(fill(&db, &search));
    eprintln!("{PASSAGES} passages stored, indexed and given vectors in {:?}", start.elapsed());
    drop(search);

    let start = Instant::now();
    let applied = Opened { applied: applied(&db), rebuilt: false };
    let search = Search::open(&db, text, applied).expect("search");
    eprintln!("search opened over {PASSAGES} passages in {:?}", start.elapsed());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-minilm-l6-v2");
    let model: Arc<dyn Embed> = match load(&directory) {
        Ok(model) => Arc::new(model),
        Err(error) => {
            eprintln!("embedding the query is not measured: {error}");
            Arc::new(StandIn)
        }
    };
    let start = Instant::now();
    search.adopt(Pool::new(model).expect("threads"));
    runtime.block_on(search.catch_up(&db)).expect("loaded vectors");
    eprintln!("vectors loaded from the store in {:?}", start.elapsed());

    let scope = Scope { collections: vec!["kb_private_ada".to_owned()], documents: None };
    let mut group = criterion.benchmark_group("kb_search");
    group.measurement_time(Duration::from_secs(5));
    for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
        let name = format!("{mode:?}").to_lowercase();
        let asked = runtime.block_on(search.ask(QUESTION, mode)).expect("a question");
        group.bench_function(format!("{name}/without_embedding"), |bench| {
            bench.iter(|| {
                black_box(db.read(|tx| search.find(tx, &asked, 5, &scope)).expect("hits"))
            });
        });
        group.bench_function(format!("{name}/whole"), |bench| {
            bench.iter(|| {
                let asked = runtime.block_on(search.ask(QUESTION, mode)).expect("a question");
                black_box(db.read(|tx| search.find(tx, &asked, 5, &scope)).expect("hits"))
            });
        });
    }
    group.finish();
}

async fn fill(db: &Db, search: &Search) {
    let ids = Ids::seeded(1);
    let documents = PASSAGES / PASSAGES_PER_DOCUMENT;
    for first in (0..documents).step_by(DOCUMENTS_PER_COMMIT as usize) {
        let last = documents.min(first + DOCUMENTS_PER_COMMIT);
        let batch: Vec<Document> = (first..last).map(|number| document(number, &ids)).collect();
        let search = search.clone();
        let put =
            move |tx: &Write<'_>| batch.iter().try_for_each(|document| search.put(tx, document));
        db.write(put).await.expect("a commit");
    }
    search.adopt(Pool::new(Arc::new(StandIn)).expect("threads"));
    search.catch_up(db).await.expect("an index");
}

/// The last change, which the word index of this bench has just applied.
fn applied(db: &Db) -> Option<u64> {
    use faultmaven::engine::db::View;
    db.read(|tx| tx.counter("search_sequence")).ok()
}

criterion_group!(benches, kb_search);
criterion_main!(benches);
