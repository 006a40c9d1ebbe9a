//! The restore drill: `make drill-restore`.

use super::*;
use crate::backup::verify;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Bytes of one blob.
const BLOB_BYTES: usize = 1 << 20;
/// Bytes of one row.
const ROW_BYTES: usize = 4 << 10;

/// Forgets how high memory was, where the system can (Linux).
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Memory at its highest since, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

async fn fill(bed: &Bed, total_bytes: usize) {
    let rows = total_bytes / 2 / ROW_BYTES;
    for first in (0..rows).step_by(256) {
        let put: Result<(), DbError> = bed
            .source
            .db
            .write(move |tx: &Write<'_>| {
                (first..rows.min(first + 256)).try_for_each(|number| {
                    let noise = noise(number as u64, ROW_BYTES * 3 / 8);
                    let text = crate::backup::format::hex(&noise);
                    let filler = "a line of a log that says the same again and again\n".repeat(20);
                    tx.put(&Note { writer: 0, number: number as u64, text: text + &filler })
                })
            })
            .await;
        put.unwrap();
    }
    for number in 0..total_bytes / 2 / BLOB_BYTES {
        let key = format!("drill/{number}").parse().unwrap();
        let mut writer = bed.source.blobs.begin(&key).await.unwrap();
        writer.write(noise(number as u64, BLOB_BYTES).into()).await.unwrap();
        writer.finish().await.unwrap();
    }
    for page in 1..=20 {
        bed.page(page, 400).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and disk: make drill-restore"]
async fn drill_restore() {
    let mib = std::env::var("FAULTMAVEN_DRILL_MIB").ok().and_then(|mib| mib.parse().ok());
    let mib: usize = mib.unwrap_or(256);
    let mut mismatches = 0;
    for encrypted in [false, true] {
        let bed = Arc::new(Bed::new(encrypted));
        fill(&bed, mib << 20).await;
        // From here on the log is kept until it is archived.
        let archiver = bed.archiver();
        archiver.step(bed.clock.now()).await.unwrap();
        forget_peak();
        let (stop, before_mib) = (Arc::new(AtomicBool::new(false)), peak_mib());
        let writers: Vec<_> = (1..=2)
            .map(|writer| {
                let (bed, stop) = (Arc::clone(&bed), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut number = 0;
                    while !stop.load(Ordering::SeqCst) {
                        bed.write(Note::new(writer, number)).await;
                        number += 1;
                    }
                    number
                })
            })
            .collect();
        let began = Instant::now();
        let summary = bed.backup("drill").await.unwrap();
        let backup_s = began.elapsed().as_secs_f64();
        stop.store(true, Ordering::SeqCst);
        let mut meanwhile = 0;
        for writer in writers {
            meanwhile += writer.await.unwrap();
        }
        let began = Instant::now();
        let verified = verify(&bed.path("drill"), bed.unlock(), &quiet()).unwrap();
        let verify_s = began.elapsed().as_secs_f64();
        let began = Instant::now();
        bed.restore("drill", "new", None).await.unwrap();
        let restore_s = began.elapsed().as_secs_f64();
        archiver.step(bed.clock.now()).await.unwrap();
        bed.restore("drill", "all", Some(None)).await.unwrap();
        let peak = peak_mib();
        let (restored, live) = (bed.dump_restored("all"), bed.dump().await);
        mismatches += live.iter().filter(|(key, value)| restored.get(*key) != Some(value)).count();
        mismatches += restored.keys().filter(|key| !live.contains_key(*key)).count();
        let (_, blobs) = bed.open("all");
        for number in 0..(mib << 20) / 2 / BLOB_BYTES {
            let key = format!("drill/{number}").parse().unwrap();
            let content = blobs.get(&key, u64::MAX).await.unwrap();
            mismatches += usize::from(content != noise(number as u64, BLOB_BYTES));
        }
        let content_mb = summary.content_bytes() as f64 / 1e6;
        println!(
            "drill-restore: {} store of {content_mb:.0} MB ({} rows, {} blobs), file {:.0} MB; \
             {meanwhile} writes meanwhile; backup {:.0} MB/s, verify {:.0} MB/s, restore {:.0} \
             MB/s; peak RSS {peak} MiB ({before_mib} before); mismatches {mismatches}",
            if encrypted { "encrypted" } else { "plain" },
            summary.rows(),
            summary.blobs,
            verified.size_bytes as f64 / 1e6,
            content_mb / backup_s,
            content_mb / verify_s,
            content_mb / restore_s,
        );
    }
    assert_eq!(mismatches, 0);
}
