//! Target: four words over 20,000 texts, top 10 under a permission filter, below 1 ms on one core.
//!
//! Texts of 80 words drawn from 8,000 by a power law, so that query words are common and rare ones
//! alike; 1 % is a permission filter spread over the whole index.

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::engine::text::{Change, TextIndex};
use roaring::RoaringBitmap;
use std::hint::black_box;

const COUNT: u32 = 20_000;
const WORDS: usize = 80;
const VOCABULARY: f64 = 8000.0;
const BATCH: u32 = 1000;

/// Seeded (xorshift64*).
struct Noise(u64);

impl Noise {
    /// A word; the density of word `n` falls as `1 / n`.
    fn word(&mut self) -> String {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let uniform =
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64;
        format!("word{}", VOCABULARY.powf(uniform) as u32)
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn bench(criterion: &mut Criterion) {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let index = TextIndex::in_memory().expect("memory");
    for batch in 0..COUNT / BATCH {
        let changes: Vec<_> = (batch * BATCH..(batch + 1) * BATCH)
            .map(|ordinal| Change::Put {
                ordinal,
                document: [0; 16],
                title: noise.text(5),
                text: noise.text(WORDS),
            })
            .collect();
        index.apply(&changes, u64::from(batch)).expect("indexed");
    }
    index.rest().expect("merged");
    let queries: Vec<_> = (0..64).map(|_| noise.text(4)).collect();
    let mut group = criterion.benchmark_group("text_search/20k_4_words_top10");
    for (name, step) in [("all", 1), ("1_percent", 100)] {
        let allowed: RoaringBitmap = (0..COUNT).step_by(step).collect();
        let mut next = queries.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let query = next.next().map_or("", String::as_str);
                black_box(index.search(query, 10, &allowed))
            });
        });
    }
    group.finish();
    let mut sequence = u64::from(COUNT);
    criterion.bench_function("text_search/apply_1_text", |bencher| {
        bencher.iter(|| {
            sequence += 1;
            let ordinal = sequence as u32 % COUNT;
            let text = "one more text about a failing disk".to_owned();
            let put = Change::Put { ordinal, document: [0; 16], title: String::new(), text };
            index.apply(&[put], sequence)
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
