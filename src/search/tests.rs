//! The rules of search against an in-memory store, a tiny model, and crashes.

use super::model::foreign_keys;
use super::tables::{ChunkRow, Ordinal, OutboxRow, VectorRow};
use super::*;
use crate::base::Classify;
use crate::engine::db::{Options, Schema, Span};
use crate::engine::embed::EmbedError;
use crate::engine::key::Seal;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

const NOW: Time = Time::from_unix_us(1_760_000_000_000_000);
const WORDS: [&str; 8] = ["disk", "pod", "node", "queue", "proxy", "cache", "lock", "route"];

/// Each known word is a direction; a text is the sum of its words.
struct Tiny {
    name: &'static str,
    embedded: Arc<AtomicUsize>,
}

impl Embed for Tiny {
    fn model_id(&self) -> &str {
        self.name
    }
    fn dimensions(&self) -> usize {
        WORDS.len() + 1
    }
    fn tokens_max(&self) -> usize {
        254
    }
    fn token_offsets(&self, text: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        Ok(chunk::estimate(text))
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.iter().any(|text| text.contains("indigestible")) {
            return Err(EmbedError::Tokenize("as agreed".into()));
        }
        self.embedded.fetch_add(texts.len(), Ordering::SeqCst);
        Ok(texts.iter().map(|text| direction(text)).collect())
    }
}

fn direction(text: &str) -> Vec<f32> {
    let mut vector: Vec<f32> = WORDS.iter().map(|w| text.matches(w).count() as f32).collect();
    vector.push(0.1);
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

/// A store with search over it.
struct Desk {
    db: Db,
    search: Search,
    ids: Ids,
    embedded: Arc<AtomicUsize>,
}

impl Desk {
    fn in_memory() -> Self {
        let db = Db::in_memory(schema(Schema::new())).unwrap();
        let opened = Opened { applied: None, rebuilt: true };
        let search = Search::open(&db, TextIndex::in_memory().unwrap(), opened).unwrap();
        Self { db, search, ids: Ids::seeded(1), embedded: Arc::default() }
    }

    fn at(dir: &Path) -> Self {
        let db = Db::open_in(&dir.join("db"), Options::default(), schema(Schema::new())).unwrap();
        let (text, opened) = TextIndex::open(&dir.join("text"), &Seal::checked()).unwrap();
        let search = Search::open(&db, text, opened).unwrap();
        Self { db, search, ids: Ids::seeded(1), embedded: Arc::default() }
    }

    fn adopt(&self, name: &'static str) {
        let tiny = Tiny { name, embedded: Arc::clone(&self.embedded) };
        self.search.adopt(Pool::new(Arc::new(tiny)).unwrap());
    }

    fn embedded(&self) -> usize {
        self.embedded.load(Ordering::SeqCst)
    }

    async fn document(&self, number: u8, collection: &str, text: &str) -> Document {
        let chunks = self.search.prepare(text, &self.ids, NOW).await.unwrap();
        let title = format!("Page {number}");
        Document { document: [number; 16], collection: collection.to_owned(), title, chunks }
    }

    async fn put(&self, number: u8, collection: &str, text: &str) {
        let document = self.document(number, collection, text).await;
        let search = self.search.clone();
        self.db.write(move |tx| search.put(tx, &document)).await.unwrap();
    }

    async fn remove(&self, number: u8) -> bool {
        let search = self.search.clone();
        self.db.write(move |tx| search.remove(tx, &[number; 16])).await.unwrap()
    }

    async fn answer(&self, query: &str, mode: Mode, k: usize, collections: &[&str]) -> Answer {
        let asked = self.search.ask(query, mode).await.unwrap();
        self.db.read(|tx| self.search.find(tx, &asked, k, &scope(collections))).unwrap()
    }

    async fn found(&self, query: &str, mode: Mode, k: usize, collections: &[&str]) -> Vec<u8> {
        let answer = self.answer(query, mode, k, collections).await;
        answer.hits.iter().map(|hit| hit.document[0]).collect()
    }

    fn sound(&self) {
        assert_eq!(self.db.read(|tx| self.search.check(tx)).unwrap(), []);
        assert_eq!(self.db.check().unwrap(), []);
    }
}

fn scope(collections: &[&str]) -> Scope {
    Scope { collections: collections.iter().map(|&c| c.to_owned()).collect(), documents: None }
}

fn sorted(mut found: Vec<u8>) -> Vec<u8> {
    found.sort_unstable();
    found.dedup();
    found
}

#[tokio::test]
async fn words_and_meaning_find_a_page_with_its_place() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    let text = "# Disk full\n\nFree the disk by rotating the logs.";
    desk.put(1, "ada", text).await;
    desk.put(2, "ada", "Restart the proxy when the route is gone.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let answer = desk.answer("disk is full", Mode::Hybrid, 5, &["ada"]).await;
    let hit = &answer.hits[0];
    assert_eq!((hit.document, hit.title.as_str(), hit.score), ([1; 16], "Page 1", 1.0));
    assert_eq!(hit.heading, "Disk full");
    assert_eq!(&text[hit.offset_start as usize..hit.offset_end as usize], hit.text);
    assert!(hit.scores.dense.unwrap() > 0.9 && hit.scores.lexical.unwrap() > 0.0);
    assert!(answer.hits[1].score < 1.0);
    assert_eq!((answer.model.as_str(), answer.exact), ("tiny", true));
    assert_eq!(answer.reason, "exact scan of 2 passages");
    desk.sound();
}

#[tokio::test]
async fn a_removed_page_is_unfindable_before_any_index_knows() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    desk.put(1, "ada", "The disk.").await;
    desk.put(2, "ada", "Another disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    assert!(desk.remove(1).await);
    assert!(!desk.remove(1).await);
    assert_eq!(desk.found("disk", Mode::Hybrid, 5, &["ada"]).await, [2]);
    desk.put(2, "ada", "Nothing of the kind.").await;
    assert!(desk.found("disk", Mode::Lexical, 5, &["ada"]).await.is_empty());
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.found("kind", Mode::Lexical, 5, &["ada"]).await, [2]);
    desk.sound();
}

