//! Target: encryption costs at most 15 % of a durable write or a read: sectors and chunks above
//! 1 GiB/s on one core, many times what a disk gives.
//!
//! The content is 16 MiB of noise; a sector range is 256 KiB, a page 4 KiB, a record 1 KiB.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faultmaven::engine::key::{KeyRing, MasterKey, RecordSeal, SECTOR_BYTES, Seal, TAG_BYTES};
use std::hint::black_box;

const CONTENT_BYTES: usize = 16 * 1024 * 1024;
/// What a writer hands over in one call.
const PIECE_BYTES: usize = 512 * 1024;
const RANGE_BYTES: usize = 256 * 1024;
const RECORD_BYTES: usize = 1024;

/// Seeded (xorshift64*).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    };
    (0..bytes / 8).flat_map(|_| next()).collect()
}

/// Seals in pieces into a buffer that is emptied, as a blob writer does.
fn seal(seal: &Seal, content: &[u8], part: &mut Vec<u8>) {
    let mut encoder = seal.encoder();
    for piece in content.chunks(PIECE_BYTES) {
        encoder.push(piece, part);
        black_box(part.as_slice());
        part.clear();
    }
    encoder.finish(part);
    part.clear();
}

fn open(seal: &Seal, sealed: &[u8], part: &mut Vec<u8>) {
    let mut decoder = seal.decoder();
    for piece in sealed.chunks(PIECE_BYTES) {
        decoder.push(piece, part).expect("sound");
        black_box(part.as_slice());
        part.clear();
    }
    decoder.finish(part).expect("whole");
    part.clear();
}

fn bench(criterion: &mut Criterion) {
    let (_, keys) = KeyRing::create(&MasterKey::generate()).expect("a ring");
    let content = noise(CONTENT_BYTES);
    let mut part = Vec::new();
    let mut group = criterion.benchmark_group("encryption/container_16_mib");
    group.throughput(Throughput::Bytes(CONTENT_BYTES as u64)).sample_size(20);
    for (name, suite) in [("checked", Seal::checked()), ("keyed", keys.seal("bench"))] {
        group.bench_function(format!("seal_{name}"), |bencher| {
            bencher.iter(|| seal(&suite, &content, &mut part));
        });
        let mut sealed = Vec::new();
        let mut encoder = suite.encoder();
        encoder.push(&content, &mut sealed);
        encoder.finish(&mut sealed);
        group.bench_function(format!("open_{name}"), |bencher| {
            bencher.iter(|| open(&suite, &sealed, &mut part));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("encryption/record_1_kib");
    group.throughput(Throughput::Bytes(RECORD_BYTES as u64));
    for (name, suite) in [("checked", Seal::checked()), ("keyed", keys.seal("bench"))] {
        let records: RecordSeal = suite.records([7; 16]);
        let mut sequence = 0;
        let mut body = Vec::with_capacity(RECORD_BYTES + TAG_BYTES);
        group.bench_function(format!("seal_{name}"), |bencher| {
            bencher.iter(|| {
                body.clear();
                body.extend_from_slice(&content[..RECORD_BYTES]);
                sequence += 1;
                records.seal(sequence, b"", &mut body);
                black_box(body.as_slice());
            });
        });
    }
    group.finish();

    let xts = keys.xts("bench");
    for (name, bytes) in [("page_4_kib", SECTOR_BYTES), ("range_256_kib", RANGE_BYTES)] {
        let mut group = criterion.benchmark_group(format!("encryption/xts_{name}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut range = noise(bytes);
        let offset = 12_345 * SECTOR_BYTES as u64;
        group.bench_function("encrypt", |bencher| {
            bencher.iter(|| xts.encrypt(offset, black_box(&mut range)));
        });
        group.bench_function("decrypt", |bencher| {
            bencher.iter(|| xts.decrypt(offset, black_box(&mut range)));
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
