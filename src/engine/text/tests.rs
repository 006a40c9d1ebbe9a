//! What is found, who may find it, and what survives.

use super::query::QUERY_BYTES_MAX;
use super::{ANALYSER, Change, Fields, Opened, TextError, TextHit, TextIndex};
use crate::engine::key::{KeyRing, MasterKey, Seal};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert};
use proptest::proptest;
use roaring::RoaringBitmap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Schema, TEXT};
use tantivy::{Index, Term};

fn put(ordinal: u32, title: &str, text: &str) -> Change {
    let document = [(ordinal / 10) as u8; 16];
    Change::Put { ordinal, document, title: title.into(), text: text.into() }
}

fn indexed(texts: &[&str]) -> TextIndex {
    let index = TextIndex::in_memory().unwrap();
    let changes: Vec<_> = texts.iter().zip(0..).map(|(text, n)| put(n, "", text)).collect();
    index.apply(&changes, 1).unwrap();
    index
}

fn all() -> RoaringBitmap {
    (0..100_000).collect()
}

fn ordinals(index: &TextIndex, query: &str, k: usize, allowed: &RoaringBitmap) -> Vec<u32> {
    index.search(query, k, allowed).unwrap().iter().map(|hit| hit.ordinal).collect()
}

fn check(index: &TextIndex, query: &str, expected: &[u32]) {
    assert_eq!(ordinals(index, query, 10, &all()), expected, "{query}");
}

#[test]
fn words_are_found_in_any_form_and_identifiers_whole_or_in_parts() {
    let index = indexed(&[
        "the disks are failing again",
        "ORA-00942: table or view does not exist",
        "java.lang.NullPointerException at com.acme.Billing.charge(Billing.java:42)",
        "pod is in CrashLoopBackOff",
        "cannot open /var/lib/postgresql/data",
        "磁盘已满 on node-7",
    ]);
    check(&index, "disk failed", &[0]);
    check(&index, "ORA-00942", &[1]);
    check(&index, "ora 00942", &[1]);
    check(&index, "nullpointerexception", &[2]);
    check(&index, "pointer exceptions", &[2]);
    check(&index, "com.acme.Billing.charge", &[2]);
    check(&index, "crash loop", &[3]);
    check(&index, "crashloopbackoff", &[3]);
    check(&index, "/var/lib/postgresql", &[4]);
    check(&index, "磁盘", &[5]);
    check(&index, "盘", &[5]);
    check(&index, "NODE-7", &[5]);
    check(&index, "nothing of the kind", &[]);
}

#[test]
fn the_whole_identifier_outranks_its_parts_and_the_title_the_text() {
    let index = TextIndex::in_memory().unwrap();
    let changes = [
        put(1, "", "ORA-00001 and code 00942 in one line"),
        put(2, "", "error ORA-00942 was seen in one line"),
        put(3, "kernel", "something about panic"),
        put(4, "something", "about kernel"),
    ];
    index.apply(&changes, 1).unwrap();
    check(&index, "ORA-00942", &[2, 1]);
    check(&index, "kernel", &[3, 4]);
}

#[test]
fn a_phrase_in_quotes_must_occur_and_other_words_only_help() {
    let index = indexed(&[
        "out of memory on the worker",
        "memory ran out of the worker",
        "worker out of memory, killed by systemd",
    ]);
    check(&index, "\"out of memory\"", &[0, 2]);
    check(&index, "\"out of memory\" killed", &[2, 0]);
    check(&index, "\"out of memory\" \"by systemd\"", &[2]);
    check(&index, "\"of out\"", &[]);
    check(&index, "\"killed\" worker", &[2]);
    check(&index, "\"of memory worker", &[0, 1, 2]);
}

#[test]
fn permission_is_part_of_the_search_and_k_allowed_hits_are_found_when_k_exist() {
    let index = TextIndex::in_memory().unwrap();
    // 3,000 strong matches that may not be seen, and 20 weak ones that may.
    let strong: Vec<_> = (0..3000).map(|n| put(n, "disk", "disk disk disk")).collect();
    let padding = "filler ".repeat(60);
    let weak: Vec<_> = (5000..5020).map(|n| put(n, "", &format!("{padding} disk"))).collect();
    index.apply(&strong, 1).unwrap();
    index.apply(&weak, 2).unwrap();
    let allowed: RoaringBitmap = (4000..6000).collect();
    assert_eq!(ordinals(&index, "disk", 10, &allowed), (5000..5010).collect::<Vec<_>>());
    assert_eq!(ordinals(&index, "disk", 50, &allowed), (5000..5020).collect::<Vec<_>>());
    assert_eq!(ordinals(&index, "disk", 10, &RoaringBitmap::new()), [0u32; 0]);
    assert_eq!(ordinals(&index, "disk", 0, &allowed), [0u32; 0]);
}