#[test]
fn a_snapshot_answers_k_hits_whatever_was_committed_since() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let desk = Desk::in_memory();
    let (asked, late) = runtime.block_on(async {
        for number in 1..=4 {
            desk.put(number, "ada", "A disk.").await;
        }
        desk.search.catch_up(&desk.db).await.unwrap();
        let asked = desk.search.ask("disk", Mode::Lexical).await.unwrap();
        (asked, desk.document(9, "ada", "disk disk disk").await)
    });
    let answer = desk.db.read(|tx| {
        let search = desk.search.clone();
        let write = move |tx: &Write<'_>| -> Result<(), SearchError> {
            search.remove(tx, &[1; 16])?;
            search.put(tx, &late)
        };
        desk.db.write_blocking(write)?;
        runtime.block_on(desk.search.catch_up(&desk.db))?;
        desk.search.find(tx, &asked, 3, &scope(&["ada"]))
    });
    let found: Vec<u8> = answer.unwrap().hits.iter().map(|hit| hit.document[0]).collect();
    assert_eq!(found, [2, 3, 4], "neither the removed page nor the one from the future");
}

#[tokio::test]
async fn an_answer_says_what_is_not_indexed_yet() {
    let desk = Desk::in_memory();
    desk.put(1, "ada", "The disk.").await;
    desk.put(2, "bob", "The disk.").await;
    let before = desk.answer("disk", Mode::Hybrid, 5, &["ada"]).await;
    assert_eq!((before.exact, before.mode), (false, Mode::Lexical));
    assert_eq!(before.reason, "1 passages are not in the word index yet");
    assert_eq!(desk.search.lag(), Lag { changes: 2, vectors: 0 });
    desk.search.catch_up(&desk.db).await.unwrap();
    let words = desk.answer("disk", Mode::Hybrid, 5, &["ada"]).await;
    assert_eq!((words.exact, words.model.as_str()), (true, "lexical"));
    assert_eq!(words.reason, "exact word search of 1 passages; no embedding model is loaded");
    desk.adopt("tiny");
    assert_eq!(desk.search.lag(), Lag { changes: 0, vectors: 2 });
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.search.ready().lag, Lag { changes: 0, vectors: 0 });
    assert_eq!(desk.answer("disk", Mode::Hybrid, 5, &["ada"]).await.model, "tiny");
    desk.put(3, "ada", "The pod.").await;
    let partly = desk.answer("disk", Mode::Dense, 5, &["ada"]).await;
    assert_eq!((partly.exact, partly.hits.len()), (false, 1));
    assert_eq!(partly.reason, "1 of 2 passages have no vector yet");
}

