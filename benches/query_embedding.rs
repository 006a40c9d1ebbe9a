//! Claim: a semantic search of the knowledge base answers in under 200 ms (seed 17.2); embedding the
//! query is its largest part.
//!
//! Measures the default model if it is in `models/`, otherwise a model of the same shape with random
//! weights, which takes the same time.
#![allow(clippy::print_stderr)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faultmaven::engine::embed::{Compute, Embed, Encoder, load_as};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Words that are one token each, in the real vocabulary and in the random one.
const WORDS: [&str; 12] = [
    "error",
    "disk",
    "memory",
    "database",
    "failure",
    "storage",
    "service",
    "certificate",
    "log",
    "process",
    "network",
    "kernel",
];

/// Tokens of a question as people type it, the two special tokens included.
const QUERY_TOKENS: usize = 17;

/// The longest text of the default model.
const CHUNK_TOKENS: usize = 256;

/// Texts of about 47 tokens for the throughput, as in a paragraph of a runbook.
const PARAGRAPHS: usize = 64;
const PARAGRAPH_TOKENS: usize = 47;

/// Measures of the default model.
const HIDDEN: usize = 384;
const LAYERS: usize = 6;
const WIDE: usize = 1536;
const VOCABULARY: usize = 30_522;
const POSITIONS: usize = 512;

fn query_embedding(criterion: &mut Criterion) {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-minilm-l6-v2");
    let home = TempDir::new().expect("a temporary directory");
    let directory = if real.is_dir() { real } else { random_model(home.path()) };
    eprintln!("model: {}", directory.display());
    let mut formats = vec![Compute::F32];
    if Compute::best() == Compute::Bf16 {
        formats.insert(0, Compute::Bf16);
    }
    for compute in formats {
        let before = resident_mib();
        let encoder = load_as(&directory, compute).expect("a sound model");
        measure(criterion, &encoder, &format!("{compute:?}").to_lowercase());
        eprintln!(
            "resident: {before} MiB before loading {compute:?}, {} MiB after",
            resident_mib()
        );
    }
    let mut group = criterion.benchmark_group("query_embedding");
    group.sample_size(10);
    group.bench_function("load", |bench| {
        bench.iter(|| load_as(&directory, Compute::best()).expect("a sound model"));
    });
}

fn measure(criterion: &mut Criterion, encoder: &Encoder, format: &str) {
    let mut group = criterion.benchmark_group("query_embedding");
    for (name, tokens) in [("query_17_tokens", QUERY_TOKENS), ("chunk_256_tokens", CHUNK_TOKENS)] {
        let text = text(encoder, tokens, 0);
        group.bench_function(format!("{name}/{format}"), |bench| {
            bench.iter(|| encoder.embed(&[black_box(&text)]));
        });
    }
    let texts: Vec<String> =
        (0..PARAGRAPHS).map(|seed| text(encoder, PARAGRAPH_TOKENS, seed)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    group.throughput(Throughput::Elements(PARAGRAPHS as u64)).sample_size(10);
    group.bench_function(format!("64_paragraphs/{format}"), |bench| {
        bench.iter(|| encoder.embed(black_box(&texts)));
    });
}

/// A text of exactly `tokens` tokens, the two special ones included.
fn text(encoder: &Encoder, tokens: usize, seed: usize) -> String {
    let words = (0..tokens - 2).map(|i| WORDS[(seed + i * 7 + i / 5) % WORDS.len()]);
    let text = words.collect::<Vec<_>>().join(" ");
    assert_eq!(encoder.token_offsets(&text).expect("tokens").len(), tokens - 2);
    text
}

/// Resident memory of this process, 0 where the system does not say.
fn resident_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) / 1024
}

/// Writes a model of the default shape with random weights.
fn random_model(home: &Path) -> PathBuf {
    let directory = home.join("random");
    fs::create_dir(&directory).expect("a directory");
    let config = json!({
        "model_type": "bert", "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": 12, "intermediate_size": WIDE, "vocab_size": VOCABULARY,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    });
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].into_iter();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        special.chain(WORDS).enumerate().map(|(id, word)| (word.to_owned(), id.into())).collect();
    let mark = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [mark("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, mark("[SEP]")],
            "pair": [],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            }},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    let files = [
        ("config.json", config.to_string().into_bytes()),
        ("tokenizer.json", tokenizer.to_string().into_bytes()),
        ("sentence_bert_config.json", br#"{"max_seq_length": 256}"#.to_vec()),
        ("model.safetensors", random_weights()),
    ];
    let mut hashes = serde_json::Map::new();
    for (name, bytes) in files {
        let hash: String =
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hashes.insert(name.to_owned(), hash.into());
        fs::write(directory.join(name), bytes).expect("room for 90 MB");
    }
    let manifest = json!({"models": [{"id": "random", "files": hashes}]});
    fs::write(directory.join("manifest.json"), manifest.to_string()).expect("a manifest");
    directory
}

/// All tensors of the default shape in the safetensors format.
fn random_weights() -> Vec<u8> {
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![VOCABULARY, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let mut vectors = vec![("embeddings.LayerNorm".to_owned(), HIDDEN, 0)];
    for layer in (0..LAYERS).map(|index| format!("encoder.layer.{index}.")) {
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            vectors.push((format!("{layer}attention.{part}"), HIDDEN, HIDDEN));
        }
        vectors.push((format!("{layer}attention.output.LayerNorm"), HIDDEN, 0));
        vectors.push((format!("{layer}intermediate.dense"), WIDE, HIDDEN));
        vectors.push((format!("{layer}output.dense"), HIDDEN, WIDE));
        vectors.push((format!("{layer}output.LayerNorm"), HIDDEN, 0));
    }
    for (name, outputs, inputs) in vectors {
        let shape = if inputs == 0 { vec![outputs] } else { vec![outputs, inputs] };
        shapes.push((format!("{name}.weight"), shape));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    }
    let (mut header, mut body, mut state) = (serde_json::Map::new(), Vec::new(), 1u32);
    for (name, shape) in shapes {
        let start = body.len();
        for _ in 0..shape.iter().product() {
            // Marsaglia's xorshift: fast, and good enough for weights nobody reads.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let value = (state as f32 / u32::MAX as f32 - 0.5) * 0.1;
            body.extend_from_slice(&value.to_le_bytes());
        }
        let place = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, body.len()]});
        header.insert(name, place);
    }
    let header = serde_json::Value::Object(header).to_string().into_bytes();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(body);
    file
}

criterion_group!(benches, query_embedding);
criterion_main!(benches);
