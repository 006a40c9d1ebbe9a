//! Points in time.

use super::*;
use crate::backup::segment::{SegmentName, names as segments};
use crate::backup::{archived_until, newest_base};

const SECOND_MS: i64 = 1_000;

/// Ten notes, one a second, before and after a backup; archived half-way and at the end.
async fn history(encrypted: bool) -> Bed {
    let bed = Bed::new(encrypted);
    let archiver = bed.archiver();
    for number in 0..20 {
        bed.clock.advance_ms(SECOND_MS);
        bed.write(Note::new(1, number)).await;
        if number == 9 {
            bed.backup("base").await.unwrap();
        }
        if number % 4 == 3 {
            archiver.step(bed.clock.now()).await.unwrap();
        }
    }
    bed
}

fn second(number: i64) -> Time {
    START.plus_ms(number * SECOND_MS)
}

fn log(bed: &Bed) -> PathBuf {
    bed.path("archive").join(&bed.source.store_id).join("log")
}

#[tokio::test]
async fn a_store_is_restored_to_the_rows_that_were_there_at_a_time_and_none_later() {
    for encrypted in [false, true] {
        let bed = history(encrypted).await;
        for (at, count) in [(10, 10), (11, 11), (15, 15), (20, 20)] {
            let name = format!("at-{at}");
            // Between two commits.
            let time = second(at).plus_ms(SECOND_MS / 2);
            let time = if at == 20 { second(20) } else { time };
            let restored = bed.restore("base", &name, Some(Some(time))).await.unwrap();
            assert_eq!((restored.reached, restored.complete), (second(at), true), "{at}");
            assert_eq!(restored.replayed, count - 10);
            let (db, blobs) = bed.open(&name);
            let found = notes(&db, &blobs).await;
            assert!(found[&1].iter().copied().eq(0..count), "{at}: {found:?}");
            assert_eq!(db.check().unwrap(), []);
            assert_eq!(db.sequence(), restored.sequence);
        }
        let late = bed.restore("base", "late", Some(Some(second(99)))).await.unwrap();
        assert_eq!((late.reached, late.complete), (second(20), false), "said, not hidden");
        let early = bed.restore("base", "early", Some(Some(second(5)))).await.unwrap_err();
        assert!(matches!(early, BackupError::TooLate { .. }), "{early}");
        assert_eq!(names(&bed.path("early")), [""; 0]);
    }
}

#[tokio::test]
async fn a_step_of_many_segments_is_replayed_to_the_very_time_asked_for() {
    let bed = Bed::new(false);
    let archiver = bed.archiver();
    bed.backup("base").await.unwrap();
    for number in 0..60 {
        bed.clock.advance_ms(SECOND_MS);
        let text = crate::backup::format::hex(&noise(number, 1_000));
        bed.put(Note { writer: 1, number, text }).await;
    }
    bed.clock.advance_ms(SECOND_MS);
    archiver.step(bed.clock.now()).await.unwrap();
    let written = segments(&log(&bed)).unwrap();
    assert!(written.len() > 3, "{written:?}");
    for at in [7, 31, 59, 60, 61] {
        let name = format!("at-{at}");
        let restored = bed.restore("base", &name, Some(Some(second(at)))).await.unwrap();
        assert_eq!((restored.reached, restored.complete), (second(at.min(60)), true), "{at}");
    }
    // The last segments are lost: what is left says how far it goes.
    for lost in &written[1..] {
        std::fs::remove_file(log(&bed).join(lost.to_string())).unwrap();
    }
    let short = bed.restore("base", "short", Some(Some(second(60)))).await.unwrap();
    assert!(!short.complete && short.reached < second(60), "{short:?}");
}