#[tokio::test]
async fn a_mode_that_cannot_be_had_is_refused() {
    let desk = Desk::in_memory();
    let refusal = |asked: Result<Asked, SearchError>| asked.err().map(|error| error.class().1);
    let ask = |mode| desk.search.ask("disk", mode);
    assert_eq!(refusal(ask(Mode::Sparse).await), Some("mode_unavailable"));
    assert_eq!(refusal(ask(Mode::Dense).await), Some("model_not_loaded"));
    assert_eq!(refusal(desk.search.ask("  ", Mode::Lexical).await), Some("query_length"));
    let long = "x".repeat(QUERY_BYTES_MAX + 1);
    assert_eq!(refusal(desk.search.ask(&long, Mode::Lexical).await), Some("query_length"));
    let asked = ask(Mode::Hybrid).await.unwrap();
    let refused = desk.db.read(|tx| desk.search.find(tx, &asked, K_MAX + 1, &scope(&[])));
    assert_eq!(refused.err().map(|error| error.class().1), Some("k_out_of_range"));
}

#[tokio::test]
async fn a_long_page_does_not_hide_the_others() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    let long: String =
        (0..60).map(|n| format!("## Part {n}\n\n{}\n\n", "disk ".repeat(120))).collect();
    desk.put(1, "ada", &long).await;
    desk.put(2, "ada", "A disk and a pod.").await;
    desk.put(3, "ada", "A disk and a node and a queue.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let found = desk.found("disk", Mode::Hybrid, 3, &["ada"]).await;
    assert_eq!(sorted(found), [1, 2, 3]);
    let more = desk.answer("disk", Mode::Hybrid, 20, &["ada"]).await;
    assert_eq!(more.hits.len(), 20, "further passages of the long page fill up");
    assert!(more.hits.is_sorted_by(|a, b| a.score >= b.score));
}

#[tokio::test]
async fn only_the_chosen_documents_are_searched() {
    let desk = Desk::in_memory();
    desk.put(1, "ada", "A disk.").await;
    desk.put(2, "ada", "A disk.").await;
    desk.put(3, "bob", "A disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let asked = desk.search.ask("disk", Mode::Lexical).await.unwrap();
    let narrow = Scope { documents: Some(vec![[2; 16], [3; 16], [7; 16]]), ..scope(&["ada"]) };
    let answer = desk.db.read(|tx| desk.search.find(tx, &asked, 9, &narrow)).unwrap();
    assert_eq!(answer.hits.len(), 1, "a document outside the collections stays outside");
    assert_eq!(answer.hits[0].document, [2; 16]);
}

#[tokio::test]
async fn a_page_that_the_model_chokes_on_is_found_by_words() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    desk.put(1, "ada", "An indigestible disk.").await;
    desk.put(2, "ada", "A plain disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.found("disk", Mode::Dense, 5, &["ada"]).await, [2]);
    assert_eq!(desk.found("indigestible", Mode::Lexical, 5, &["ada"]).await, [1]);
    assert_eq!(desk.search.lag().vectors, 0, "it is not tried for ever");
}

#[tokio::test]
async fn another_model_takes_over_when_its_set_is_complete() {
    let desk = Desk::in_memory();
    desk.adopt("first");
    for number in 0..40 {
        desk.put(number, "ada", "A disk.").await;
    }
    desk.search.catch_up(&desk.db).await.unwrap();
    desk.adopt("second");
    let before = desk.answer("disk", Mode::Dense, 5, &["ada"]).await;
    assert_eq!((before.model.as_str(), before.exact), ("first", true));
    desk.search.catch_up(&desk.db).await.unwrap();
    let after = desk.answer("disk", Mode::Dense, 5, &["ada"]).await;
    assert_eq!((after.model.as_str(), after.exact), ("second", true));
    assert_eq!(desk.search.ready().next_model, None);
    let mut models = Vec::new();
    let visit = |row: VectorRow| {
        models.push(row.model_id);
        ControlFlow::Continue(())
    };
    desk.db.read(|tx| tx.each_row(&Span::all(), visit)).unwrap();
    models.dedup();
    assert_eq!(models, ["second"], "the vectors of the first are gone");
}

#[tokio::test]
async fn vectors_of_a_former_model_go_in_one_walk() {
    let desk = Desk::in_memory();
    let old = |tx: &Write<'_>| -> Result<(), SearchError> {
        for ordinal in (0..2500).map(Ordinal) {
            for model_id in ["older", "old", "tiny"].map(str::to_owned) {
                tx.put(&VectorRow { ordinal, model_id, vector: direction("disk") })?;
            }
        }
        Ok(())
    };
    desk.db.write(old).await.unwrap();
    let mut after = None;
    for at in 0..3 {
        let keys = desk.db.read(|tx| foreign_keys(tx, "tiny", after.as_ref(), 3)).unwrap();
        let found: Vec<_> = keys.iter().map(|(o, model)| (o.0, model.as_str())).collect();
        let all = (0..9).map(|n| (n / 2, if n % 2 == 0 { "old" } else { "older" }));
        assert_eq!(found, all.skip(at * 3).take(3).collect::<Vec<_>>(), "batch {at}");
        after = keys.last().cloned();
    }
    desk.adopt("tiny");
    desk.search.catch_up(&desk.db).await.unwrap();
    let mut left = Vec::new();
    let visit = |row: VectorRow| {
        left.push((row.ordinal.0, row.model_id));
        ControlFlow::Continue(())
    };
    desk.db.read(|tx| tx.each_row(&Span::all(), visit)).unwrap();
    assert_eq!(left, (0..2500).map(|n| (n, "tiny".to_owned())).collect::<Vec<_>>());
    let last = desk.search.models().serving.unwrap().foreign_after();
    assert_eq!(last, Some((Ordinal(2499), "older".to_owned())), "each batch went on from the last");
}

