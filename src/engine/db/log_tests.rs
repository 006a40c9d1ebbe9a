//! What lies on the disk: crash images, damage, encryption, compaction, the change log.

use super::*;
use crate::base::{Clock, Time};
use crate::engine::disk::{Disk, Memory};
use crate::engine::key::{KeyRing, Keys, MasterKey};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: u64,
    topic: u64,
    text: String,
}

const BY_TOPIC: Index<Note> = Index::many("notes_by_topic", |n| Some(key().u64(n.topic)));

impl Row for Note {
    type Key = u64;
    const TABLE: &'static str = "notes";
    const INDEXES: &'static [Index<Self>] = &[BY_TOPIC];
    fn key(&self) -> u64 {
        self.id
    }
}

fn note(id: u64, text: &str) -> Note {
    Note { id, topic: id % 7, text: text.to_owned() }
}

fn schema() -> Schema {
    Schema::new().with::<Note>()
}

/// Segments of 64 KiB and no checkpoint by itself, so that tests decide when there is one.
fn options() -> Options {
    let log = LogLimits {
        segment_bytes: 64 << 10,
        bytes_max: 4 << 20,
        checkpoint_bytes: u64::MAX,
        checkpoint_ms: u64::MAX,
    };
    Options { log, ..Options::default().with_cache(1 << 20) }
}

fn keys() -> Keys {
    KeyRing::create(&MasterKey::generate()).unwrap().1
}

fn open(disk: &Memory, options: &Options) -> Result<(Db, Opened), DbError> {
    Db::open(Arc::new(disk.clone()), options.clone(), schema())
}

fn put(db: &Db, id: u64, text: &str) {
    let row = note(id, text);
    db.write_blocking(move |tx| tx.put(&row)).unwrap();
}

fn rows(db: &Db) -> BTreeMap<u64, String> {
    let mut rows = BTreeMap::new();
    db.read(|tx| {
        tx.each_row::<Note>(&Span::all(), |row| {
            rows.insert(row.id, row.text);
            ControlFlow::Continue(())
        })
    })
    .unwrap();
    rows
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn what_only_the_log_has_is_there_after_a_crash() {
    for options in [options(), Options { keys: Some(keys()), ..options() }] {
        let disk = Memory::new();
        let (db, opened) = open(&disk, &options).unwrap();
        assert!(opened.created);
        (0..50).for_each(|id| put(&db, id, "before"));
        wait(db.checkpoint()).unwrap();
        (25..100).for_each(|id| put(&db, id, "after"));
        db.write_blocking(|tx| tx.delete::<Note>(&3)).unwrap();
        let image = disk.image();
        let (again, opened) = open(&image, &options).unwrap();
        assert_eq!((opened.created, opened.replayed), (false, 76));
        assert_eq!(rows(&again), rows(&db));
        assert_eq!(again.check().unwrap(), vec![]);
        assert_eq!(again.sequence(), db.sequence());
        assert_eq!(again.space().unwrap().live_bytes, db.space().unwrap().live_bytes);
        // Sequences go on, also through a second crash.
        put(&again, 500, "later");
        drop(db);
        let (third, opened) = open(&image.image(), &options).unwrap();
        assert_eq!((opened.replayed, rows(&third).len()), (1, 100));
        assert_eq!(rows(&third), rows(&again));
    }
}

#[test]
fn a_closed_store_has_nothing_to_replay() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    (0..10).for_each(|id| put(&db, id, "x"));
    drop(db);
    assert_eq!(open(&disk, &options()).unwrap().1.replayed, 0);
}

#[test]
fn a_segment_serves_again_once_nobody_needs_it() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    let text = "x".repeat(1000);
    for round in 0..20 {
        (0..100).for_each(|id| put(&db, id, &text));
        wait(db.checkpoint()).unwrap();
        assert!(db.space().unwrap().log_bytes <= 8 * (64 << 10), "round {round}");
    }
    assert!(matches!(db.log_since(0, 1), Err(DbError::LogGone { oldest }) if oldest > 1));
}

#[test]
fn starting_again_and_again_does_not_fill_the_log() {
    // Somebody needs every record, and each start makes a segment.
    let holders = vec![("archive".to_owned(), 0, Hold::Firm)];
    let options = Options { holders, ..options() };
    let mut disk = Memory::new();
    for id in 0..200 {
        let (db, _) = open(&disk, &options).unwrap();
        put(&db, id, "one change each time");
        disk = disk.image();
    }
    let (db, _) = open(&disk, &options).unwrap();
    assert_eq!((rows(&db).len(), db.log_since(0, usize::MAX).unwrap().len()), (200, 200));
    assert!(db.space().unwrap().log_bytes < 1 << 20, "{:?}", db.space());
}