#[test]
fn equal_texts_come_by_ordinal_across_windows_and_segments() {
    let index = TextIndex::in_memory().unwrap();
    let texts = |range: std::ops::Range<u32>| -> Vec<_> {
        let noise = |n: u32| match n % 3 {
            0 => "same disk full words here",
            1 => "disk",
            _ => "other text entirely",
        };
        range.rev().map(|n| put(n, "", noise(n))).collect()
    };
    index.apply(&texts(6000..12_000), 1).unwrap();
    index.apply(&texts(0..6000), 2).unwrap();
    let expected: Vec<u32> = (0..12_000).step_by(3).take(500).collect();
    assert_eq!(ordinals(&index, "full words disk", 500, &all()), expected);
}

#[test]
fn scores_are_those_of_tantivy() {
    let index = TextIndex::in_memory().unwrap();
    let text = |n: u32| format!("disk {} error {}", "pad ".repeat((n % 7) as usize), n % 13);
    for batch in 0..3 {
        let changes: Vec<_> = (batch * 50..batch * 50 + 50)
            .map(|n| put(n, &format!("t{}", n % 5), &text(n)))
            .collect();
        index.apply(&changes, u64::from(batch)).unwrap();
    }
    let (fields, searcher) = (index.inner.fields, index.inner.reader.searcher());
    let clauses = ["disk", "t3", "7"].iter().flat_map(|word| {
        [(fields.title, 2.0), (fields.text, 1.0)].map(|(field, boost)| {
            let term =
                TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs);
            let boosted: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), boost));
            (Occur::Should, boosted)
        })
    });
    let oracle = BooleanQuery::new(clauses.collect());
    let expected = searcher.search(&oracle, &TopDocs::with_limit(40).order_by_score()).unwrap();
    let hits = index.search("disk t3 7", 40, &all()).unwrap();
    assert_eq!(hits.len(), expected.len());
    for (hit, (score, _)) in hits.iter().zip(expected) {
        assert!((hit.score - score).abs() < 1e-4, "{hit:?} {score}");
    }
}

#[test]
fn a_change_is_seen_by_the_next_search() {
    let index = TextIndex::in_memory().unwrap();
    index.apply(&[put(1, "", "alpha"), put(11, "", "alpha"), put(12, "", "alpha")], 1).unwrap();
    check(&index, "alpha", &[1, 11, 12]);
    index.apply(&[put(1, "", "beta"), put(1, "", "gamma")], 2).unwrap();
    check(&index, "alpha", &[11, 12]);
    check(&index, "beta", &[]);
    check(&index, "gamma", &[1]);
    index.apply(&[Change::Delete { ordinal: 1 }, Change::Delete { ordinal: 77 }], 3).unwrap();
    check(&index, "gamma", &[]);
    index.apply(&[Change::DeleteDocument { document: [1; 16] }, put(13, "", "alpha")], 4).unwrap();
    check(&index, "alpha", &[13]);
    index.rest().unwrap();
    check(&index, "alpha", &[13]);
    index.apply(&[put(14, "", "alpha")], 5).unwrap();
    check(&index, "alpha", &[13, 14]);
    assert_eq!(index.len(), 2);
    index.clear().unwrap();
    check(&index, "alpha", &[]);
    assert!(index.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 48, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_typed_or_indexed_is_no_error(
        texts in prop::collection::vec(any::<String>(), 1..4),
        words in prop::collection::vec(
            "[ \"a-zA-Z0-9_./:\u{4e00}-\u{4e08}\u{300}\u{130}()+*~^-]{0,40}", 1..3,
        ),
    ) {
        let index = TextIndex::in_memory().unwrap();
        let all_texts = texts.iter().chain(&words);
        let changes: Vec<_> = all_texts.clone().zip(0..).map(|(t, n)| put(n, t, t)).collect();
        index.apply(&changes, 1).unwrap();
        for query in all_texts {
            let hits = index.search(query, 10, &all()).unwrap();
            prop_assert!(hits.len() <= changes.len());
        }
    }
}

#[test]
fn a_query_longer_than_the_limit_is_cut() {
    let index = indexed(&["needle", "hay"]);
    let query = format!("{}needle", "hay ".repeat(QUERY_BYTES_MAX));
    check(&index, &query, &[1]);
}

fn keyed() -> Seal {
    KeyRing::create(&MasterKey::generate()).unwrap().1.seal("text")
}

/// Of a plain and of an encrypted store.
fn seals() -> [Seal; 2] {
    [Seal::checked(), keyed()]
}

fn open(dir: &Path, seal: &Seal) -> (TextIndex, Opened) {
    TextIndex::open(dir, seal).unwrap()
}

const EMPTY: Opened = Opened { applied: None, rebuilt: true };

#[test]
fn the_applied_sequence_survives_with_what_it_covers() {
    for seal in seals() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("text");
        let (index, opened) = open(&dir, &seal);
        assert_eq!(opened, EMPTY);
        index.apply(&[put(1, "", "alpha")], 41).unwrap();
        index.apply(&[], 42).unwrap();
        drop(index);
        let (index, opened) = open(&dir, &seal);
        assert_eq!(opened, Opened { applied: Some(42), rebuilt: false });
        check(&index, "alpha", &[1]);
        index.clear().unwrap();
        drop(index);
        assert_eq!(open(&dir, &seal).1, Opened { applied: None, rebuilt: false });
    }
}