#[tokio::test]
async fn a_rebuild_frees_the_vectors_of_pages_that_went_before_it() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    desk.put(1, "ada", "A disk.").await;
    desk.put(2, "ada", "A pod.").await;
    desk.put(3, "bob", "A node.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let model = desk.search.models().serving.unwrap();
    let in_memory = || model.embedded(&(0..100).collect());
    assert_eq!(in_memory(), 3);
    assert!(desk.remove(1).await);
    assert!(desk.remove(3).await);
    desk.search.reindex();
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(in_memory(), 1);
    assert_eq!(desk.db.read(late_changes).unwrap(), 0);
    assert_eq!(desk.found("disk pod", Mode::Hybrid, 5, &["ada"]).await, [2]);
    desk.sound();
}

#[tokio::test]
async fn a_query_that_the_model_chokes_on_is_answered_by_words() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    desk.put(1, "ada", "A plain disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let answer = desk.answer("indigestible disk", Mode::Hybrid, 5, &["ada"]).await;
    assert_eq!((answer.mode, answer.model.as_str()), (Mode::Lexical, "lexical"));
    assert_eq!(answer.hits.len(), 1);
    assert!(answer.reason.ends_with("cannot tokenize: as agreed"), "{}", answer.reason);
    let dense = desk.search.ask("indigestible disk", Mode::Dense).await;
    assert!(matches!(dense, Err(SearchError::Embed(EmbedError::Tokenize(_)))));
}

#[tokio::test]
async fn the_indexer_wakes_up_and_ends() {
    let desk = Desk::in_memory();
    let (halt, halted) = watch::channel(false);
    let indexer = tokio::spawn(desk.search.clone().run(desk.db.clone(), halted));
    desk.adopt("tiny");
    desk.put(1, "ada", "A disk.").await;
    desk.search.indexed(&desk.db, &[1; 16]).await.unwrap();
    assert_eq!(desk.found("disk", Mode::Dense, 5, &["ada"]).await, [1]);
    desk.search.reindex();
    desk.put(2, "ada", "A disk.").await;
    desk.search.indexed(&desk.db, &[2; 16]).await.unwrap();
    assert_eq!(desk.found("disk", Mode::Lexical, 5, &["ada"]).await, [1, 2]);
    halt.send(true).unwrap();
    indexer.await.unwrap();
    desk.search.indexed(&desk.db, &[3; 16]).await.expect("what is gone is not waited for");
}