#[tokio::test]
async fn of_two_histories_the_one_lived_at_the_time_is_the_base() {
    let bed = Bed::new(false);
    bed.clock.advance_ms(SECOND_MS);
    bed.write_some(1, 0..2).await;
    bed.backup("backups/first.tar.zst").await.unwrap();
    bed.clock.advance_ms(SECOND_MS);
    bed.write_some(1, 2..9).await;
    bed.backup("backups/abandoned.tar.zst").await.unwrap();
    bed.restore("backups/first.tar.zst", "new", None).await.unwrap();
    let (db, blobs) = bed.open("new");
    let source = Source { db, blobs, store_id: "6".repeat(32), ..bed.source.clone() };
    bed.clock.advance_ms(SECOND_MS);
    let path = bed.path("backups/second.tar.zst");
    create(&source, &path, bed.clock.now(), &quiet()).await.unwrap();
    let base = |at| newest_base(&bed.path("backups"), at).map(|base| base.name);
    assert_eq!(base(second(9)).unwrap(), "second.tar.zst");
    assert_eq!(base(second(2)).unwrap(), "abandoned.tar.zst");
    // Nothing changed between the two, but it was made later than asked for.
    assert_eq!(base(second(3).plus_ms(-1)).unwrap(), "abandoned.tar.zst");
}

#[tokio::test]
async fn a_blob_that_could_not_be_archived_is_archived_by_the_next_step() {
    let bed = Bed::new(false);
    let archiver = bed.archiver();
    bed.backup("base").await.unwrap();
    bed.write_some(1, 0..2).await;
    archiver.step(bed.clock.now()).await.unwrap();
    bed.write_some(2, 0..3).await;
    // A file where the folder of these blobs should be.
    let blocked = bed.path("archive").join(&bed.source.store_id).join("blobs/artifacts/2");
    std::fs::write(&blocked, "in the way").unwrap();
    assert!(archiver.step(bed.clock.now()).await.is_err());
    std::fs::remove_file(&blocked).unwrap();
    archiver.step(bed.clock.now()).await.unwrap();
    let restored = bed.restore("base", "new", Some(None)).await.unwrap();
    assert_eq!(restored.archived_blobs, 5);
    let (db, blobs) = bed.open("new");
    assert_eq!(notes(&db, &blobs).await[&2], [0, 1, 2]);
    // One that is in no archive and no backup is said.
    std::fs::remove_file(blocked.join("1")).unwrap();
    let refused = bed.restore("base", "holey", Some(None)).await.unwrap_err().to_string();
    assert!(refused.contains("1 blobs") && refused.contains("artifacts/2/1"), "{refused}");
    assert_eq!(names(&bed.path("holey")), [""; 0]);
}

#[tokio::test]
async fn a_blob_that_lived_between_two_steps_is_there_at_a_time_in_between() {
    let bed = Bed::new(false);
    let archiver = bed.archiver();
    archiver.step(bed.clock.now()).await.unwrap();
    bed.backup("base").await.unwrap();
    bed.clock.advance_ms(SECOND_MS);
    let note = Note::new(1, 7);
    bed.write(note.clone()).await;
    bed.clock.advance_ms(SECOND_MS);
    let removed: Result<_, DbError> =
        bed.source.db.write(move |tx| tx.delete::<Note>(&(1, 7)).map(drop)).await;
    removed.unwrap();
    bed.source.blobs.delete(&note.blob()).await.unwrap();
    archiver.step(bed.clock.now()).await.unwrap();
    assert!(!bed.source.blobs.exists(&note.blob()).await.unwrap(), "it goes with the step");
    let between = second(1).plus_ms(SECOND_MS / 2);
    bed.restore("base", "between", Some(Some(between))).await.unwrap();
    let (db, blobs) = bed.open("between");
    assert_eq!(notes(&db, &blobs).await[&1], [7]);
}

