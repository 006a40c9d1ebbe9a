//! Stores of earlier versions open forever: of this format as they are, and of earlier ones brought
//! to it in one step.

use super::world::{PATIENCE, Person, START, World};
use faultmaven::base::Clock;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;

fn fixture(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format)
}

fn expected(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
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

/// A data directory of format 1 and what it holds.
pub(crate) fn format_1(data: &Path) -> Value {
    let fixture = fixture("format-1");
    copy(&fixture.join("blobs"), &data.join("blobs"));
    let packed = fs::File::open(fixture.join("store.redb.zst")).unwrap();
    let store = fs::File::create(data.join("store.redb")).unwrap();
    zstd::stream::copy_decode(packed, store).unwrap();
    expected(&fixture.join("expected.json"))
}

/// A data directory of format 2, `plain` or `encrypted`, and what it holds.
fn format_2(name: &str, data: &Path) -> Value {
    let fixture = fixture("format-2");
    let packed = fs::File::open(fixture.join(format!("{name}.tar.zst"))).unwrap();
    let unpacked = zstd::stream::read::Decoder::new(packed).unwrap();
    tar::Archive::new(unpacked).unpack(data).unwrap();
    expected(&fixture.join(format!("{name}.json")))
}

fn assert_everything_is_served(world: &World, expected: &Value) {
    let keeper = world.sign_in(expected["username"].as_str().unwrap());
    let cases = keeper.get("/cases").expect(200);
    assert_eq!(cases["total_count"], expected["cases"].as_array().unwrap().len());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for case in expected["cases"].as_array().unwrap() {
        let served = keeper.get(&format!("/cases/{}", text(&case["case_id"]))).expect(200);
        assert_eq!(served["title"], case["title"]);
    }
    let case = text(&expected["cases"][0]["case_id"]);
    let file = text(&expected["file"]["file_id"]);
    let content = keeper.get(&format!("/cases/{case}/files/{file}/content"));
    assert_eq!((content.status, content.text), (200, text(&expected["file"]["content"])));
    for id in expected["evidence"].as_array().unwrap() {
        keeper.get(&format!("/cases/{case}/evidence/{}", text(id))).expect(200);
    }
    for id in expected["reports"].as_array().into_iter().flatten() {
        let report = keeper.get(&format!("/cases/{case}/reports/{}", text(id))).expect(200);
        assert!(!report["content"].as_str().unwrap().is_empty());
    }
    if expected["document"].is_object() {
        assert_the_document_is_found(&keeper, expected);
    }
    let checked = keeper.post("/admin/check", &json!({})).expect(200);
    assert_eq!(checked["faults"], json!([]));
    assert!(checked["audit_entries"].as_u64() > expected["audit_entries"].as_u64());
}

fn assert_the_document_is_found(keeper: &Person, expected: &Value) {
    // The word index is derived: it is filled in the background after the store is there.
    let query = json!({ "query": expected["found_by"], "mode": "lexical" });
    let begun = Instant::now();
    let found = loop {
        let found = keeper.post("/knowledge/search", &query).expect(200);
        if found["results"][0].is_object() || begun.elapsed() > PATIENCE {
            break found;
        }
    };
    assert_eq!(found["results"][0]["document_id"], expected["document"]["document_id"]);
}

fn migrated(key: Option<&str>) {
    let directory = Arc::new(TempDir::new().unwrap());
    let data = directory.path().join("data");
    let expected = format_1(&data);
    let old = fs::read(data.join("store.redb")).unwrap();
    let clock = Clock::standing_at(START);
    let world = World::over(Arc::clone(&directory), clock, |config| {
        config.search.model = "none".into();
        config.key_command = key.map(|key| format!("echo {key}")).unwrap_or_default();
    });
    assert_everything_is_served(&world, &expected);
    let mut before = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
    let before = before.find(|path| path.to_string_lossy().contains("before-migration-")).unwrap();
    assert!(fs::read(before.join("store.redb")).unwrap() == old, "the old store is as it was");
    assert!(before.join("blobs").is_dir() && !data.join("store.redb").exists());
    let storage = world.sign_in("keeper").get("/admin/storage").expect(200);
    assert_eq!(storage["encrypted"], key.is_some());
    assert_eq!(storage["format"], 2);
}

#[test]
fn a_store_of_format_1_is_migrated_by_serving_it() {
    migrated(None);
}

#[test]
fn a_store_of_format_1_is_encrypted_on_the_way_when_a_key_is_configured() {
    migrated(Some(&"5a".repeat(32)));
}

/// Opens a store of format 2 as an earlier version left it.
fn opened(name: &str, key: Option<&str>) {
    let directory = Arc::new(TempDir::new().unwrap());
    let data = directory.path().join("data");
    let expected = format_2(name, &data);
    let made: Value = serde_json::from_slice(&fs::read(data.join("format.json")).unwrap()).unwrap();
    let world = World::over(directory, Clock::standing_at(START), |config| {
        config.search.model = "none".into();
        config.key_command = key.map(|key| format!("echo {key}")).unwrap_or_default();
    });
    assert_everything_is_served(&world, &expected);
    let storage = world.sign_in("keeper").get("/admin/storage").expect(200);
    assert_eq!((&storage["store_id"], &storage["format"]), (&made["store_id"], &json!(2)));
    assert_eq!(storage["encrypted"], key.is_some());
}

#[test]
fn a_store_of_format_2_opens_as_an_earlier_version_closed_it() {
    opened("plain", None);
}

#[test]
fn an_encrypted_store_of_format_2_opens_as_an_earlier_version_was_killed_over_it() {
    opened("encrypted", Some(&"5a".repeat(32)));
}
