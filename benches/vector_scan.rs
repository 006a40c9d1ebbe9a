//! Target: top 10 of 20,000 vectors of 384 dimensions in under 1 ms on one core, exact.
//!
//! Vectors are a mixture of 500 clusters, so that near neighbours exist as they do in real text;
//! 10 % and 1 % are permission filters spread over the whole collection.

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::engine::vector::Vectors;
use roaring::RoaringBitmap;
use std::hint::black_box;

const COUNT: u32 = 20_000;
const DIMENSIONS: usize = 384;
const CLUSTERS: u32 = 500;
const QUERIES: u32 = 64;

/// Seeded noise, roughly normal: the sum of four uniform numbers (xorshift64*).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1u32 << 24) as f32 - 0.5
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (0..4).map(|_| self.uniform()).sum()).collect()
    }

    fn near(&mut self, center: &[f32], spread: f32) -> Vec<f32> {
        self.vector().iter().zip(center).map(|(noise, center)| center + spread * noise).collect()
    }
}

fn bench(criterion: &mut Criterion) {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let centers: Vec<_> = (0..CLUSTERS).map(|_| noise.vector()).collect();
    let center = |ordinal: u32| &centers[(ordinal % CLUSTERS) as usize];
    let vectors = Vectors::new();
    for ordinal in 0..COUNT {
        let vector = noise.near(center(ordinal), 0.7);
        vectors.insert("kb", ordinal, &vector).expect("finite");
    }
    let queries: Vec<_> = (0..QUERIES).map(|q| noise.near(center(q * 7), 0.9)).collect();
    let mut group = criterion.benchmark_group("vector_scan/20k_x_384_top10");
    for (name, step) in [("all", None), ("10_percent", Some(10)), ("1_percent", Some(100))] {
        let allowed = step.map(|step| (0..COUNT).step_by(step).collect::<RoaringBitmap>());
        let mut next = queries.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let query = next.next().map_or(&[][..], Vec::as_slice);
                black_box(vectors.search(&["kb"], query, 10, allowed.as_ref()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