#[tokio::test]
async fn the_newest_backup_before_a_time_is_the_base() {
    let bed = Bed::new(false);
    for number in 0..4 {
        bed.clock.advance_ms(SECOND_MS);
        bed.write(Note::new(1, number)).await;
        bed.backup(&format!("backups/{number}.tar.zst")).await.unwrap();
    }
    let directory = bed.path("backups");
    let base = |at| newest_base(&directory, at).map(|base| base.name);
    assert_eq!(base(second(3)).unwrap(), "2.tar.zst");
    assert_eq!(base(second(3).plus_ms(1)).unwrap(), "2.tar.zst");
    assert_eq!(base(second(90)).unwrap(), "3.tar.zst");
    assert!(matches!(base(START), Err(BackupError::NoBase(_))));
}

#[tokio::test]
async fn a_gap_in_the_archive_is_an_error_and_not_a_silence() {
    let bed = history(false).await;
    let missing: Vec<SegmentName> = segments(&log(&bed)).unwrap();
    let middle = missing[missing.len() - 2];
    std::fs::remove_file(log(&bed).join(middle.to_string())).unwrap();
    for at in [None, Some(second(20)), Some(second(15))] {
        let refused = bed.restore("base", "new", Some(at)).await.unwrap_err();
        let BackupError::Gap { from, until, reachable } = refused else { panic!("{refused}") };
        assert_eq!((from, until, reachable), (middle.first, middle.last, second(12)));
        assert_eq!(names(&bed.path("new")), [""; 0]);
    }
    let before = bed.restore("base", "new", Some(Some(second(11)))).await.unwrap();
    assert_eq!(before.reached, second(11), "a time before the gap can be reached");
}

#[tokio::test]
async fn a_damaged_segment_or_archived_blob_is_refused() {
    for encrypted in [false, true] {
        let bed = history(encrypted).await;
        let last = segments(&log(&bed)).unwrap().pop().unwrap();
        let blob = bed.path("archive").join(&bed.source.store_id).join("blobs/artifacts/1/15");
        for path in [log(&bed).join(last.to_string()), blob] {
            let good = std::fs::read(&path).unwrap();
            // The blob is the same file in the store and in the archive: it must not change there.
            std::fs::remove_file(&path).unwrap();
            for at in (0..good.len()).step_by(good.len() / 12 + 1).chain([good.len() - 1]) {
                let mut bad = good.clone();
                bad[at] ^= 4;
                std::fs::write(&path, &bad).unwrap();
                let refused = bed.restore("base", "new", Some(None)).await.unwrap_err();
                assert!(matches!(refused, BackupError::Archive(_)), "{at}: {refused}");
                assert_eq!(names(&bed.path("new")), [""; 0]);
            }
            std::fs::write(&path, &good[..good.len() - 3]).unwrap();
            assert!(bed.restore("base", "new", Some(None)).await.is_err());
            std::fs::write(&path, &good).unwrap();
        }
        bed.restore("base", "new", Some(None)).await.unwrap();
    }
}

#[tokio::test]
async fn the_archive_goes_on_after_a_restart_and_says_what_a_lost_disk_would_cost() {
    let bed = Bed::new(false);
    let archiver = bed.archiver();
    bed.write_some(1, 0..5).await;
    assert_eq!(archiver.figures(bed.clock.now()).rpo_ms, 0);
    bed.clock.advance_ms(7_000);
    assert_eq!(archiver.figures(bed.clock.now()).rpo_ms, 7_000);
    let figures = archiver.step(bed.clock.now()).await.unwrap();
    assert_eq!((figures.rpo_ms, figures.sequence, figures.blobs), (0, bed.source.db.sequence(), 5));
    drop(archiver);
    let archiver = bed.archiver();
    assert_eq!(archiver.figures(bed.clock.now()).sequence, bed.source.db.sequence());
    bed.write_some(1, 5..8).await;
    archiver.step(bed.clock.now()).await.unwrap();
    let found = segments(&log(&bed)).unwrap();
    assert!(found.windows(2).all(|pair| pair[1].first == pair[0].last + 1), "{found:?}");
    assert_eq!(found.last().unwrap().last, bed.source.db.sequence());
}

