//! Random operations against a model, group commit, cascade, failure.

use super::*;
use crate::base::page::PageRequest;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shelf {
    id: u64,
}

impl Row for Shelf {
    type Key = u64;
    const TABLE: &'static str = "shelves";
    fn key(&self) -> u64 {
        self.id
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    id: u64,
    shelf: u64,
    name: String,
    loaned: bool,
}

const BY_SHELF: Index<Book> = Index::many("books_by_shelf", |b| Some(key().u64(b.shelf)));
const BY_NAME: Index<Book> = Index::unique("books_by_name", |b| Some(key().str(&b.name)));
const LOANED: Index<Book> = Index::many("books_loaned", |b| b.loaned.then(|| key().str(&b.name)));

impl Row for Book {
    type Key = u64;
    const TABLE: &'static str = "books";
    const INDEXES: &'static [Index<Self>] = &[BY_SHELF, BY_NAME, LOANED];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<Shelf>(BY_SHELF, |b| Some(key().u64(b.shelf)))];
    fn key(&self) -> u64 {
        self.id
    }
}

fn schema() -> Schema {
    Schema::new().with::<Shelf>().with::<Book>()
}

fn db() -> Db {
    Db::in_memory(schema()).unwrap()
}

fn book(id: u64, shelf: u64, name: &str) -> Book {
    Book { id, shelf, name: name.into(), loaned: id.is_multiple_of(2) }
}

#[derive(Debug, Clone)]
enum Op {
    PutShelf(u64),
    DropShelf(u64),
    PutBook(Book),
    DropBook(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4u64).prop_map(Op::PutShelf),
        (0..4u64).prop_map(Op::DropShelf),
        (0..12u64, 0..4u64, "[a-c\0]{0,2}", any::<bool>())
            .prop_map(|(id, shelf, name, loaned)| Op::PutBook(Book { id, shelf, name, loaned })),
        (0..12u64).prop_map(Op::DropBook),
    ]
}

#[derive(Default)]
struct Model {
    shelves: BTreeMap<u64, Shelf>,
    books: BTreeMap<u64, Book>,
}

impl Model {
    /// Applies an operation; `false` when the store must refuse it.
    fn apply(&mut self, op: &Op) -> bool {
        match op {
            Op::PutShelf(id) => {
                self.shelves.insert(*id, Shelf { id: *id });
            }
            Op::DropShelf(id) => {
                self.shelves.remove(id);
                self.books.retain(|_, b| b.shelf != *id);
            }
            Op::PutBook(b) => {
                let taken = self.books.values().any(|o| o.name == b.name && o.id != b.id);
                if taken || !self.shelves.contains_key(&b.shelf) {
                    return false;
                }
                self.books.insert(b.id, b.clone());
            }
            Op::DropBook(id) => {
                self.books.remove(id);
            }
        }
        true
    }
}

fn run(tx: &Write<'_>, op: &Op) -> Result<(), DbError> {
    match op {
        Op::PutShelf(id) => tx.put(&Shelf { id: *id }),
        Op::DropShelf(id) => tx.delete::<Shelf>(id).map(drop),
        Op::PutBook(b) => tx.put(b),
        Op::DropBook(id) => tx.delete::<Book>(id).map(drop),
    }
}