#[test]
fn a_crash_after_a_batch_keeps_it_and_loses_only_what_was_not_applied() {
    for seal in seals() {
        let home = tempfile::tempdir().unwrap();
        let (dir, copy) = (home.path().join("text"), home.path().join("copy"));
        let (index, _) = open(&dir, &seal);
        index.apply(&[put(1, "", "alpha")], 7).unwrap();
        // What the disk would hold if the process died here, half-way into the next batch.
        {
            let mut guard = index.inner.writer.lock().unwrap();
            let writer = guard.as_mut().unwrap();
            writer.delete_all_documents().unwrap();
        }
        copy_dir(&dir, &copy);
        let (index, opened) = open(&copy, &seal);
        assert_eq!(opened, Opened { applied: Some(7), rebuilt: false });
        check(&index, "alpha", &[1]);
        index.apply(&[put(2, "", "alpha")], 8).unwrap();
        check(&index, "alpha", &[1, 2]);
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// An index of two segments with deletions, closed.
fn built(dir: &Path, seal: &Seal) {
    let (index, _) = open(dir, seal);
    index
        .apply(&[put(1, "title", "alpha beta"), put(2, "", "alpha"), put(3, "", "alpha")], 6)
        .unwrap();
    index.apply(&[Change::Delete { ordinal: 3 }, put(4, "", "gamma delta")], 7).unwrap();
    index.rest().unwrap();
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_string_lossy().ends_with(".lock")).collect()
}

/// Holds that it answers as if nothing had happened.
fn answers_as_built(index: &TextIndex, applied: Option<u64>) {
    assert_eq!(applied, Some(7));
    check(index, "alpha", &[2, 1]);
    check(index, "title", &[1]);
    check(index, "\"gamma delta\"", &[4]);
    assert_eq!(index.len(), 3);
}

#[test]
fn any_damaged_file_makes_the_index_start_empty_and_usable() {
    for seal in seals() {
        let home = tempfile::tempdir().unwrap();
        let whole = home.path().join("whole");
        built(&whole, &seal);
        let names = names(&whole);
        let mut damaged = 0;
        for name in &names {
            for (kind, damage) in [damage_flip, damage_cut, damage_remove].iter().enumerate() {
                let copy = home.path().join(format!("{}{kind}", name.to_string_lossy()));
                copy_dir(&whole, &copy);
                damage(&copy.join(name));
                let (index, opened) = open(&copy, &seal);
                if opened.rebuilt {
                    damaged += 1;
                    assert_eq!(opened, EMPTY);
                    check(&index, "alpha", &[]);
                } else {
                    answers_as_built(&index, opened.applied);
                }
                index.apply(&[put(9, "", "alpha again")], 8).unwrap();
                assert!(ordinals(&index, "alpha", 10, &all()).contains(&9));
            }
        }
        assert!(damaged >= 2 * names.len(), "{damaged} of {}", names.len());
    }
}

#[test]
fn no_flipped_bit_makes_a_wrong_answer() {
    for seal in seals() {
        let home = tempfile::tempdir().unwrap();
        let (whole, copy) = (home.path().join("whole"), home.path().join("copy"));
        built(&whole, &seal);
        let (mut flips, mut rebuilt) = (0, 0);
        for name in names(&whole) {
            let bytes = fs::read(whole.join(&name)).unwrap();
            let bits = bytes.len() * 8;
            for bit in (0..bits).step_by((bits / 50).max(1) | 1) {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                copy_dir(&whole, &copy);
                fs::write(copy.join(&name), flipped).unwrap();
                flips += 1;
                // What opening does before it begins anew, which takes much longer.
                let load = || TextIndex::load(&copy, &seal, u64::MAX);
                match catch_unwind(AssertUnwindSafe(load)) {
                    Ok(Ok((index, applied))) => answers_as_built(&index, applied),
                    Ok(Err(_)) | Err(_) => rebuilt += 1,
                }
                fs::remove_dir_all(&copy).unwrap();
            }
        }
        assert!(rebuilt > flips / 2, "{rebuilt} of {flips}");
        if seal.is_keyed() {
            assert_eq!(rebuilt, flips, "every bit is under a tag");
        }
    }
}

/// Terms are stored in a form that hides them from a search for text, but not from a compressor: a
/// file in which there is nothing to compress says nothing.
#[test]
fn words_are_in_no_file_of_an_encrypted_index() {
    let all_files = |seal: &Seal| {
        let home = tempfile::tempdir().unwrap();
        let (index, _) = open(home.path(), seal);
        let words: Vec<_> = (0..3000).map(|n| put(n, "", &format!("zanzibar{n} common"))).collect();
        for (batch, sequence) in words.chunks(500).zip(1..) {
            index.apply(batch, sequence).unwrap();
        }
        check(&index, "zanzibar299", &[299]);
        let read = || names(home.path()).into_iter().map(|name| fs::read(home.path().join(name)));
        let mut files: Vec<Vec<u8>> = read().map(Result::unwrap).collect();
        index.rest().unwrap();
        files.extend(read().map(Result::unwrap));
        assert_eq!(index.len(), 3000);
        files
    };
    let shows = |files: &[Vec<u8>], word: &[u8]| {
        files.iter().any(|bytes| bytes.windows(word.len()).any(|window| window == word))
    };
    let compressible = |files: &[Vec<u8>]| {
        let large = files.iter().filter(|bytes| bytes.len() > 2000);
        let compressed = |bytes: &Vec<u8>| zstd::encode_all(&bytes[..], 3).unwrap().len();
        large.filter(|bytes| compressed(bytes) < bytes.len()).count()
    };
    let [plain, sealed] = seals().map(|seal| all_files(&seal));
    assert!(shows(&plain, ANALYSER.as_bytes()));
    assert!(compressible(&plain) > 0);
    for word in ["zanzibar", "common", "ordinal", ANALYSER, "segments"] {
        assert!(!shows(&sealed, word.as_bytes()), "{word}");
    }
    assert_eq!(compressible(&sealed), 0);
}

#[test]
fn an_index_of_another_key_or_of_none_is_replaced() {
    let [checked, one] = seals();
    for (first, second) in [(&one, &keyed()), (&one, &checked), (&checked, &one)] {
        let home = tempfile::tempdir().unwrap();
        built(home.path(), first);
        let (index, opened) = open(home.path(), second);
        assert_eq!(opened, EMPTY);
        index.apply(&[put(5, "", "alpha")], 8).unwrap();
        check(&index, "alpha", &[5]);
        drop(index);
        assert_eq!(open(home.path(), second).1.applied, Some(8));
    }
}

/// Changes the middle byte without a new file.
fn damage_in_place(path: &Path) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

/// Texts of few words that each stand in many texts: the lists of their places take several chunks.
fn dense() -> Vec<Change> {
    let words = |n: u32| (0..20).map(move |k| format!("beta{} ", (n * 7 + k * k * 31) % 500));
    (0..20_000).map(|n| put(n, "", &words(n).collect::<String>())).collect()
}

fn with_extension(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = names(dir).into_iter().map(|name| dir.join(name));
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn what_opening_left_unverified_is_verified_later_and_mended_by_a_new_beginning() {
    for seal in seals() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        // Large enough that opening need not read the middle of a file.
        let (index, _) = open(dir, &seal);
        index.apply(&dense(), 7).unwrap();
        index.rest().unwrap();
        drop(index);
        let (index, opened) = TextIndex::open_and_verify(dir, &seal, 0).unwrap();
        assert_eq!(opened.applied, Some(7));
        assert!(index.verify().unwrap());
        assert!(index.verify().unwrap(), "nothing is left to do");
        drop(index);
        for path in with_extension(dir, "idx") {
            damage_in_place(&path);
        }
        let (index, opened) = TextIndex::open_and_verify(dir, &seal, 0).unwrap();
        assert_eq!(opened.applied, Some(7));
        assert!(!index.verify().unwrap());
        assert!(index.is_damaged());
        let refused = index.search("alpha", 10, &all());
        assert!(matches!(refused, Err(TextError::Damaged)), "{refused:?}");
        assert!(index.apply(&[put(8, "", "alpha")], 8).is_err());
        index.clear().unwrap();
        assert!(!index.is_damaged());
        index.apply(&[put(9, "", "alpha")], 9).unwrap();
        check(&index, "alpha", &[9]);
        index.rest().unwrap();
        drop(index);
        assert_eq!(open(dir, &seal).1, Opened { applied: Some(9), rebuilt: false });
    }
}

#[test]
fn damage_under_an_open_encrypted_index_is_an_error_until_it_is_cleared() {
    let home = tempfile::tempdir().unwrap();
    let (index, _) = open(home.path(), &keyed());
    index.apply(&dense(), 1).unwrap();
    index.rest().unwrap();
    let large = |path: &PathBuf| fs::metadata(path).unwrap().len() > 3 * 65_536;
    let paths: Vec<_> = with_extension(home.path(), "idx").into_iter().filter(large).collect();
    assert!(!paths.is_empty());
    for path in &paths {
        damage_in_place(path);
    }
    let answers = (0..500).map(|n| index.search(&format!("beta{n}"), 1, &all()));
    let refused = answers.filter(|answer| matches!(answer, Err(TextError::Damaged))).count();
    assert!(refused > 0);
    assert!(index.is_damaged());
    index.clear().unwrap();
    index.apply(&[put(7, "", "beta7")], 2).unwrap();
    check(&index, "beta7", &[7]);
    index.rest().unwrap();
}

#[test]
fn a_large_encrypted_index_answers_as_a_plain_one() {
    let home = tempfile::tempdir().unwrap();
    let (sealed, _) = open(home.path(), &keyed());
    let plain = TextIndex::in_memory().unwrap();
    for batch in 0..8u32 {
        let texts: Vec<_> = (batch * 2000..batch * 2000 + 2000)
            .map(|n| put(n, &format!("t{}", n % 7), &format!("alpha w{} x{n} w{}", n % 97, n % 89)))
            .collect();
        sealed.apply(&texts, u64::from(batch)).unwrap();
        plain.apply(&texts, u64::from(batch)).unwrap();
    }
    for index in [&sealed, &plain] {
        index.rest().unwrap();
    }
    for query in ["alpha w3", "w5 w11 x777", "\"w1 x1\"", "t3 w88", "x15999", "nothing"] {
        let (found, expected) = (sealed.search(query, 50, &all()), plain.search(query, 50, &all()));
        assert_eq!(
            found.unwrap().iter().map(|hit| hit.ordinal).collect::<Vec<_>>(),
            expected.unwrap().iter().map(|hit| hit.ordinal).collect::<Vec<_>>(),
            "{query}"
        );
    }
}

fn damage_flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    if let Some(byte) = bytes.first_mut() {
        *byte ^= 0x5a;
    }
    fs::write(path, bytes).unwrap();
}