#[test]
fn a_change_larger_than_a_segment_is_kept() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    let text = "y".repeat(300 << 10);
    put(&db, 1, &text);
    put(&db, 2, "small");
    let (again, _) = open(&disk.image(), &options()).unwrap();
    assert_eq!(rows(&again)[&1], text);
    assert_eq!(rows(&again).len(), 2);
}

#[test]
fn holders_decide_how_far_back_the_log_goes() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    db.keep_log("archive", 0, Hold::Firm);
    db.keep_log("feed", 0, Hold::Soft);
    let text = "z".repeat(10_000);
    let mut acknowledged = 0;
    let refused = (0..1000).find_map(|id| {
        let row = note(id, &text);
        let answer = db.write_blocking(move |tx| tx.put(&row));
        acknowledged += u64::from(answer.is_ok());
        answer.err()
    });
    // The limit is 4 MiB; a firm holder stops the writers instead of being forgotten.
    assert!(matches!(refused, Some(DbError::LogFull)), "{refused:?}");
    assert!(acknowledged > 300, "{acknowledged}");
    let first = db.log_since(0, 1).unwrap();
    assert_eq!((first[0].sequence, first.len()), (1, 1));
    let all = db.log_since(0, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, db.sequence());
    assert!(all.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    assert_eq!(db.log_since(db.sequence(), usize::MAX).unwrap(), vec![]);
    db.keep_log("archive", db.sequence(), Hold::Firm);
    (5000..5010).for_each(|id| put(&db, id, &text));
    // The soft one was forgotten when the next segment was needed.
    assert!(matches!(db.log_since(0, 1), Err(DbError::LogGone { .. })));
}

#[test]
fn the_log_says_what_changed() {
    let start = Time::from_unix_us(1_000_000);
    let clock = Clock::standing_at(start);
    let disk = Memory::new();
    let (db, _) = open(&disk, &Options { clock: clock.clone(), ..options() }).unwrap();
    put(&db, 1, "one");
    clock.advance_ms(5);
    db.write_blocking(|tx| tx.delete::<Note>(&1)).unwrap();
    // A clock set back does not make time run backwards.
    clock.advance_ms(-1000);
    db.write_blocking(|tx| tx.set_mark("place", b"here")).unwrap();
    let records = db.log_since(0, usize::MAX).unwrap();
    let seen: Vec<_> = records
        .iter()
        .map(|r| {
            let what: Vec<_> =
                r.changes.iter().map(|c| (c.table.as_str(), c.value.is_some())).collect();
            (r.sequence, r.time.since_ms(start), what)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, 0, vec![("notes_by_topic", true), ("notes", true)]),
            (2, 5, vec![("notes_by_topic", false), ("notes", false)]),
            (3, 5, vec![("meta", true)]),
        ]
    );
    for record in records {
        let mut bytes = Vec::new();
        record.encode(&mut bytes).unwrap();
        assert_eq!(Record::decode(&bytes).unwrap(), record);
        assert!(Record::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}

/// The crash image with one bit of one file flipped.
fn flipped(disk: &Memory, name: &str, at: u64) -> Memory {
    let image = disk.image();
    let file = image.open(name).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    image
}

#[test]
fn a_damaged_record_before_a_whole_one_is_named() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    put(&db, 1, "first marker");
    put(&db, 2, "second");
    let log = disk.names().unwrap().into_iter().find(|n| n.starts_with("log-")).unwrap();
    // The first record starts behind the segment's head.
    let error = open(&flipped(&disk, &log, 48 + 40), &options()).map(drop).unwrap_err();
    assert!(matches!(&error, DbError::Damaged(what) if what.contains(&log)), "{error}");
}