fn assert_equal(db: &Db, model: &Model) {
    let books: Vec<Book> = db
        .read(|tx| {
            let mut rows = Vec::new();
            tx.each_row::<Book>(&Span::all(), |row| {
                rows.push(row);
                std::ops::ControlFlow::Continue(())
            })?;
            Ok::<_, DbError>(rows)
        })
        .unwrap();
    assert_eq!(books, model.books.values().cloned().collect::<Vec<_>>());
    assert_eq!(db.check().unwrap(), vec![]);
    for shelf in 0..4 {
        let span = Span::prefix(&key().u64(shelf));
        let listed = db.read(|tx| tx.list(&BY_SHELF, &span.reversed(), 1, 3)).unwrap();
        let expected: Vec<_> = model
            .books
            .values()
            .rev()
            .filter(|b| b.shelf == shelf)
            .skip(1)
            .take(3)
            .cloned()
            .collect();
        assert_eq!(listed, expected);
    }
    let loaned = db.read(|tx| tx.count(&LOANED, &Span::all())).unwrap();
    assert_eq!(loaned, model.books.values().filter(|b| b.loaned).count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_operations_agree_with_a_map(ops in prop::collection::vec(op(), 1..60)) {
        let (db, mut model) = (db(), Model::default());
        for op in ops {
            let expected = model.apply(&op);
            let each = op.clone();
            let done = db.write_blocking(move |tx| run(tx, &each)).is_ok();
            prop_assert_eq!(done, expected, "{:?}", op);
            assert_equal(&db, &model);
        }
    }

    #[test]
    fn a_write_sees_its_own_changes_and_fails_as_a_whole(
        ops in prop::collection::vec(op(), 1..20),
        fail in any::<bool>(),
    ) {
        let (db, mut model) = (db(), Model::default());
        for shelf in 0..4 {
            model.apply(&Op::PutShelf(shelf));
            db.write_blocking(move |tx| tx.put(&Shelf { id: shelf })).unwrap();
        }
        let mut after = Model { shelves: model.shelves.clone(), books: BTreeMap::new() };
        let good: Vec<Op> = ops.into_iter().filter(|op| after.apply(op)).collect();
        let result = db.write_blocking(move |tx| {
            good.iter().try_for_each(|op| run(tx, op))?;
            if fail { Err(DbError::Closed) } else { Ok(()) }
        });
        prop_assert_eq!(result.is_err(), fail);
        assert_equal(&db, if fail { &model } else { &after });
    }
}

#[test]
fn a_refusal_names_the_index() {
    let db = db();
    db.write_blocking(|tx| tx.put(&Shelf { id: 1 })).unwrap();
    db.write_blocking(|tx| tx.put(&book(1, 1, "dune"))).unwrap();
    let twice = db.write_blocking(|tx| tx.put(&book(2, 1, "dune"))).unwrap_err();
    assert_eq!(twice.to_string(), "another row has the same books_by_name");
    let orphan = db.write_blocking(|tx| tx.put(&book(3, 9, "emma"))).unwrap_err();
    assert_eq!(orphan.to_string(), "a row of books refers to a missing row of shelves");
    let again = db.write_blocking(|tx| tx.insert(&Shelf { id: 1 })).unwrap_err();
    assert_eq!(again.to_string(), "another row has the same shelves");
}

#[test]
fn a_page_counts_the_whole_span() {
    let db = db();
    db.write_blocking(|tx| {
        tx.put(&Shelf { id: 1 })?;
        (0..50).try_for_each(|id| tx.put(&book(id, 1, &format!("{id:03}"))))
    })
    .unwrap();
    let request = PageRequest { limit: 10, offset: 45 };
    let page = db.read(|tx| tx.page(&BY_NAME, &Span::all(), request)).unwrap();
    assert_eq!((page.total_count, page.items.len(), page.has_more()), (50, 5, false));
    assert_eq!(page.items[0].name, "045");
    let from = Span::all().after(&key().str("010"));
    let first = db.read(|tx| tx.list(&BY_NAME, &from, 0, 1)).unwrap();
    assert_eq!(first[0].name, "011");
}

#[test]
fn a_closure_that_fails_after_writing_leaves_its_neighbours_alone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let db = db();
    runtime.block_on(async {
        let writes = (0..200u64).map(|id| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    tx.put(&Shelf { id })?;
                    match id % 10 {
                        3 => Err(DbError::Closed),
                        7 => panic!("closure {id} is broken"),
                        _ => Ok(id),
                    }
                })
                .await
            })
        });
        for (id, write) in writes.collect::<Vec<_>>().into_iter().enumerate() {
            let answer = write.await.unwrap();
            match id % 10 {
                3 => assert!(matches!(answer, Err(DbError::Closed)), "{id}"),
                7 => assert!(matches!(answer, Err(DbError::Panicked(_))), "{id}"),
                _ => assert_eq!(answer.unwrap(), id as u64),
            }
        }
    });
    let kept: Vec<u64> = (0..200).filter(|id| ![3, 7].contains(&(id % 10))).collect();
    for id in 0..200 {
        let there = db.read(|tx| tx.contains::<Shelf>(&id)).unwrap();
        assert_eq!(there, kept.contains(&id), "{id}");
    }
}

/// Holds the writer until all closures wait, so that they are one batch in this order; answers
/// what each was told.
fn in_one_batch<F>(db: &Db, closures: Vec<F>) -> Vec<Result<u64, DbError>>
where
    F: Fn(&Write<'_>) -> Result<u64, DbError> + Send + 'static,
{
    let (begun, running) = std::sync::mpsc::channel();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let held = db.clone();
    let holder = std::thread::spawn(move || {
        held.write_blocking(move |_| {
            begun.send(()).unwrap();
            // Ends when the other side is dropped.
            let _ = gate.recv();
            Ok::<_, DbError>(())
        })
    });
    running.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answers = runtime.block_on(async {
        let writes: Vec<_> = closures
            .into_iter()
            .map(|closure| {
                let db = db.clone();
                tokio::spawn(async move { db.write(closure).await })
            })
            .collect();
        // One thread polls tasks in the order they were spawned: by now every closure is queued.
        tokio::spawn(async move { drop(open) }).await.unwrap();
        let mut answers = Vec::new();
        for write in writes {
            answers.push(write.await.unwrap());
        }
        answers
    });
    holder.join().unwrap().unwrap();
    answers
}

#[test]
fn many_failures_in_a_batch_do_not_multiply_its_work() {
    const CLOSURES: u64 = 200;
    let (db, runs) = (db(), Arc::new(AtomicUsize::new(0)));
    let hooks = Arc::new(AtomicUsize::new(0));
    let before = db.stats().operations;
    let closures = (0..CLOSURES).map(|id| {
        let (runs, hooks) = (Arc::clone(&runs), Arc::clone(&hooks));
        move |tx: &Write<'_>| {
            runs.fetch_add(1, Ordering::SeqCst);
            let hooks = Arc::clone(&hooks);
            tx.after_commit(move || {
                hooks.fetch_add(1, Ordering::SeqCst);
            });
            tx.put(&Shelf { id })?;
            // Those that fail are in pairs, so that two follow each other.
            if id % 4 < 2 { Err(DbError::Closed) } else { Ok(tx.counter("none")? + id) }
        }
    });
    let answers = in_one_batch(&db, closures.collect());
    for (id, answer) in (0..CLOSURES).zip(answers) {
        let there = db.read(|tx| tx.contains::<Shelf>(&id)).unwrap();
        match id % 4 < 2 {
            true => assert!(matches!(answer, Err(DbError::Closed)) && !there, "{id}"),
            false => assert!(answer.unwrap() == id && there, "{id}"),
        }
    }
    let runs = runs.load(Ordering::SeqCst);
    assert!(runs <= 3 * CLOSURES as usize, "{runs} runs");
    assert_eq!(hooks.load(Ordering::SeqCst), CLOSURES as usize / 2);
    // The closure that held the writer counts as well.
    assert_eq!(db.stats().operations - before, CLOSURES / 2 + 1);
}