#[tokio::test]
async fn the_archiver_stops_when_told_and_archives_what_is_left() {
    let bed = Bed::new(false);
    let archiver = Arc::new(bed.archiver());
    let (halt, halted) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(Arc::clone(&archiver).run(bed.clock.clone(), halted));
    bed.write_some(1, 0..3).await;
    halt.send(true).unwrap();
    task.await.unwrap();
    assert_eq!(archiver.figures(bed.clock.now()).sequence, bed.source.db.sequence());
}

#[test]
fn the_name_of_a_segment_survives_its_text_and_sorts() {
    let name = SegmentName { first: 7, last: 1_000, at: START };
    assert_eq!(name.to_string().parse(), Ok(name));
    let later = SegmentName { first: 1_001, last: 1_001, at: START };
    assert!(later.to_string() > name.to_string());
    assert!("7-8-9.fma.partial".parse::<SegmentName>().is_err());
}

#[tokio::test]
async fn what_is_made_after_a_rotation_of_the_master_key_opens_with_the_new_one() {
    let bed = Bed::new(true);
    let (old, new) = (bed.master.as_ref().unwrap(), MasterKey::generate());
    bed.write_some(1, 0..3).await;
    bed.backup("before").await.unwrap();
    let text = bed.source.keyring.as_ref().unwrap();
    let ring = KeyRing::parse(text.get().as_bytes()).unwrap();
    let archiver = bed.archiver();
    archiver.step(bed.clock.now()).await.unwrap();
    text.replace(ring.rewrap(old, &new).unwrap().to_json());
    bed.write_some(1, 3..6).await;
    bed.backup("after").await.unwrap();
    archiver.step(bed.clock.now()).await.unwrap();
    for (backup, key, opens) in [
        ("before", old, true),
        ("before", &new, false),
        ("after", old, false),
        ("after", &new, true),
    ] {
        let (path, archive) = (bed.path(backup), bed.path("archive"));
        let target = bed.target(&format!("{backup}-{opens}"));
        let unlock = Unlock::Master(key);
        let done = restore(&path, unlock, &target, Some(&archive), None, &quiet()).await;
        assert_eq!(done.is_ok(), opens, "{backup}: {done:?}");
        if let Ok(restored) = done {
            assert_eq!(restored.sequence, bed.source.db.sequence());
        }
    }
}

#[tokio::test]
async fn a_restored_store_begins_an_archive_of_its_own() {
    let bed = history(false).await;
    bed.restore("base", "new", Some(Some(second(15)))).await.unwrap();
    let (db, blobs) = bed.open("new");
    let store_id = "6".repeat(32);
    let source = Source { db: db.clone(), blobs, store_id: store_id.clone(), ..bed.source.clone() };
    let limits = ArchiveLimits::default();
    let archive = bed.path("archive");
    let now = bed.clock.now();
    let archiver = Archiver::open(&source, &archive, Seal::checked(), limits, now).unwrap();
    create(&source, &bed.path("again"), now, &quiet()).await.unwrap();
    let without_blob = Note { text: "alone".to_owned(), ..Note::new(2, 0) };
    put(&db, without_blob).await;
    archiver.step(now).await.unwrap();
    let sequence = db.sequence();
    assert_eq!(archived_until(&archive, &store_id).unwrap(), sequence);
    let restored = bed.restore("again", "both", Some(None)).await.unwrap();
    assert_eq!((restored.sequence, restored.replayed), (sequence, 1));
    // The first history goes when it is too old and no backup needs it.
    let first = bed.source.store_id.clone();
    let late = now.plus_ms(SECOND_MS);
    assert_eq!(archiver.trim_histories(std::slice::from_ref(&first), late).unwrap(), 0);
    assert_eq!(archiver.trim_histories(&[], START).unwrap(), 0);
    assert_eq!(archiver.trim_histories(&[], late).unwrap(), 1);
    assert_eq!(names(&archive), [store_id]);
}
