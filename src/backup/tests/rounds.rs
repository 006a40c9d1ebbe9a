//! What goes into a backup comes out of it; what should not happen leaves nothing.

use super::*;
use crate::backup::{Backups, Rules, Shelf, list, retain, verify};
use sha2::Digest;
use std::io::Read;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_writers_run_restores_to_what_they_had_been_told() {
    for encrypted in [false, true] {
        let bed = Arc::new(Bed::new(encrypted));
        let archiver = bed.archiver();
        bed.write_some(9, 0..300).await;
        for page in 1..=6 {
            bed.page(page, 40).await;
        }
        let told: Arc<Vec<AtomicU64>> = Arc::new((0..3).map(|_| AtomicU64::new(0)).collect());
        let writers = (0..3).map(|writer| {
            let (bed, told) = (Arc::clone(&bed), Arc::clone(&told));
            tokio::spawn(async move {
                for number in 0..150 {
                    bed.write(Note::new(writer, number)).await;
                    told[writer as usize].store(number + 1, Ordering::SeqCst);
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        while told.iter().any(|told| told.load(Ordering::SeqCst) < 10) {
            tokio::task::yield_now().await;
        }
        let before: Vec<u64> = told.iter().map(|told| told.load(Ordering::SeqCst)).collect();
        let summary = bed.backup("one").await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        let verified = verify(&bed.path("one"), bed.unlock(), &quiet()).unwrap();
        assert_eq!(verified.summary, summary);
        let restored = bed.restore("one", "new", None).await.unwrap();
        assert_eq!((restored.sequence, restored.complete), (summary.manifest.sequence, true));
        assert_eq!(summary.probe.passages.len(), 4);
        assert_eq!(summary.probe.passages[0].nearest.len(), 10);
        let (db, blobs) = bed.open("new");
        assert_eq!(db.sequence(), summary.manifest.sequence);
        assert_eq!(db.check().unwrap(), []);
        let found = notes(&db, &blobs).await;
        for (writer, before) in before.into_iter().enumerate() {
            let numbers = &found[&(writer as u64)];
            assert!(numbers.len() as u64 >= before, "what was acknowledged is there");
            assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "and nothing is torn");
        }
        assert_eq!(found[&9].len(), 300);
        let config = std::fs::read_to_string(bed.path("new/config.toml")).unwrap();
        assert_eq!(config, bed.source.config_toml);
        assert_eq!(bed.path("new/keyring.json").exists(), encrypted);
        // The rest comes from the archive: then both stores are the same, byte by byte.
        archiver.step(bed.clock.now()).await.unwrap();
        let restored = bed.restore("one", "all", Some(None)).await.unwrap();
        assert_eq!(restored.sequence, bed.source.db.sequence());
        assert_eq!(bed.dump_restored("all"), bed.dump().await);
        let (db, blobs) = bed.open("all");
        assert!(notes(&db, &blobs).await.values().all(|numbers| numbers.len() >= 150));
        assert_eq!(db.check().unwrap(), []);
    }
}

#[tokio::test]
async fn a_restored_store_goes_on() {
    let bed = Bed::new(true);
    bed.write_some(1, 0..5).await;
    bed.backup("one").await.unwrap();
    bed.restore("one", "new", None).await.unwrap();
    let (db, _) = bed.open("new");
    let before = db.sequence();
    put(&db, Note::new(1, 5)).await;
    assert_eq!(db.sequence(), before + 1);
    db.closed().await;
    let (db, _) = bed.open("new");
    assert_eq!(db.sequence(), before + 1);
}

#[tokio::test]
async fn an_empty_store_has_a_backup_too() {
    let bed = Bed::new(false);
    let summary = bed.backup("empty").await.unwrap();
    assert_eq!((summary.blobs, summary.probe.passages.len()), (0, 0));
    bed.restore("empty", "new", None).await.unwrap();
    assert_eq!(bed.dump_restored("new"), bed.dump().await);
}

#[tokio::test]
async fn a_row_longer_than_a_chunk_and_the_files_of_a_model_survive() {
    let mut bed = Bed::new(false);
    let model = bed.path("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("weights.bin"), vec![7; 300_000]).unwrap();
    std::fs::write(model.join("tokens.json"), "{}").unwrap();
    bed.source.models.push(crate::backup::Model {
        name: "tiny".to_owned(),
        path: model,
        carried: true,
    });
    let long = Note { writer: 1, number: 1, text: "x".repeat(9 << 20) };
    let note = long.clone();
    bed.put(note).await;
    let summary = bed.backup("long").await.unwrap();
    assert_eq!(summary.files, 3);
    bed.restore("long", "new", None).await.unwrap();
    let (db, _) = bed.open("new");
    let found: Result<_, DbError> = db.read(|tx| tx.get::<Note>(&(1, 1)));
    assert_eq!(found.unwrap(), Some(long));
    assert_eq!(std::fs::read(bed.path("new/models/tiny/weights.bin")).unwrap(), [7; 300_000]);
}

#[tokio::test]
async fn a_plain_backup_is_an_ordinary_archive_whose_sums_any_tool_can_check() {
    let bed = Bed::new(false);
    bed.write_some(1, 0..20).await;
    bed.backup("plain.tar.zst").await.unwrap();
    let file = std::fs::File::open(bed.path("plain.tar.zst")).unwrap();
    let mut tar = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let (mut sums, mut told) = (BTreeMap::new(), String::new());
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if name.starts_with("sums/") {
            told += &String::from_utf8(content).unwrap();
        } else {
            sums.insert(name, sha2::Sha256::digest(&content));
        }
    }
    assert_eq!(told.lines().count(), 21);
    for line in told.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, crate::backup::format::hex(&sums[name]), "{name}");
    }
}

#[tokio::test]
async fn nothing_is_overwritten_and_a_stop_leaves_nothing() {
    let bed = Bed::new(false);
    bed.write_some(1, 0..20).await;
    bed.backup("one").await.unwrap();
    assert!(matches!(bed.backup("one").await, Err(BackupError::Occupied(_))));
    bed.restore("one", "new", None).await.unwrap();
    let before = bed.dump_restored("new");
    let again = bed.restore("one", "new", None).await;
    assert!(matches!(again, Err(BackupError::Occupied(_))));
    assert_eq!(bed.dump_restored("new"), before, "what was there is untouched");
    for n in [1, 3, 15] {
        let made = create(&bed.source, &bed.path("stopped/b"), bed.clock.now(), &stop_at(n)).await;
        assert!(matches!(made, Err(BackupError::Stopped)));
        assert_eq!(names(&bed.path("stopped")), [""; 0]);
        let target = bed.target("half");
        let tell = stop_at(n);
        let half = restore(&bed.path("one"), bed.unlock(), &target, None, None, &tell).await;
        assert!(matches!(half, Err(BackupError::Stopped)), "{n}");
        assert_eq!(names(&bed.path("half")), [""; 0]);
    }
}

#[tokio::test]
async fn a_blob_that_is_deleted_while_a_backup_runs_is_in_it_all_the_same() {
    let bed = Bed::new(false);
    bed.write_some(1, 0..50).await;
    let deleted = Arc::new(AtomicU64::new(0));
    let (blobs, count) = (bed.source.blobs.clone(), Arc::clone(&deleted));
    // Rows come first: by then the snapshot stands, and every blob is deleted under it.
    let handle = tokio::runtime::Handle::current();
    let tell: Tell = Arc::new(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            for number in 0..50 {
                handle.block_on(blobs.delete(&Note::new(1, number).blob())).unwrap();
            }
        }
        ControlFlow::Continue(())
    });
    let path = bed.path("one");
    let summary = create(&bed.source, &path, bed.clock.now(), &tell).await.unwrap();
    assert_eq!(summary.blobs, 50);
    assert!(!bed.source.blobs.exists(&Note::new(1, 7).blob()).await.unwrap(), "gone after it");
    bed.restore("one", "new", None).await.unwrap();
    let (db, blobs) = bed.open("new");
    assert_eq!(notes(&db, &blobs).await[&1].len(), 50);
}