#[tokio::test]
async fn a_crash_at_any_point_loses_nothing_and_embeds_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    // Between the commit and the first step.
    let desk = Desk::at(dir.path());
    desk.put(1, "ada", "A disk.").await;
    desk.put(2, "ada", "A pod.").await;
    assert!(desk.remove(2).await);
    drop(desk);
    let desk = Desk::at(dir.path());
    desk.adopt("tiny");
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.found("disk pod", Mode::Hybrid, 5, &["ada"]).await, [1]);
    assert_eq!(desk.embedded(), 2, "the passage and the query");
    // Between the word index and the outbox: the change is known to the index and still waits.
    desk.put(3, "ada", "A node.").await;
    let text = desk.search.inner.text.clone();
    let late = desk.db.read(late_changes).unwrap();
    text.apply(&[], late).unwrap();
    drop(text);
    drop(desk);
    let desk = Desk::at(dir.path());
    assert_eq!(desk.search.lag().changes, 0);
    desk.put(4, "ada", "A queue.").await;
    desk.adopt("tiny");
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.embedded(), 2, "pages 3 and 4 only");
    assert_eq!(desk.db.read(late_changes).unwrap(), 0, "the outbox is trimmed");
    drop(desk);
    // The word index is lost.
    std::fs::remove_dir_all(dir.path().join("text")).unwrap();
    let desk = Desk::at(dir.path());
    assert!(desk.search.ready().rebuilding);
    desk.adopt("tiny");
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.embedded(), 0, "a rebuild embeds nothing");
    assert_eq!(desk.found("node", Mode::Lexical, 5, &["ada"]).await, [3]);
    assert_eq!(desk.found("queue", Mode::Dense, 1, &["ada"]).await, [4]);
    desk.sound();
    drop(desk);
    // The word index is of another time than the store.
    let (text, _) = TextIndex::open(&dir.path().join("text"), &Seal::checked()).unwrap();
    text.apply(&[], 1_000).unwrap();
    text.rest().unwrap();
    drop(text);
    let desk = Desk::at(dir.path());
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(sorted(desk.found("disk node", Mode::Lexical, 5, &["ada"]).await), [1, 3]);
}

#[tokio::test]
async fn a_word_index_that_is_found_damaged_is_filled_anew() {
    let desk = Desk::in_memory();
    desk.put(1, "ada", "A disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    assert_eq!(desk.found("disk", Mode::Lexical, 5, &["ada"]).await, [1]);
    desk.search.inner.text.mark_damaged();
    let asked = desk.search.ask("disk", Mode::Lexical).await.unwrap();
    let refused = desk.db.read(|tx| desk.search.find(tx, &asked, 5, &scope(&["ada"])));
    assert!(matches!(refused, Err(SearchError::Text(_))), "no answer rather than a wrong one");
    assert!(desk.search.ready().rebuilding);
    desk.search.catch_up(&desk.db).await.unwrap();
    assert!(!desk.search.ready().rebuilding);
    assert_eq!(desk.found("disk", Mode::Lexical, 5, &["ada"]).await, [1]);
    desk.sound();
}

/// Sequence of the last change in the outbox, 0 when it is empty.
fn late_changes(tx: &impl View) -> Result<u64, crate::engine::db::DbError> {
    let mut last = 0;
    tx.each_row(&Span::all(), |row: OutboxRow| {
        last = row.sequence;
        ControlFlow::Continue(())
    })?;
    Ok(last)
}

#[tokio::test]
async fn a_refused_write_leaves_no_trace() {
    let desk = Desk::in_memory();
    let (search, document) = (desk.search.clone(), desk.document(1, "ada", "A disk.").await);
    let write = move |tx: &Write<'_>| -> Result<(), SearchError> {
        search.put(tx, &document)?;
        Err(SearchError::Full)
    };
    assert!(desk.db.write(write).await.is_err());
    assert_eq!(desk.search.lag(), Lag { changes: 0, vectors: 0 });
    desk.sound();
}

#[tokio::test]
async fn the_check_sees_what_is_torn() {
    let desk = Desk::in_memory();
    desk.adopt("tiny");
    desk.put(1, "ada", "A disk.").await;
    desk.search.catch_up(&desk.db).await.unwrap();
    let tear = |tx: &Write<'_>| tx.delete::<ChunkRow>(&Ordinal(0));
    desk.db.write(tear).await.unwrap();
    let faults = desk.db.read(|tx| desk.search.check(tx)).unwrap();
    let places: Vec<_> = faults.iter().map(|fault| fault.place).collect();
    assert_eq!(places, ["search_documents", "search_vectors"]);
}

