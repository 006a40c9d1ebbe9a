//! The search against scoring every vector, kernels against each other, the bound against truth.

use super::code::{self, Bound, cosine, encode_query, encode_row, normalise};
use super::collection::BLOCK_ROWS;
use super::kernel::{Line, Tier};
use super::{DIMENSIONS_MAX, Hit, VectorError, Vectors};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq};
use proptest::{prop_oneof, proptest};
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// A small generator for cases that proptest need not shrink (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

type Model = BTreeMap<u32, Vec<f32>>;

/// Scores everything; the answer that the search must give.
fn brute(model: &Model, query: &[f32], k: usize, allowed: Option<&RoaringBitmap>) -> Vec<Hit> {
    let query = normalise(query).unwrap();
    let mut hits: Vec<Hit> = model
        .iter()
        .filter(|(ordinal, _)| allowed.is_none_or(|allowed| allowed.contains(**ordinal)))
        .map(|(&ordinal, vector)| Hit {
            ordinal,
            score: cosine(&query, &normalise(vector).unwrap()),
        })
        .collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
    hits.truncate(k);
    hits
}

fn check(
    vectors: &Vectors,
    model: &Model,
    query: &[f32],
    k: usize,
    allowed: Option<&RoaringBitmap>,
) {
    let found = vectors.search(&["c"], query, k, allowed).unwrap();
    assert_eq!(found.hits, brute(model, query, k, allowed));
    assert!(found.exact);
    let within = model.keys().filter(|o| allowed.is_none_or(|allowed| allowed.contains(**o)));
    assert_eq!(found.scanned, within.count());
}

fn filled(count: u32, dimensions: usize, seed: u64) -> (Vectors, Model) {
    let (vectors, mut model, mut noise) = (Vectors::new(), Model::new(), Noise(seed));
    for ordinal in 0..count {
        let vector = noise.vector(dimensions);
        vectors.insert("c", ordinal, &vector).unwrap();
        model.insert(ordinal, vector);
    }
    (vectors, model)
}

/// Coarse components make duplicates, ties and zero vectors common.
fn component() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => prop::sample::select(vec![-1.0f32, 0.0, 0.5, 1.0]),
        2 => -1.0f32..1.0,
        1 => prop::sample::select(vec![1e-30f32, 1e30, -3e20, f32::MIN_POSITIVE, 1e-45]),
    ]
}

#[derive(Debug, Clone)]
struct Story {
    start: Vec<(u32, Vec<f32>)>,
    removed: Vec<u32>,
    again: Vec<(u32, Vec<f32>)>,
    query: Vec<f32>,
    allowed: Option<Vec<u32>>,
    k: usize,
}

