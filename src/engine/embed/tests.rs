//! The embedder against golden answers of two tiny models, and against damaged ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use serde::Deserialize;
use tempfile::TempDir;

use super::tokens::Tokens;
use super::{Compute, Embed, EmbedError, Encoder, Pool, load, load_as};
use crate::base::{Class, Classify};

#[derive(Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embed").join(name)
}

fn golden(name: &str) -> Vec<Golden> {
    serde_json::from_slice(&fs::read(fixture(name).join("golden.json")).unwrap()).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The bfloat16 encoder, where this processor can run it.
fn bf16(name: &str) -> Option<Encoder> {
    match load_as(&fixture(name), Compute::Bf16) {
        Err(EmbedError::Unsupported(_)) => None,
        encoder => Some(encoder.unwrap()),
    }
}

fn bert() -> Encoder {
    load_as(&fixture("bert-tiny"), Compute::F32).unwrap()
}

fn check_golden(encoder: &Encoder, name: &str, cosine_min: f64) {
    for golden in golden(name) {
        let vector = encoder.embed(&[&golden.text]).unwrap().remove(0);
        let cosine = cosine(&vector, &golden.vector);
        assert!(cosine >= cosine_min, "{:?}: cosine {cosine}", golden.text);
    }
}

#[test]
fn floats_reproduce_the_golden_vectors() {
    for name in ["bert-tiny", "xlmr-tiny"] {
        let encoder = load_as(&fixture(name), Compute::F32).unwrap();
        check_golden(&encoder, name, 0.999_99);
    }
}

#[test]
fn bfloat16_stays_close_to_the_golden_vectors() {
    for name in ["bert-tiny", "xlmr-tiny"] {
        let Some(encoder) = bf16(name) else { return };
        check_golden(&encoder, name, 0.999);
    }
}

#[test]
fn ids_are_those_of_the_reference_tokenizers() {
    for name in ["bert-tiny", "xlmr-tiny"] {
        let path = fixture(name).join("tokenizer.json");
        let tokens = Tokens::new(&fs::read(&path).unwrap(), &path, 48).unwrap();
        for golden in golden(name) {
            assert_eq!(tokens.ids(&golden.text).unwrap(), golden.ids, "{:?}", golden.text);
        }
    }
}

#[test]
fn a_model_says_what_it_is() {
    let encoder = load(&fixture("xlmr-tiny")).unwrap();
    assert_eq!(encoder.model_id(), "xlmr-tiny");
    assert_eq!(encoder.dimensions(), 64);
    assert_eq!(encoder.tokens_max(), 46);
    assert_eq!(encoder.compute(), Compute::best());
}

#[test]
fn a_batch_gives_the_vectors_of_its_texts_alone() {
    let texts: Vec<String> = golden("bert-tiny").into_iter().map(|golden| golden.text).collect();
    // Enough texts for several passes of 256 tokens.
    let texts: Vec<&str> = texts.iter().cycle().take(200).map(String::as_str).collect();
    for encoder in [Some(bert()), bf16("bert-tiny")].into_iter().flatten() {
        let together = encoder.embed(&texts).unwrap();
        assert_eq!(together.len(), texts.len());
        for (text, vector) in texts.iter().zip(&together) {
            let alone = encoder.embed(&[text]).unwrap().remove(0);
            assert!(cosine(&alone, vector) > 0.999_999, "{text:?}");
            assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
        }
    }
    assert!(bert().embed(&[]).unwrap().is_empty());
}

#[test]
fn offsets_cut_the_text_at_its_tokens() {
    let text = "Größe: database refused,\n\ttimeout";
    let slices = |encoder: &Encoder| -> Vec<String> {
        let offsets = encoder.token_offsets(text).unwrap();
        offsets.into_iter().map(|(start, end)| text[start..end].to_owned()).collect()
    };
    let bert = slices(&bert());
    assert_eq!(bert.first().map(String::as_str), Some("Größe"));
    assert!(bert.contains(&"database".to_owned()) && bert.contains(&"refused".to_owned()));
    let kept = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bert.concat(), kept(text));
    let xlmr = slices(&load(&fixture("xlmr-tiny")).unwrap());
    assert_eq!(kept(&xlmr.concat()), kept(text));
}

#[test]
fn offsets_of_a_long_text_are_those_of_its_parts() {
    let line = "database refused the connection, größer 接続\n";
    for name in ["bert-tiny", "xlmr-tiny"] {
        let encoder = load(&fixture(name)).unwrap();
        let one = encoder.token_offsets(line).unwrap();
        let all = encoder.token_offsets(&line.repeat(2000)).unwrap();
        assert_eq!(all.len(), one.len() * 2000);
        for (copy, offsets) in all.chunks(one.len()).enumerate() {
            let base = copy * line.len();
            let expected = one.iter().map(|(start, end)| (start + base, end + base));
            assert!(offsets.iter().copied().eq(expected), "copy {copy} of {name}");
        }
    }
    assert!(bert().token_offsets("").unwrap().is_empty());
}

