//! Target: redaction reads ordinary logs at 60 MB/s or more on one core.
//!
//! The logs are made from a seed. `plain` holds what most lines are: times, levels, classes, paths,
//! private addresses, ids. `crowded` has a public address, an e-mail address or a secret on every
//! second line, so that replacing counts too.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faultmaven::privacy::{Placeholders, Policy, Redactor, Salt};
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

/// Size of each log, in bytes: beyond every cache, small enough for many samples.
const LOG_BYTES: usize = 8 * 1024 * 1024;
/// Seed of the logs.
const SEED: u64 = 0x5eed_0002;

/// SplitMix64 (Steele, Lea and Flood 2014): a log must be the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn plain(log: &mut String, random: &mut Random, line: u64) {
    let (host, port) = (random.below(250), 30_000 + random.below(30_000));
    let _ = match random.below(4) {
        0 => writeln!(
            log,
            "2024-03-05 10:{:02}:{:02},{:03} INFO [worker-{}] org.acme.Pool: took 10.0.3.{host}:{port}",
            line / 60 % 60,
            line % 60,
            random.below(1000),
            random.below(16)
        ),
        1 => writeln!(
            log,
            "Mar  5 10:11:12 web3 sshd[{port}]: pam_unix(sshd:auth): authentication failure; uid=0"
        ),
        2 => writeln!(
            log,
            "{{\"ts\":17096334{port},\"level\":\"info\",\"span_id\":\"{:016x}\",\"msg\":\"done\"}}",
            random.below(u64::MAX)
        ),
        _ => writeln!(
            log,
            "10.0.1.{host} - - [05/Mar/2024:10:11:12 +0000] \"GET /api/orders/{port} HTTP/1.1\" 200 {port}"
        ),
    };
}

fn crowded(log: &mut String, random: &mut Random, line: u64) {
    let who = random.below(500);
    let _ = match random.below(6) {
        0 => writeln!(log, "login of user{who}@example.org from 203.0.113.{}", who % 256),
        1 => writeln!(log, "connect postgres://app:s3cret{who}@db:5432/orders failed"),
        2 => writeln!(log, "Failed password for root from 198.51.100.{} port 22 ssh2", who % 256),
        _ => {
            plain(log, random, line);
            Ok(())
        }
    };
}

fn made(line: fn(&mut String, &mut Random, u64)) -> String {
    let (mut log, mut random) = (String::with_capacity(LOG_BYTES + 256), Random(SEED));
    let mut number = 0;
    while log.len() < LOG_BYTES {
        line(&mut log, &mut random, number);
        number += 1;
    }
    log
}

fn redaction(criterion: &mut Criterion) {
    let redactor = Redactor::new(&Policy::default());
    let mut group = criterion.benchmark_group("redaction");
    group.throughput(Throughput::Bytes(LOG_BYTES as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for (name, log) in [("plain", made(plain)), ("crowded", made(crowded))] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut placeholders = Placeholders::new(Salt::new([7; 32]));
                black_box(redactor.redact(black_box(&log), &mut placeholders).text.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, redaction);
criterion_main!(benches);