fn story() -> impl Strategy<Value = Story> {
    prop_oneof![Just(1usize), Just(2), Just(3), 4usize..140].prop_flat_map(|dimensions| {
        let vector = move || prop::collection::vec(component(), dimensions);
        let rows = move |count| prop::collection::vec((0u32..160, vector()), count);
        (
            rows(0..150),
            prop::collection::vec(0u32..160, 0..80),
            rows(0..20),
            vector(),
            prop::option::of(prop::collection::vec(0u32..200, 0..60)),
            prop_oneof![0usize..12, Just(500)],
        )
            .prop_map(|(start, removed, again, query, allowed, k)| Story {
                start,
                removed,
                again,
                query,
                allowed,
                k,
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_search_gives_what_scoring_every_vector_gives(story in story()) {
        for tier in Tier::available() {
            let vectors = Vectors::with_tier(tier);
            let mut model = Model::new();
            for (ordinal, vector) in &story.start {
                vectors.insert("c", *ordinal, vector).unwrap();
                model.insert(*ordinal, vector.clone());
            }
            for ordinal in &story.removed {
                prop_assert_eq!(vectors.remove("c", *ordinal), model.remove(ordinal).is_some());
            }
            for (ordinal, vector) in &story.again {
                vectors.insert("c", *ordinal, vector).unwrap();
                model.insert(*ordinal, vector.clone());
            }
            prop_assert_eq!(vectors.len("c"), model.len());
            let allowed: Option<RoaringBitmap> =
                story.allowed.as_ref().map(|allowed| allowed.iter().copied().collect());
            let found = vectors.search(&["c"], &story.query, story.k, allowed.as_ref()).unwrap();
            prop_assert_eq!(found.hits, brute(&model, &story.query, story.k, allowed.as_ref()));
        }
    }

    #[test]
    fn the_interval_holds_the_cosine(
        (a, b) in (1usize..300).prop_flat_map(|n| (
            prop::collection::vec(component(), n),
            prop::collection::vec(component(), n),
        )),
    ) {
        let (a, b) = (normalise(&a).unwrap(), normalise(&b).unwrap());
        let (query, row) = (encode_query(&a), encode_row(&b));
        let mut raw = [0i32];
        Tier::best().run(&row.lines, 0, &query.lines, &mut raw);
        let bound = Bound::new(&query, a.len());
        let (lower, upper) = bound.interval(raw[0], row.scale, row.lost);
        let score = cosine(&a, &b);
        let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        prop_assert!(lower <= score && score <= upper, "{lower} {score} {upper}");
        prop_assert!((f64::from(score) - exact).abs() < 1e-5, "{score} {exact}");
    }

    #[test]
    fn every_tier_gives_the_same_integers(
        lines in 1usize..9, rows in 0usize..40, first in 0usize..3, seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed | 1);
        let line = |noise: &mut Noise, any: bool| {
            Line(std::array::from_fn(|_| match noise.next() >> 56 {
                128 if !any => 127,
                byte => byte as u8,
            }))
        };
        let codes: Vec<Line> =
            (0..lines * (rows + first)).map(|_| line(&mut noise, true)).collect();
        let query: Vec<Line> = (0..lines).map(|_| line(&mut noise, false)).collect();
        let plain: Vec<i32> = codes[first * lines..]
            .chunks(lines)
            .map(|row| {
                let pairs = row.iter().flat_map(|l| l.0).zip(query.iter().flat_map(|l| l.0));
                pairs.map(|(row, query)| i32::from(row) * i32::from(query as i8)).sum()
            })
            .collect();
        for tier in Tier::available() {
            let mut out = vec![0; rows];
            tier.run(&codes, first, &query, &mut out);
            prop_assert_eq!(&out, &plain, "{}", tier.name());
        }
    }
}

#[test]
fn extreme_codes_do_not_saturate_in_any_tier() {
    let lines = code::row_lines(DIMENSIONS_MAX);
    let (codes, query) = (vec![Line([255; 64]); lines], vec![Line([127; 64]); lines]);
    for tier in Tier::available() {
        let mut out = [0];
        tier.run(&codes, 0, &query, &mut out);
        assert_eq!(out, [255 * 127 * DIMENSIONS_MAX as i32], "{}", tier.name());
    }
}

#[test]
fn several_blocks_and_every_kind_of_filter_agree_with_brute_force() {
    let (vectors, model) = filled(BLOCK_ROWS as u32 + 900, 24, 7);
    let mut noise = Noise(99);
    for step in [1, 2, 11, 300, 4000] {
        let allowed: RoaringBitmap = model.keys().copied().step_by(step).collect();
        for k in [1, 10, 50] {
            check(&vectors, &model, &noise.vector(24), k, Some(&allowed));
        }
    }
    check(&vectors, &model, &noise.vector(24), 10, None);
    check(&vectors, &model, &noise.vector(24), 10, Some(&RoaringBitmap::new()));
    check(&vectors, &model, &noise.vector(24), 10, Some(&(6000..7000).collect()));
}

#[test]
fn hits_come_from_all_named_collections_and_no_other() {
    let vectors = Vectors::new();
    vectors.insert("a", 1, &[1.0, 0.0]).unwrap();
    vectors.insert("b", 2, &[1.0, 0.1]).unwrap();
    vectors.insert("b", 3, &[0.0, 1.0]).unwrap();
    vectors.insert("secret", 4, &[1.0, 0.0]).unwrap();
    let ordinals = |names: &[&str], k| {
        let found = vectors.search(names, &[1.0, 0.0], k, None).unwrap();
        found.hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>()
    };
    assert_eq!(ordinals(&["b", "a", "b", "missing"], 2), [1, 2]);
    assert_eq!(ordinals(&["b", "a"], 9), [1, 2, 3]);
    assert_eq!(ordinals(&[], 9), [0u32; 0]);
}

#[test]
fn equal_vectors_come_in_the_order_of_their_ordinals() {
    let vectors = Vectors::new();
    for ordinal in [9, 3, 7, 1, 5] {
        vectors.insert("c", ordinal, &[0.3, 0.4, 0.5]).unwrap();
    }
    vectors.insert("c", 2, &[0.0, 0.0, 0.0]).unwrap();
    let hits = vectors.search(&["c"], &[0.3, 0.4, 0.5], 4, None).unwrap().hits;
    assert_eq!(hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [1, 3, 5, 7]);
    let zero = vectors.search(&["c"], &[0.0; 3], 2, None).unwrap().hits;
    assert_eq!(zero, [Hit { ordinal: 1, score: 0.0 }, Hit { ordinal: 2, score: 0.0 }]);
}

#[test]
fn what_is_not_a_number_or_not_the_right_length_is_refused_and_changes_nothing() {
    let vectors = Vectors::new();
    vectors.insert("c", 1, &[1.0, 0.0]).unwrap();
    let wrong = VectorError::Dimensions { expected: 2, found: 3 };
    for (vector, error) in [
        (vec![f32::NAN, 1.0], VectorError::NotFinite),
        (vec![f32::INFINITY, 1.0], VectorError::NotFinite),
        (vec![1.0, 2.0, 3.0], wrong),
        (vec![], VectorError::Length(0)),
        (vec![1.0; DIMENSIONS_MAX + 1], VectorError::Length(DIMENSIONS_MAX + 1)),
    ] {
        assert_eq!(vectors.insert("c", 1, &vector), Err(error));
        assert_eq!(vectors.search(&["c"], &vector, 1, None), Err(error));
    }
    let hits = vectors.search(&["c"], &[2.0, 0.0], 5, None).unwrap().hits;
    assert_eq!(hits, [Hit { ordinal: 1, score: 1.0 }]);
}

#[test]
fn an_empty_collection_takes_vectors_of_another_model() {
    let vectors = Vectors::new();
    vectors.insert("c", 1, &[1.0, 0.0]).unwrap();
    assert!(vectors.remove("c", 1));
    assert!(vectors.is_empty("c"));
    vectors.insert("c", 1, &[1.0, 0.0, 0.0]).unwrap();
    assert_eq!(vectors.search(&["c"], &[1.0, 0.0, 0.0], 1, None).unwrap().hits[0].score, 1.0);
}

#[test]
fn removing_frees_memory_and_keeps_the_rest_right() {
    let count = BLOCK_ROWS as u32 + 100;
    let (vectors, mut model) = filled(count, 16, 3);
    let before = vectors.stats();
    assert_eq!((before.live, before.dead), (count as usize, 0));
    let mut noise = Noise(5);
    for ordinal in (0..count).filter(|ordinal| ordinal % 5 != 0) {
        assert!(vectors.remove("c", ordinal));
        assert!(!vectors.remove("c", ordinal));
        model.remove(&ordinal);
        if ordinal % 500 == 1 {
            check(&vectors, &model, &noise.vector(16), 10, None);
        }
    }
    let after = vectors.stats();
    assert_eq!(after.live, model.len());
    assert!(after.dead * 100 <= 20 * (after.live + after.dead) + 32 * 100, "{after:?}");
    assert!(after.bytes < before.bytes / 2, "{before:?} {after:?}");
    for ordinal in count..count + 50 {
        let vector = noise.vector(16);
        vectors.insert("c", ordinal, &vector).unwrap();
        model.insert(ordinal, vector);
    }
    check(&vectors, &model, &noise.vector(16), 20, None);
    assert!(vectors.drop_collection("c"));
    assert!(!vectors.drop_collection("c"));
    assert_eq!(vectors.stats(), super::Stats::default());
}

#[test]
fn searches_and_writes_at_once_never_lose_a_lasting_vector() {
    let vectors = Vectors::new();
    vectors.insert("c", 0, &[1.0, 0.0, 0.0]).unwrap();
    std::thread::scope(|scope| {
        let writer = vectors.clone();
        scope.spawn(move || {
            let mut noise = Noise(11);
            for ordinal in 1..3000u32 {
                let mut vector = noise.vector(3);
                vector[0] = vector[0].min(0.5);
                vectors_write(&writer, ordinal, &vector);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let found = vectors.search(&["c"], &[1.0, 0.0, 0.0], 1, None).unwrap();
                    assert_eq!(found.hits[0], Hit { ordinal: 0, score: 1.0 });
                }
            });
        }
    });
}

fn vectors_write(vectors: &Vectors, ordinal: u32, vector: &[f32]) {
    // The second component keeps every other vector away from the one that must stay first.
    let vector = [vector[0], vector[1].abs() + 1.0, vector[2]];
    vectors.insert("c", ordinal, &vector).unwrap();
    if ordinal.is_multiple_of(3) {
        assert!(vectors.remove("c", ordinal - 1));
    }
}