#[test]
fn a_text_beyond_the_limit_is_cut_not_refused() {
    for name in ["bert-tiny", "xlmr-tiny"] {
        let encoder = load(&fixture(name)).unwrap();
        let words = "error log ".repeat(100_000);
        let cut = encoder.embed(&[&words[..1_000]]).unwrap().remove(0);
        let whole = encoder.embed(&[&words]).unwrap().remove(0);
        assert!(cosine(&cut, &whole) > 0.999_999);
        // A megabyte without any place to cut, and one of nothing but characters of four bytes.
        for text in ["x".repeat(1_000_000), "🦀".repeat(250_000), " ".repeat(1_000_000)] {
            let vector = encoder.embed(&[&text]).unwrap().remove(0);
            assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
        }
        let words = encoder.token_offsets(&words).unwrap();
        assert!(words.len() >= 200_000 && words.last().unwrap().1 <= 1_000_000);
        let error = encoder.token_offsets(&" ".repeat((16 << 20) + 1)).unwrap_err();
        assert_eq!(error.class(), (Class::TooLarge, "text_too_long"));
    }
}

/// Copies a fixture into a directory of the given name, damages it, and expects this complaint.
fn check_refused(name: &str, damage: impl Fn(&Path), complaint: &str) {
    let home = TempDir::new().unwrap();
    let directory = home.path().join(name);
    copy(&fixture("bert-tiny"), &directory);
    damage(&directory);
    let error = load(&directory).err().expect("the damaged model was loaded");
    let text = error.to_string();
    assert!(text.contains(complaint), "{text:?} does not say {complaint:?}");
    assert_eq!(error.class().0, Class::Unavailable);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Replaces a text in a file and puts the new hash into the manifest.
fn edit(directory: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(directory.join(file)).unwrap();
    assert!(text.contains(from), "{file} does not hold {from:?}");
    store(directory, file, text.replacen(from, to, 1).as_bytes());
}

fn store(directory: &Path, file: &str, bytes: &[u8]) {
    use sha2::{Digest, Sha256};
    fs::write(directory.join(file), bytes).unwrap();
    let manifest = directory.join("manifest.json");
    let mut value: serde_json::Value =
        serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    value["models"][0]["files"][file] = hash.into();
    fs::write(manifest, value.to_string()).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let remove = |file: &'static str| move |dir: &Path| fs::remove_file(dir.join(file)).unwrap();
    check_refused("m", |dir| fs::remove_dir_all(dir).unwrap(), "m is missing");
    for file in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        check_refused("m", remove(file), &format!("{file} is missing"));
    }
    check_refused("m", remove("manifest.json"), "has no manifest.json");
}

#[test]
fn a_changed_byte_is_found() {
    let flip = |file: &'static str| {
        move |dir: &Path| {
            let mut bytes = fs::read(dir.join(file)).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(dir.join(file), bytes).unwrap();
        }
    };
    for file in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        check_refused("m", flip(file), &format!("{file} is damaged: its sha256 is"));
    }
}

#[test]
fn a_known_name_must_have_the_known_files() {
    check_refused("all-minilm-l6-v2", |_| (), "config.json is damaged");
}

#[test]
fn a_listed_but_unusable_file_is_refused() {
    let edit = |file: &'static str, from: &'static str, to: &'static str| {
        move |dir: &Path| edit(dir, file, from, to)
    };
    let store =
        |file: &'static str, bytes: &'static [u8]| move |dir: &Path| store(dir, file, bytes);
    let config = "config.json";
    check_refused("m", store("tokenizer.json", b"{}"), "tokenizer.json is unusable");
    check_refused("m", store(config, b"not json"), "config.json is unusable");
    check_refused("m", store("model.safetensors", b""), "model.safetensors is unusable");
    check_refused("m", store("model.safetensors", &[255; 64]), "model.safetensors is unusable");
    check_refused("m", edit(config, "\"bert\"", "\"llama\""), "model type \"llama\"");
    check_refused("m", edit(config, "\"gelu\"", "\"relu\""), "activation \"relu\"");
    check_refused("m", edit(config, "\"absolute\"", "\"relative_key\""), "positions of type");
    check_refused("m", edit(config, ": 64", ": 63"), "not supported: measures");
    check_refused("m", edit(config, "layers\": 2", "layers\": 3"), "encoder.layer.2");
    check_refused("m", edit(config, "_size\": 128", "_size\": 96"), "its shape is");
    check_refused("m", edit("1_Pooling/config.json", "true", "false"), "pooling other than");
    let empty = |dir: &Path| fs::write(dir.join("manifest.json"), "{\"models\": []}").unwrap();
    check_refused("m", empty, "it lists no model");
}

#[test]
fn a_module_this_program_cannot_run_is_refused() {
    let dense = br#"[{"type": "sentence_transformers.models.Dense"}]"#;
    check_refused("m", |dir| store(dir, "modules.json", dense), "module \"Dense\"");
}