#[test]
fn a_torn_last_record_is_as_if_never_submitted() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    put(&db, 1, "first");
    let before = db.log_since(0, usize::MAX).unwrap()[0].size_bytes() as u64;
    put(&db, 2, "second");
    let log = disk.names().unwrap().into_iter().find(|n| n.starts_with("log-")).unwrap();
    let image = flipped(&disk, &log, 48 + before + 16 + 48 + 8);
    let (again, opened) = open(&image, &options()).unwrap();
    assert_eq!((opened.replayed, rows(&again).len()), (1, 1));
    // The next change has the number of the torn one, in a segment of its own.
    put(&again, 3, "third");
    let (third, _) = open(&image.image(), &options()).unwrap();
    assert_eq!(rows(&third).into_keys().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn damage_to_what_the_store_file_holds_hides_nothing_after_it() {
    let (disk, options) = (Memory::new(), options());
    let (db, _) = open(&disk, &options).unwrap();
    put(&db, 1, "in the store file");
    wait(db.checkpoint()).unwrap();
    put(&db, 2, "in the log only");
    let crashed = disk.image();
    let opened = open(&flipped(&crashed, "log-0000000000", 100), &options).unwrap().0;
    assert_eq!(rows(&opened), rows(&db));
    for at in [3, 9, 20, 33] {
        let Err(refused) = open(&flipped(&crashed, "log-0000000000", at), &options) else {
            panic!("a store without change 2 was opened; byte {at} is flipped");
        };
        assert_eq!(
            refused.to_string(),
            "the store is damaged: the head of log-0000000000 is damaged"
        );
    }
}

#[test]
fn a_missing_segment_is_named() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    let text = "x".repeat(1000);
    (0..200).for_each(|id| put(&db, id, &text));
    let logs: Vec<_> =
        disk.names().unwrap().into_iter().filter(|n| n.starts_with("log-")).collect();
    assert!(logs.len() > 2);
    let image = disk.image();
    image.remove(&logs[1]).unwrap();
    let error = open(&image, &options()).map(drop).unwrap_err();
    assert!(error.to_string().contains("the log goes from change"), "{error}");
    let image = disk.image();
    image.remove("store.db").unwrap();
    // The whole log is there: nothing is lost.
    assert_eq!(rows(&open(&image, &options()).unwrap().0), rows(&db));
}

#[test]
fn a_damaged_page_is_an_error_and_never_an_answer() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    let text = "page after page ".repeat(60);
    (0..300).for_each(|id| put(&db, id, &text));
    let whole = rows(&db);
    drop(db);
    let pages = disk.open("store.db").unwrap().size_bytes().unwrap() / 4096;
    let (mut detected, mut harmless) = (0, 0);
    for page in 0..pages {
        let image = flipped(&disk, "store.db", page * 4096 + 100);
        match open(&image, &options()) {
            Err(DbError::Damaged(_) | DbError::Storage(_)) => detected += 1,
            Err(other) => panic!("page {page}: {other}"),
            Ok((db, _)) => {
                let read = db.read(|tx| {
                    let mut seen = BTreeMap::new();
                    tx.each_row::<Note>(&Span::all(), |row| {
                        seen.insert(row.id, row.text);
                        ControlFlow::Continue(())
                    })?;
                    Ok::<_, DbError>(seen)
                });
                match read {
                    Ok(seen) => {
                        assert_eq!(seen, whole, "page {page}");
                        match db.check() {
                            Ok(faults) => {
                                assert_eq!(faults, vec![], "page {page}");
                                harmless += 1;
                            }
                            Err(_) => detected += 1,
                        }
                    }
                    Err(_) => detected += 1,
                }
            }
        }
    }
    assert!(detected > 50, "{detected} of {pages} detected, {harmless} harmless");
}

#[test]
fn one_damaged_page_leaves_the_others_readable() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    let text = "abc".repeat(500);
    (0..200).for_each(|id| put(&db, id, &text));
    drop(db);
    // Find a page whose damage hits some rows only.
    let pages = disk.open("store.db").unwrap().size_bytes().unwrap() / 4096;
    let partly = (1..pages).find_map(|page| {
        let image = flipped(&disk, "store.db", page * 4096 + 2000);
        let (db, _) = open(&image, &options()).ok()?;
        let answers: Vec<_> = (0..200)
            .map(|id| {
                let answer = db.read(|tx| tx.get::<Note>(&id));
                // Whatever was asked of the writer before this was done when it answers.
                wait(db.snapshot()).map(drop).ok();
                answer.is_ok()
            })
            .collect();
        let failed = answers.iter().filter(|ok| !**ok).count();
        (failed > 0 && failed < 100).then_some((db, answers))
    });
    let (db, answers) = partly.expect("some page holds a few rows");
    let good = answers.iter().position(|ok| *ok).unwrap() as u64;
    assert_eq!(db.read(|tx| tx.get::<Note>(&good)).unwrap().unwrap().text, text);
}