/// What a person does to a page of one of three people.
#[derive(Debug, Clone)]
enum Act {
    Put { page: u8, words: Vec<usize>, long: bool },
    Remove { page: u8 },
    Index,
    Search { person: usize, word: usize, k: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let words = prop::collection::vec(0..WORDS.len(), 1..5);
    prop_oneof![
        4 => (0u8..12, words, any::<bool>())
            .prop_map(|(page, words, long)| Act::Put { page, words, long }),
        2 => (0u8..12).prop_map(|page| Act::Remove { page }),
        2 => Just(Act::Index),
        4 => (0usize..3, 0..WORDS.len(), 1usize..40)
            .prop_map(|(person, word, k)| Act::Search { person, word, k }),
    ]
}

fn page_text(words: &[usize], long: bool) -> String {
    let body: Vec<&str> = words.iter().map(|w| WORDS[*w]).collect();
    let body = body.join(" and ");
    if long { format!("## Part\n\n{}\n\n", format!("{body}. ").repeat(60)).repeat(3) } else { body }
}

/// Page `p` belongs to person `p % 3`.
async fn check_acts(acts: Vec<Act>, model: bool) {
    let desk = Desk::in_memory();
    if model {
        desk.adopt("tiny");
    }
    let mut pages: BTreeMap<u8, String> = BTreeMap::new();
    let mut indexed = !model;
    let people = ["ada", "bob", "eve"];
    for act in acts {
        match act {
            Act::Put { page, words, long } => {
                let text = page_text(&words, long);
                desk.put(page, people[usize::from(page % 3)], &text).await;
                pages.insert(page, text);
                indexed = false;
            }
            Act::Remove { page } => {
                assert_eq!(desk.remove(page).await, pages.remove(&page).is_some());
            }
            Act::Index => {
                desk.search.catch_up(&desk.db).await.unwrap();
                indexed = true;
            }
            Act::Search { person, word, k } => {
                let own = |page: &u8| usize::from(page % 3) == person;
                let matching: Vec<u8> = pages
                    .iter()
                    .filter(|(page, text)| own(page) && text.contains(WORDS[word]))
                    .map(|(page, _)| *page)
                    .collect();
                let scope = [people[person]];
                let found = desk.found(WORDS[word], Mode::Lexical, k, &scope).await;
                assert!(sorted(found.clone()).iter().all(|page| matching.contains(page)));
                if indexed && k >= matching.len() {
                    assert_eq!(sorted(found), matching);
                }
                if model && indexed {
                    let chunks: usize = {
                        let allowed = super::catalogue::Scope {
                            collections: vec![people[person].into()],
                            documents: None,
                        };
                        desk.search.inner.catalogue.allowed(&allowed).len() as usize
                    };
                    let dense = desk.answer(WORDS[word], Mode::Dense, k, &scope).await;
                    assert_eq!(dense.hits.len(), k.min(chunks), "k hits whenever k exist");
                    assert!(dense.hits.iter().all(|hit| own(&hit.document[0])));
                    let hybrid = desk.answer(WORDS[word], Mode::Hybrid, k, &scope).await;
                    assert_eq!(hybrid.hits.len(), k.min(chunks));
                    assert!(hybrid.hits.iter().all(|hit| hit.collection == people[person]));
                    assert!(hybrid.exact, "{}", hybrid.reason);
                    let nearest = pages.iter().filter(|(page, _)| own(page)).map(|(_, text)| {
                        let query = direction(WORDS[word]);
                        query.iter().zip(direction(text)).map(|(a, b)| a * b).sum::<f32>()
                    });
                    if let (Some(best), Some(hit)) =
                        (nearest.max_by(f32::total_cmp), dense.hits.first())
                        && pages.values().all(|text| text.len() < 200)
                    {
                        let score = hit.scores.dense.unwrap();
                        assert!((score - best).abs() < 1e-3, "{score} is not the best, {best}");
                    }
                }
            }
        }
    }
    desk.search.catch_up(&desk.db).await.unwrap();
    desk.sound();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_search_finds_what_its_person_has_and_nothing_else(
        acts in prop::collection::vec(act(), 1..40),
        model in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check_acts(acts, model));
    }
}
