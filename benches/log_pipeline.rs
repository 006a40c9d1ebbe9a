//! Target: a mixed log goes through the whole analysis at 20 MB/s or more on one core.
//!
//! The log is made from a seed: application text with levels and stack traces, syslog, JSON lines,
//! logfmt and access logs in blocks, as a collector writes them. What is measured is everything
//! behind redaction: lines, heads, templates, traces, bursts, gaps, checks, sentences.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faultmaven::uploads::analyse::{DataType, Options, extract};
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

/// Size of each log, in bytes: beyond every cache, small enough for many samples.
const LOG_BYTES: usize = 8 * 1024 * 1024;
/// Lines of one format in a row.
const BLOCK_LINES: u64 = 200;
/// Seed of the logs.
const SEED: u64 = 0x5eed_0001;

/// SplitMix64 (Steele, Lea and Flood 2014): a log must be the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

const USERS: &[&str] = &["ada", "grace", "alan", "edsger", "barbara", "donald", "ken", "dennis"];
const SERVICES: &[&str] = &["cart", "billing", "search", "mail", "auth"];
const PATHS: &[&str] = &["/api/orders", "/api/users", "/static/app.js", "/health", "/login"];

fn clock(second: u64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600 % 24, second / 60 % 60, second % 60)
}

fn text(log: &mut String, random: &mut Random, second: u64) {
    let (time, ms) = (clock(second), random.below(1000));
    let service = random.pick(SERVICES);
    let _ = match random.below(40) {
        0 => writeln!(
            log,
            "2024-03-05 {time},{ms:03} ERROR [worker-{}] org.acme.{service}.Handler: order {} \
            failed\n\
             java.lang.IllegalStateException: pool of {service} is exhausted\n\
             \tat org.acme.{service}.Pool.take(Pool.java:{})\n\
             \tat org.acme.{service}.Handler.run(Handler.java:57)\n\
             \tat java.base/java.lang.Thread.run(Thread.java:833)\n\
             Caused by: java.net.ConnectException: Connection refused\n\t... 12 more",
            random.below(16),
            random.next() % 1_000_000,
            random.below(3) + 40,
        ),
        1..4 => writeln!(
            log,
            "2024-03-05 {time},{ms:03} WARN  [worker-{}] org.acme.{service}.Cache: evicted {} \
            entries in {} ms",
            random.below(16),
            random.below(5000),
            random.below(90),
        ),
        _ => writeln!(
            log,
            "2024-03-05 {time},{ms:03} INFO  [worker-{}] org.acme.{service}.Handler: request \
            {:016x} of user {} from 10.1.{}.{}:{} served in {} ms",
            random.below(16),
            random.next(),
            random.pick(USERS),
            random.below(256),
            random.below(256),
            1024 + random.below(60000),
            random.below(400),
        ),
    };
}

fn syslog(log: &mut String, random: &mut Random, second: u64) {
    let (time, pid) = (clock(second), random.below(30000));
    let _ = match random.below(3) {
        0 => writeln!(
            log,
            "Mar  5 {time} web{} sshd[{pid}]: Failed password for {} from 192.0.2.{} port {} ssh2",
            random.below(4),
            random.pick(USERS),
            random.below(256),
            random.below(60000)
        ),
        1 => writeln!(
            log,
            "Mar  5 {time} web{} CRON[{pid}]: pam_unix(cron:session): session opened for user {} \
            by (uid=0)",
            random.below(4),
            random.pick(USERS)
        ),
        _ => writeln!(
            log,
            "Mar  5 {time} web{} kernel: [{}.{:06}] eth0: link up, 1000 Mbps, flow control rx/tx",
            random.below(4),
            random.below(900_000),
            random.below(1_000_000)
        ),
    };
}

fn json(log: &mut String, random: &mut Random, second: u64) {
    let level = if random.below(30) == 0 { "error" } else { "info" };
    let _ = writeln!(
        log,
        "{{\"time\":\"2024-03-05T{}.{:03}Z\",\"level\":\"{level}\",\"service\":\"{}\",\
         \"msg\":\"handled request\",\"trace_id\":\"{:016x}{:016x}\",\"user\":\"{}\",\
         \"duration_ms\":{},\"status\":200}}",
        clock(second),
        random.below(1000),
        random.pick(SERVICES),
        random.next(),
        random.next(),
        random.pick(USERS),
        random.below(900),
    );
}

fn logfmt(log: &mut String, random: &mut Random, second: u64) {
    let _ = writeln!(
        log,
        "time=2024-03-05T{}Z level=info msg=\"job finished\" service={} job={} took={}ms",
        clock(second),
        random.pick(SERVICES),
        random.below(100_000),
        random.below(5000),
    );
}

fn access(log: &mut String, random: &mut Random, second: u64) {
    let status = if random.below(50) == 0 { 502 } else { 200 };
    let _ = writeln!(
        log,
        "203.0.113.{} - {} [05/Mar/2024:{} +0000] \"GET {}/{} HTTP/1.1\" {status} {} \"-\" \
         \"Mozilla/5.0 (X11; Linux x86_64)\"",
        random.below(256),
        random.pick(USERS),
        clock(second),
        random.pick(PATHS),
        random.below(10_000),
        random.below(90_000),
    );
}

type Maker = fn(&mut String, &mut Random, u64);

fn log(makers: &[Maker]) -> String {
    let mut random = Random(SEED);
    let mut log = String::with_capacity(LOG_BYTES + 4096);
    let mut line = 0;
    while log.len() < LOG_BYTES {
        let maker = makers[(line / BLOCK_LINES) as usize % makers.len()];
        maker(&mut log, &mut random, line / 10);
        line += 1;
    }
    log
}

fn log_pipeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_pipeline");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    let logs: [(&str, &[Maker]); 5] = [
        ("mixed", &[text, syslog, json, logfmt, access]),
        ("text", &[text]),
        ("syslog", &[syslog]),
        ("json", &[json]),
        ("access", &[access]),
    ];
    for (name, makers) in logs {
        let log = log(makers);
        group.throughput(Throughput::Bytes(log.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let content = black_box(log.as_bytes());
                extract(DataType::LogsAndErrors, "text_log", content, Options::default())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, log_pipeline);
criterion_main!(benches);