#[test]
fn a_closure_that_fails_only_when_repeated_is_refused_alone() {
    let (db, runs) = (db(), Arc::new(AtomicUsize::new(0)));
    let closures = (0..4u64).map(|id| {
        let runs = Arc::clone(&runs);
        move |tx: &Write<'_>| {
            let mut shelves = 0;
            tx.each_row::<Shelf>(&Span::all(), |_| {
                shelves += 1;
                std::ops::ControlFlow::Continue(())
            })?;
            tx.put(&Shelf { id })?;
            match id {
                1 if runs.fetch_add(1, Ordering::SeqCst) > 0 => Err(DbError::Closed),
                // Tells in its error on how many shelves it was computed.
                2 => Err(DbError::Panicked(shelves.to_string())),
                _ => Ok(shelves),
            }
        }
    });
    let answers = in_one_batch(&db, closures.collect());
    assert_eq!(answers[0].as_ref().ok(), Some(&0));
    assert!(matches!(answers[1], Err(DbError::Closed)));
    assert!(matches!(&answers[2], Err(DbError::Panicked(shelves)) if shelves == "1"));
    assert_eq!(answers[3].as_ref().ok(), Some(&1));
}

#[test]
fn what_a_closure_holds_is_free_when_its_caller_is_answered() {
    let (db, held) = (db(), Arc::new(()));
    for id in 0..200 {
        let inner = Arc::clone(&held);
        db.write_blocking(move |tx| {
            let _ = &inner;
            tx.put(&Shelf { id })
        })
        .unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn hooks_run_for_what_was_stored_and_only_for_that() {
    let (db, ran) = (db(), Arc::new(AtomicUsize::new(0)));
    for fail in [false, true] {
        let seen = Arc::clone(&ran);
        let _ = db.write_blocking(move |tx| {
            let seen = Arc::clone(&seen);
            tx.after_commit(move || {
                seen.fetch_add(1, Ordering::SeqCst);
            });
            tx.put(&Shelf { id: 5 })?;
            if fail { Err(DbError::Closed) } else { Ok(()) }
        });
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let open = || Db::open_in(&path, Options::default().with_cache(1 << 20), schema()).unwrap();
    open()
        .write_blocking(|tx| {
            tx.put(&Shelf { id: 1 })?;
            tx.next_counter("loans")?;
            tx.next_counter("loans").map(drop)
        })
        .unwrap();
    let db = open();
    assert!(db.read(|tx| tx.contains::<Shelf>(&1)).unwrap());
    assert_eq!(db.read(|tx| tx.counter("loans")).unwrap(), 2);
}

#[test]
fn a_long_walk_inside_a_write_visits_everything_once() {
    let db = db();
    let seen = db
        .write_blocking(|tx| {
            (0..1000).try_for_each(|id| tx.put(&Shelf { id }))?;
            let mut seen = Vec::new();
            tx.each_row::<Shelf>(&Span::all().reversed(), |row| {
                seen.push(row.id);
                std::ops::ControlFlow::Continue(())
            })?;
            Ok::<_, DbError>(seen)
        })
        .unwrap();
    assert_eq!(seen, (0..1000).rev().collect::<Vec<_>>());
}

#[test]
fn a_closed_store_can_be_opened_at_once_whoever_held_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    for id in 0..20 {
        let db = Db::open_in(&path, Options::default().with_cache(1 << 20), schema()).unwrap();
        runtime.block_on(async {
            let held = db.clone();
            tokio::spawn(async move { held.write(move |tx| tx.put(&Shelf { id })).await });
            db.closed().await;
        });
    }
}