#[test]
fn nothing_of_an_encrypted_store_is_readable_on_disk() {
    let marker = "the eagle lands at dawn";
    let planted = |disk: &Memory| {
        disk.names().unwrap().into_iter().any(|name| {
            let file = disk.open(&name).unwrap();
            let mut bytes = vec![0; file.size_bytes().unwrap() as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes.windows(marker.len()).any(|w| w == marker.as_bytes())
        })
    };
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    put(&db, 1, marker);
    assert!(planted(&disk), "a plain store shows it in its log");
    let (disk, keys) = (Memory::new(), keys());
    let sealed = Options { keys: Some(keys), ..options() };
    let (db, _) = open(&disk, &sealed).unwrap();
    put(&db, 1, marker);
    assert!(!planted(&disk));
    drop(db);
    assert!(!planted(&disk));
    let (db, _) = open(&disk, &sealed).unwrap();
    assert_eq!(rows(&db)[&1], marker);
    drop(db);
    let other = Options { keys: Some(self::keys()), ..options() };
    assert!(open(&disk, &other).is_err(), "another key opens nothing");
    assert!(open(&disk, &options()).is_err(), "no key opens nothing");
}

#[test]
fn a_compaction_returns_space_while_writers_go_on() {
    for options in [options(), Options { keys: Some(keys()), ..options() }] {
        let disk = Memory::new();
        let (db, _) = open(&disk, &options).unwrap();
        let text = "wide ".repeat(400);
        for id in 0..2000 {
            put(&db, id, &text);
        }
        for id in 0..1900 {
            db.write_blocking(move |tx| tx.delete::<Note>(&id)).unwrap();
        }
        let writer = std::thread::spawn({
            let db = db.clone();
            move || (3000..3300).for_each(|id| put(&db, id, "meanwhile"))
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let compacted = runtime.block_on(db.compact()).unwrap();
        assert!(compacted.after_bytes * 2 < compacted.before_bytes, "{compacted:?}");
        writer.join().unwrap();
        put(&db, 4000, "after");
        assert_eq!(rows(&db).len(), 401);
        assert_eq!(db.check().unwrap(), vec![]);
        let live = db.space().unwrap().live_bytes;
        let (again, _) = open(&disk.image(), &options).unwrap();
        assert_eq!(rows(&again), rows(&db));
        assert_eq!(again.space().unwrap().live_bytes, live);
    }
}

#[test]
fn a_reader_sees_its_moment_through_a_compaction() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    (0..100).for_each(|id| put(&db, id, "then"));
    let snapshot = wait(db.snapshot()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    (0..100).for_each(|id| put(&db, id, "now"));
    runtime.block_on(db.compact()).unwrap();
    let seen = snapshot.view().get::<Note>(&7).unwrap().unwrap();
    assert_eq!((seen.text.as_str(), snapshot.sequence), ("then", 100));
    assert_eq!(rows(&db)[&7], "now");
}

#[test]
fn a_loaded_store_is_the_one_it_was_copied_from() {
    let disk = Memory::new();
    let (db, _) = open(&disk, &options()).unwrap();
    (0..500).for_each(|id| put(&db, id, "base"));
    let snapshot = wait(db.snapshot()).unwrap();
    put(&db, 3, "changed later");
    db.write_blocking(|tx| tx.delete::<Note>(&4)).unwrap();
    let copy = Memory::new();
    let mut loader = Loader::create(Arc::new(copy.clone()), &options()).unwrap();
    for table in snapshot.tables().unwrap() {
        loader.table(&table).unwrap();
        snapshot
            .each(&table, None, &mut |key, value| {
                loader.put(&table, key, value).unwrap();
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    let records = db.log_since(snapshot.sequence, usize::MAX).unwrap();
    records.iter().for_each(|record| loader.apply(record).unwrap());
    let last = records.last().unwrap();
    loader.finish(last.sequence, last.time).unwrap();
    let (again, opened) = open(&copy, &options()).unwrap();
    assert!(!opened.created);
    assert_eq!(rows(&again), rows(&db));
    assert_eq!(again.sequence(), db.sequence());
    assert_eq!(again.check().unwrap(), vec![]);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, u8),
    Delete(u64),
    Checkpoint,
    Compact,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40u64, any::<u8>()).prop_map(|(id, text)| Step::Put(id, text)),
        3 => (0..40u64).prop_map(Step::Delete),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Compact),
        2 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn crashes_checkpoints_and_compactions_change_nothing(
        steps in prop::collection::vec(step(), 1..60),
        encrypted in any::<bool>(),
    ) {
        let options = Options { keys: encrypted.then(keys), ..options() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let mut disk = Memory::new();
        let mut db = open(&disk, &options).unwrap().0;
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(id, text) => {
                    let text = text.to_string().repeat(200);
                    put(&db, id, &text);
                    model.insert(id, text);
                }
                Step::Delete(id) => {
                    db.write_blocking(move |tx| tx.delete::<Note>(&id)).unwrap();
                    model.remove(&id);
                }
                Step::Checkpoint => runtime.block_on(db.checkpoint()).unwrap(),
                Step::Compact => drop(runtime.block_on(db.compact()).unwrap()),
                Step::Crash => {
                    disk = disk.image();
                    db = open(&disk, &options).unwrap().0;
                }
            }
            prop_assert_eq!(rows(&db), model.clone());
        }
        prop_assert_eq!(db.check().unwrap(), vec![]);
    }
}