#[test]
fn a_trained_length_shortens_the_limit() {
    let home = TempDir::new().unwrap();
    copy(&fixture("bert-tiny"), home.path());
    store(home.path(), "sentence_bert_config.json", br#"{"max_seq_length": 16}"#);
    assert_eq!(load(home.path()).unwrap().tokens_max(), 14);
}

#[test]
fn many_threads_share_one_model() {
    let encoder = load(&fixture("bert-tiny")).unwrap();
    let expected = encoder.embed(&["consumer lag grows"]).unwrap();
    std::thread::scope(|scope| {
        let run = || encoder.embed(&["consumer lag grows"]).unwrap();
        let handles: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        for handle in handles {
            assert_eq!(handle.join().unwrap(), expected);
        }
    });
}

/// A model that waits for a permit per call, panics on "panic", and reports each call.
struct Gated {
    entered: SyncSender<usize>,
    permits: Mutex<Receiver<()>>,
}

impl Embed for Gated {
    fn model_id(&self) -> &str {
        "gated"
    }
    fn dimensions(&self) -> usize {
        1
    }
    fn tokens_max(&self) -> usize {
        1
    }
    fn token_offsets(&self, _text: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        Ok(Vec::new())
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.entered.send(texts.len()).unwrap();
        if texts.contains(&"batch") {
            self.permits.lock().unwrap().recv().unwrap();
        }
        assert!(!texts.contains(&"panic"), "as asked for");
        Ok(vec![vec![1.0]; texts.len()])
    }
}

fn gated() -> (Pool, Receiver<usize>, SyncSender<()>) {
    let (entered, calls) = sync_channel(1000);
    let (permit, permits) = sync_channel(1000);
    let model = Gated { entered, permits: Mutex::new(permits) };
    (Pool::new(Arc::new(model)).unwrap(), calls, permit)
}

/// Starts a future without waiting for it.
fn poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T> + ?Sized>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn the_pool_answers_with_the_vectors_of_the_model() {
    let model = Arc::new(bert());
    let pool = Pool::new(model.clone()).unwrap();
    let text = "certificate expired".to_owned();
    let expected = model.embed(&[&text]).unwrap();
    assert_eq!(pool.query(text.clone()).await.unwrap(), expected[0]);
    let batch = pool.batch(vec![text; 70]).await.unwrap();
    assert_eq!(batch.len(), 70);
    assert!(batch.iter().all(|vector| cosine(vector, &expected[0]) > 0.999_999));
    assert!(pool.batch(Vec::new()).await.unwrap().is_empty());
    assert_eq!(pool.model().model_id(), "bert-tiny");
}

#[tokio::test]
async fn a_query_does_not_wait_for_a_batch() {
    let (pool, calls, permit) = gated();
    let mut batch = Box::pin(pool.batch(vec!["batch".to_owned()]));
    assert!(poll(&mut batch).is_pending());
    calls.recv().unwrap();
    assert_eq!(pool.query("query".to_owned()).await.unwrap(), [1.0]);
    permit.send(()).unwrap();
    assert_eq!(batch.await.unwrap(), [[1.0]]);
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_worker_lives() {
    let (pool, _calls, _permit) = gated();
    for _ in 0..3 {
        let error = pool.query("panic".to_owned()).await.unwrap_err();
        assert_eq!(error.class(), (Class::Broken, "embed_panicked"));
        assert_eq!(pool.query("fine".to_owned()).await.unwrap(), [1.0]);
    }
}

#[tokio::test]
async fn too_many_waiting_queries_are_refused_and_batches_wait() {
    let (pool, calls, permit) = gated();
    let query = || Box::pin(pool.query("batch".to_owned()));
    let mut first = query();
    assert!(poll(&mut first).is_pending());
    calls.recv().unwrap();
    let mut waiting: Vec<_> = (0..64).map(|_| query()).collect();
    assert!(waiting.iter_mut().all(|query| poll(query).is_pending()));
    let error = query().await.unwrap_err();
    assert_eq!(error.class(), (Class::Unavailable, "embed_busy"));
    for _ in 0..65 {
        permit.send(()).unwrap();
    }
    first.await.unwrap();
    for query in waiting {
        query.await.unwrap();
    }

    let batch = || Box::pin(pool.batch(vec!["batch".to_owned()]));
    let mut batches: Vec<_> = (0..12).map(|_| batch()).collect();
    assert!(batches.iter_mut().all(|batch| poll(batch).is_pending()));
    for _ in 0..12 {
        permit.send(()).unwrap();
    }
    for batch in batches {
        assert_eq!(batch.await.unwrap(), [[1.0]]);
    }
}

#[tokio::test]
async fn a_dropped_batch_is_given_up_between_slices() {
    let (pool, calls, permit) = gated();
    let mut batch = Box::pin(pool.batch(vec!["batch".to_owned(); 1000]));
    assert!(poll(&mut batch).is_pending());
    assert_eq!(calls.recv().unwrap(), 32);
    drop(batch);
    permit.send(()).unwrap();
    // The next call the model sees is the next batch, not the second slice of the dropped one.
    let mut next = Box::pin(pool.batch(vec!["batch".to_owned()]));
    assert!(poll(&mut next).is_pending());
    assert_eq!(calls.recv().unwrap(), 1);
    permit.send(()).unwrap();
    next.await.unwrap();
}