fn desk(bed: &Bed, rules: Rules, archiver: Option<Arc<Archiver>>) -> Backups {
    let shelf = Shelf { directory: bed.path("backups"), keys: bed.keys.clone(), rules };
    Backups::new(bed.source.clone(), shelf, archiver)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn old_backups_go_but_never_the_last_good_one() {
    let bed = Bed::new(true);
    let archiver = Arc::new(bed.archiver());
    let rules = Rules { keep_days: 3, floor_bytes: 0, ..Rules::default() };
    let backups = desk(&bed, rules, Some(Arc::clone(&archiver)));
    for day in 0..6 {
        bed.write_some(1, day * 10..day * 10 + 10).await;
        archiver.step(bed.clock.now()).await.unwrap();
        backups.make(bed.clock.now(), &quiet()).await.unwrap();
        bed.clock.advance_ms(DAY_MS);
    }
    let kept = backups.list().await.unwrap();
    assert_eq!(kept.len(), 4, "today's and those of three days");
    let oldest = kept[3].manifest.clone().unwrap();
    let log = bed.path("archive").join(&bed.source.store_id).join("log");
    let segments = crate::backup::segment::names(&log).unwrap();
    assert!(segments.iter().all(|name| name.last > oldest.sequence), "{segments:?}");
    assert!(!segments.is_empty(), "what a kept backup needs stays");
    // Years later, with the newest one broken: the newest good one stays, and what is newer.
    let directory = bed.path("backups");
    let newest = kept[0].path.clone();
    let mut content = std::fs::read(&newest).unwrap();
    let at = content.len() / 2;
    content[at] ^= 1;
    std::fs::write(&newest, content).unwrap();
    let keys = bed.keys.clone().unwrap();
    let mut is_good = |path: &Path| verify(path, Unlock::Keys(&keys), &quiet()).is_ok();
    let later = bed.clock.now().plus_ms(1_000 * DAY_MS);
    assert_eq!(retain(&directory, 3, later, &mut is_good).unwrap(), 2);
    let left: Vec<_> = list(&directory).unwrap().into_iter().map(|one| one.path).collect();
    assert_eq!(left, [kept[0].path.clone(), kept[1].path.clone()]);
    assert_eq!(retain(&directory, 3, later, &mut |_| false).unwrap(), 0);
}

#[tokio::test]
async fn a_full_disk_shortens_the_archive_to_the_newest_good_backup() {
    let bed = Bed::new(false);
    let archiver = Arc::new(bed.archiver());
    let rules = Rules { floor_bytes: 0, ..Rules::default() };
    let backups = desk(&bed, rules, Some(Arc::clone(&archiver)));
    backups.make(bed.clock.now(), &quiet()).await.unwrap();
    for day in 0..3 {
        for number in day * 5..day * 5 + 5 {
            // Without blobs: their files have the time of the machine, not that of the test.
            bed.put(Note { writer: 1, number, text: "alone".to_owned() }).await;
        }
        archiver.step(bed.clock.now()).await.unwrap();
        bed.clock.advance_ms(DAY_MS);
        if day < 2 {
            backups.make(bed.clock.now(), &quiet()).await.unwrap();
        }
    }
    let log = bed.path("archive").join(&bed.source.store_id).join("log");
    let count = || crate::backup::segment::names(&log).unwrap();
    let before = count();
    backups.tidy(bed.clock.now(), false).await.unwrap();
    assert_eq!(count(), before, "the oldest backup needs all of it");
    // The newest backup is broken: the one before it counts.
    let listed = backups.list().await.unwrap();
    std::fs::write(bed.path("backups/faultmaven-1.tar.zst.partial"), "half").unwrap();
    let content = std::fs::read(&listed[0].path).unwrap();
    let mut bad = content.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    bad.push(0);
    std::fs::write(&listed[0].path, bad).unwrap();
    backups.tidy(bed.clock.now(), true).await.unwrap();
    let base = |at: usize| listed[at].manifest.as_ref().unwrap().sequence;
    assert!(count().iter().all(|name| name.last > base(1)), "{:?}", count());
    assert!(count().iter().any(|name| name.last <= base(0)), "{:?}", count());
    std::fs::write(&listed[0].path, content).unwrap();
    backups.tidy(bed.clock.now(), true).await.unwrap();
    assert!(count().iter().all(|name| name.last > base(0)) && !count().is_empty());
    assert_eq!(names(&bed.path("backups")).len(), 3, "no backup went, half a one did");
    let name = format!("backups/{}", listed[0].name);
    let restored = bed.restore(&name, "new", Some(None)).await.unwrap();
    assert_eq!(restored.sequence, bed.source.db.sequence());
}

#[tokio::test]
async fn old_backups_go_without_a_new_one_and_before_one_is_refused() {
    let bed = Bed::new(false);
    let rules = Rules { keep_days: 3, floor_bytes: 0, ..Rules::default() };
    for _ in 0..2 {
        desk(&bed, rules, None).make(bed.clock.now(), &quiet()).await.unwrap();
        bed.clock.advance_ms(DAY_MS);
    }
    bed.clock.advance_ms(10 * DAY_MS);
    let none_fits = Rules { floor_bytes: u64::MAX / 2, ..rules };
    let refused = desk(&bed, none_fits, None).make(bed.clock.now(), &quiet()).await.unwrap_err();
    assert!(matches!(refused, BackupError::NoSpace { .. }), "{refused}");
    assert_eq!(names(&bed.path("backups")).len(), 1, "only the last good one is kept");
}

#[tokio::test]
async fn a_gap_in_the_archive_is_counted_and_has_a_backup_made() {
    let bed = Bed::new(false);
    let archiver = Arc::new(bed.archiver());
    bed.write_some(1, 0..3).await;
    archiver.step(bed.clock.now()).await.unwrap();
    assert!(!archiver.needs_backup());
    let archived = archiver.figures(bed.clock.now()).sequence;
    archiver.skip_to(archived + 7, archived);
    bed.clock.advance_ms(5_000);
    let figures = archiver.figures(bed.clock.now());
    assert_eq!((figures.skipped, figures.rpo_ms), (7, 5_000));
    assert!(archiver.needs_backup());
    bed.write_some(1, 3..12).await;
    let rules = Rules { floor_bytes: 0, ..Rules::default() };
    let backups = desk(&bed, rules, Some(Arc::clone(&archiver)));
    assert_eq!(backups.due().await.unwrap(), Some(Time::default()));
    backups.make(bed.clock.now(), &quiet()).await.unwrap();
    assert!(!archiver.needs_backup());
    assert!(backups.due().await.unwrap() > Some(bed.clock.now()));
}

#[tokio::test]
async fn a_scheduled_backup_names_the_models_and_an_explicit_one_holds_them() {
    let mut bed = Bed::new(true);
    let model = bed.path("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("weights.bin"), noise(1, 300_000)).unwrap();
    let tiny = crate::backup::Model { name: "tiny".to_owned(), path: model, carried: true };
    bed.source.models.push(tiny);
    let rules = Rules { floor_bytes: 0, ..Rules::default() };
    let backups = desk(&bed, rules, None);
    let scheduled = backups.make_scheduled(bed.clock.now(), bed.ids.next(START)).await.unwrap();
    let explicit = backups.make(bed.clock.now(), &quiet()).await.unwrap();
    assert_eq!((scheduled.summary.files, explicit.summary.files), (1, 2));
    assert!(scheduled.size_bytes + 300_000 < explicit.size_bytes + 20_000);
    let named = scheduled.summary.manifest.models.clone();
    assert_eq!(named, explicit.summary.manifest.models);
    let sha256 = crate::backup::format::hex(&sha2::Sha256::digest(noise(1, 300_000)));
    assert_eq!((named[0].name.as_str(), named[0].sha256.as_str()), ("tiny/weights.bin", &*sha256));
    bed.restore(&format!("backups/{}", scheduled.name()), "new", None).await.unwrap();
    assert!(!bed.path("new/models").exists());
}

#[tokio::test]
async fn a_disk_without_room_is_left_alone_and_half_backups_are_swept() {
    let bed = Bed::new(false);
    let rules = Rules { floor_bytes: u64::MAX / 2, ..Rules::default() };
    std::fs::create_dir(bed.path("backups")).unwrap();
    std::fs::write(bed.path("backups/faultmaven-1.tar.zst.partial"), "half").unwrap();
    let refused = desk(&bed, rules, None).make(bed.clock.now(), &quiet()).await.unwrap_err();
    assert!(matches!(refused, BackupError::NoSpace { .. }), "{refused}");
    assert_eq!(names(&bed.path("backups")), [""; 0]);
    let rules = Rules { floor_bytes: 0, ..Rules::default() };
    let made = desk(&bed, rules, None).make(bed.clock.now(), &quiet()).await.unwrap();
    assert_eq!(made.name(), "faultmaven-20261123T100000Z.tar.zst");
    let made = desk(&bed, rules, None).make(bed.clock.now(), &quiet()).await.unwrap();
    assert_eq!(made.name(), "faultmaven-20261123T100000Z-2.tar.zst");
}

#[tokio::test]
async fn the_schedule_makes_a_backup_when_one_is_due_and_records_it() {
    let bed = Bed::new(false);
    let rules = Rules { floor_bytes: 0, ..Rules::default() };
    let backups = desk(&bed, rules, None);
    let (halt, halted) = tokio::sync::watch::channel(false);
    let mut committed = bed.source.db.committed();
    let task = tokio::spawn(crate::backup::schedule(
        backups.clone(),
        bed.clock.clone(),
        bed.ids.clone(),
        halted,
    ));
    committed.changed().await.unwrap();
    assert_eq!(backups.list().await.unwrap().len(), 1);
    let verified = bed.source.db.read(crate::ops::audit::verify).unwrap();
    assert_eq!(verified.entries, 1);
    halt.send(true).unwrap();
    task.await.unwrap();
}