fn damage_cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn damage_remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn an_index_of_other_rules_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let mut schema = Schema::builder();
    schema.add_text_field("body", TEXT);
    Index::create_in_dir(home.path(), schema.build()).unwrap();
    let (index, opened) = open(home.path(), &Seal::checked());
    assert_eq!(opened, EMPTY);
    index.apply(&[put(1, "", "alpha")], 1).unwrap();
    check(&index, "alpha", &[1]);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "x").unwrap();
    for seal in seals() {
        assert!(TextIndex::open(&file.join("text"), &seal).is_err());
    }
}

#[test]
fn clones_search_while_one_applies() {
    let index = indexed(&["alpha"]);
    std::thread::scope(|scope| {
        let writer = index.clone();
        scope.spawn(move || {
            for n in 1..20u32 {
                writer.apply(&[put(n, "", "beta")], u64::from(n)).unwrap();
            }
        });
        for _ in 0..100 {
            let hits = index.search("alpha", 1, &all()).unwrap();
            assert!(matches!(hits.as_slice(), [TextHit { ordinal: 0, .. }]));
        }
    });
}

#[test]
fn the_schema_names_the_analyser() {
    let (schema, fields) = Fields::new();
    let shown = format!("{:?}", schema.get_field_entry(fields.text));
    assert!(shown.contains(ANALYSER), "{shown}");
}
