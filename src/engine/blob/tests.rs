//! What a blob is worth after success, failure and a crash; on disk and in memory.

use super::{BlobError, BlobKey, BlobWriter, Blobs, Finished, LIST_MAX, Written};
use crate::base::{Class, Classify};
use crate::engine::key::{KeyRing, MasterKey, Seal, SealError, SealedReader};
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{MultipartUpload, PutPayload, PutResult, UploadPart};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;

const MIB: usize = 1024 * 1024;

fn key(text: &str) -> BlobKey {
    text.parse().unwrap()
}

async fn put(blobs: &Blobs, name: &str, content: &[u8]) -> Written {
    let mut writer = blobs.begin(&key(name)).await.unwrap();
    writer.write(Bytes::copy_from_slice(content)).await.unwrap();
    writer.finish().await.unwrap()
}

async fn get(blobs: &Blobs, name: &str) -> Bytes {
    blobs.get(&key(name), u64::MAX).await.unwrap()
}

fn keyed() -> Seal {
    KeyRing::create(&MasterKey::generate()).unwrap().1.seal("blobs")
}

fn open(dir: &Path) -> Blobs {
    Blobs::open(dir, &Seal::checked()).unwrap()
}

/// All kinds of store, and the directory that must outlive those on disk.
fn all() -> (tempfile::TempDir, [Blobs; 3]) {
    let home = tempfile::tempdir().unwrap();
    let disk = open(&home.path().join("blobs"));
    let sealed = Blobs::open(&home.path().join("sealed"), &keyed()).unwrap();
    (home, [disk, sealed, Blobs::in_memory()])
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn a_blob_comes_back_as_it_was_written() {
    let (_home, stores) = all();
    for blobs in stores {
        let written = put(&blobs, "artifacts/case_1/file_1", b"hello").await;
        let sha256: [u8; 32] = Sha256::digest(b"hello").into();
        assert_eq!(written, Written { size_bytes: 5, sha256 });
        assert_eq!(get(&blobs, "artifacts/case_1/file_1").await, "hello");
        assert_eq!(put(&blobs, "empty", b"").await.size_bytes, 0);
        assert_eq!(get(&blobs, "empty").await, "");
        put(&blobs, "artifacts/case_1/file_1", b"other").await;
        assert_eq!(get(&blobs, "artifacts/case_1/file_1").await, "other");
        assert_eq!(blobs.size_bytes(&key("empty")).await.unwrap(), Some(0));
        assert!(!blobs.exists(&key("artifacts/case_1")).await.unwrap());
        let refused = blobs.get(&key("artifacts/case_1/file_1"), 4).await.unwrap_err();
        assert!(matches!(refused, BlobError::TooLarge { size_bytes: 5, limit_bytes: 4 }));
    }
}

#[tokio::test]
async fn ten_mebibytes_in_odd_pieces_keep_their_digest() {
    let (_home, stores) = all();
    let content: Vec<u8> = (0..10 * MIB).map(|n| ((n * 31) >> 7) as u8).collect();
    let sha256: [u8; 32] = Sha256::digest(&content).into();
    for blobs in stores {
        for piece in [1021, 65_536, 512 * 1024, 3 * MIB] {
            let mut writer = blobs.begin(&key("big")).await.unwrap();
            for piece in content.chunks(piece) {
                writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            assert_eq!(writer.size_bytes(), content.len() as u64);
            let written = writer.finish().await.unwrap();
            assert_eq!(written, Written { size_bytes: content.len() as u64, sha256 });
        }
        let stream = blobs.stream(&key("big")).await.unwrap();
        assert_eq!(stream.size_bytes, content.len() as u64);
        let mut digest = Sha256::new();
        stream
            .pieces
            .try_for_each(|piece| {
                digest.update(&piece);
                std::future::ready(Ok(()))
            })
            .await
            .unwrap();
        assert_eq!(<[u8; 32]>::from(digest.finalize()), sha256);
    }
}

#[tokio::test]
async fn nothing_is_seen_before_the_end_and_nothing_stays_of_a_dropped_writer() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("blobs");
    let blobs = open(&dir);
    let mut writer = blobs.begin(&key("a/b")).await.unwrap();
    writer.write(vec![7; 2 * MIB].into()).await.unwrap();
    assert!(!blobs.exists(&key("a/b")).await.unwrap());
    assert_eq!(blobs.list(None, None, 10).await.unwrap(), []);
    drop(writer);
    drop(blobs);
    // The removal runs in the background; opening again is what guarantees it.
    let blobs = open(&dir);
    assert!(files(&dir).is_empty());
    assert!(!blobs.exists(&key("a/b")).await.unwrap());
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_open_and_whole_blobs_stay() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("blobs");
    put(&open(&dir), "a/whole", b"whole").await;
    fs::write(dir.join("a/whole#1"), "half").unwrap();
    fs::create_dir_all(dir.join("b/c")).unwrap();
    fs::write(dir.join("b/c/new#12"), "half").unwrap();
    let blobs = open(&dir);
    assert_eq!(files(&dir), [dir.join("a/whole")]);
    assert!(!dir.join("b").exists());
    assert_eq!(get(&blobs, "a/whole").await, "whole");
}

#[tokio::test]
async fn deleting_twice_is_no_error_and_what_is_missing_is_missing() {
    let (_home, stores) = all();
    for blobs in stores {
        put(&blobs, "a/b", b"x").await;
        blobs.delete(&key("a/b")).await.unwrap();
        blobs.delete(&key("a/b")).await.unwrap();
        blobs.delete(&key("never/was")).await.unwrap();
        let missing = blobs.get(&key("a/b"), 9).await.unwrap_err();
        assert_eq!(missing.class(), (Class::Missing, "blob_missing"));
        assert!(blobs.stream(&key("a/b")).await.is_err());
        assert_eq!(blobs.size_bytes(&key("a/b")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_listing_pages_in_key_order_within_whole_segments() {
    let (_home, stores) = all();
    for blobs in stores {
        for name in ["a/3", "a/1", "ab/1", "b/1", "a/2/x", "a/10"] {
            put(&blobs, name, name.as_bytes()).await;
        }
        let page = async |within: Option<&str>, after: Option<&str>, limit| {
            let (within, after) = (within.map(key), after.map(key));
            let page = blobs.list(within.as_ref(), after.as_ref(), limit).await.unwrap();
            page.iter().map(|info| info.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(page(Some("a"), None, 9).await, ["a/1", "a/10", "a/2/x", "a/3"]);
        assert_eq!(page(Some("a"), Some("a/10"), 1).await, ["a/2/x"]);
        assert_eq!(page(None, Some("a/3"), usize::MAX).await, ["ab/1", "b/1"]);
        assert_eq!(page(Some("none"), None, LIST_MAX).await, [""; 0]);
        assert_eq!(page(None, None, 0).await, [""; 0]);
        assert_eq!(blobs.list(Some(&key("b")), None, 9).await.unwrap()[0].size_bytes, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_key_at_once_leave_one_whole_blob() {
    let (home, stores) = all();
    for blobs in stores {
        let writers = (0..8u8).map(|n| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                let mut writer = blobs.begin(&key("same/key")).await.unwrap();
                for _ in 0..20 {
                    writer.write(vec![n; 50_000].into()).await.unwrap();
                }
                writer.finish().await.unwrap()
            })
        });
        let mut digests = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            digests.push(writer.await.unwrap().sha256);
        }
        let content = get(&blobs, "same/key").await;
        assert_eq!(content.len(), 1_000_000);
        assert!(digests.contains(&Sha256::digest(&content).into()));
    }
    assert_eq!(files(home.path()).len(), 2);
}

#[tokio::test]
async fn a_reader_finishes_what_it_began_when_the_blob_is_replaced() {
    let (_home, stores) = all();
    for blobs in stores {
        put(&blobs, "k", &vec![1; 300_000]).await;
        let stream = blobs.stream(&key("k")).await.unwrap();
        put(&blobs, "k", b"new").await;
        let pieces: Vec<Bytes> = stream.pieces.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), vec![1; 300_000]);
    }
}

#[tokio::test]
async fn any_damage_is_an_error_and_never_content() {
    let (_home, stores) = all();
    for blobs in &stores[..2] {
        let content = vec![7; 100_000];
        put(blobs, "a/b", &content).await;
        let path = blobs.sealed_path(&key("a/b")).unwrap();
        let sealed = fs::read(&path).unwrap();
        for at in (0..sealed.len()).step_by(997).chain([sealed.len() - 1]) {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            let error = blobs.get(&key("a/b"), u64::MAX).await.unwrap_err();
            assert_eq!(error.class(), (Class::Broken, "blob_damaged"), "byte {at}: {error}");
            assert_eq!(error.to_string(), "blob a/b is damaged");
        }
        for cut in (0..sealed.len()).step_by(1009) {
            fs::write(&path, &sealed[..cut]).unwrap();
            let error = blobs.get(&key("a/b"), u64::MAX).await.unwrap_err();
            assert_eq!(error.class(), (Class::Broken, "blob_damaged"), "cut {cut}");
        }
        assert!(blobs.size_bytes(&key("a/b")).await.is_ok(), "a length that content can have");
        fs::write(&path, &sealed[..5]).unwrap();
        assert!(blobs.size_bytes(&key("a/b")).await.is_err());
        assert!(blobs.exists(&key("a/b")).await.unwrap());
        assert_eq!(blobs.list(None, None, 9).await.unwrap()[0].size_bytes, 0);
        // The pieces before the damage are content; the end is an error, not an end.
        let mut flipped = sealed.clone();
        flipped[90_000] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let pieces: Vec<_> = blobs.stream(&key("a/b")).await.unwrap().pieces.collect().await;
        let (last, before) = pieces.split_last().unwrap();
        assert!(matches!(
            last,
            Err(BlobError::Damaged { source: SealError::Damaged { chunk: 1 }, .. })
        ));
        let read: usize = before.iter().map(|piece| piece.as_ref().unwrap().len()).sum();
        assert_eq!(read, 65_536);
        fs::write(&path, sealed).unwrap();
        assert_eq!(get(blobs, "a/b").await, content);
    }
}

#[tokio::test]
async fn content_is_on_disk_only_under_the_key() {
    let (home, stores) = all();
    let marker = b"planted-marker-string".repeat(9000);
    for blobs in &stores {
        put(blobs, "m", &marker).await;
    }
    let found = |dir: &str| {
        let bytes = fs::read(home.path().join(dir).join("m")).unwrap();
        bytes.windows(21).any(|window| window == &marker[..21])
    };
    assert!(found("blobs"));
    assert!(!found("sealed"));
    let path = stores[1].sealed_path(&key("m")).unwrap();
    let mut read = Vec::new();
    let mut reader = SealedReader::new(fs::File::open(&path).unwrap(), stores[1].seal());
    reader.read_to_end(&mut read).unwrap();
    assert_eq!(read, marker);
    assert_eq!(stores[2].sealed_path(&key("m")), None);
    // Another key, or none.
    for seal in [keyed(), Seal::checked()] {
        let other = Blobs::open(&home.path().join("sealed"), &seal).unwrap();
        let error = other.get(&key("m"), u64::MAX).await.unwrap_err();
        assert_eq!(error.class(), (Class::Broken, "blob_damaged"));
    }
}

#[tokio::test]
async fn a_pin_holds_deletes_back_until_the_last_one_goes() {
    let (_home, stores) = all();
    for blobs in stores {
        for name in ["old", "again", "kept"] {
            put(&blobs, name, name.as_bytes()).await;
        }
        let (first, second) = (blobs.pin(), blobs.clone().pin());
        blobs.delete(&key("old")).await.unwrap();
        blobs.delete(&key("old")).await.unwrap();
        blobs.delete(&key("again")).await.unwrap();
        blobs.delete(&key("never")).await.unwrap();
        drop(first);
        assert_eq!(get(&blobs, "old").await, "old");
        put(&blobs, "again", b"new").await;
        drop(second);
        assert!(!blobs.exists(&key("old")).await.unwrap());
        assert_eq!(get(&blobs, "again").await, "new", "written after its delete");
        assert_eq!(get(&blobs, "kept").await, "kept");
        blobs.delete(&key("kept")).await.unwrap();
        assert!(!blobs.exists(&key("kept")).await.unwrap());
    }
}

#[tokio::test]
async fn a_delete_waits_for_the_pins_before_it_and_for_none_after() {
    let (_home, stores) = all();
    for blobs in stores {
        put(&blobs, "early", b"early").await;
        put(&blobs, "late", b"late").await;
        let first = blobs.pin();
        blobs.delete(&key("early")).await.unwrap();
        let second = blobs.pin();
        blobs.delete(&key("late")).await.unwrap();
        drop(first);
        assert!(!blobs.exists(&key("early")).await.unwrap());
        assert_eq!(get(&blobs, "late").await, "late");
        drop(second);
        assert!(!blobs.exists(&key("late")).await.unwrap());
    }
}

#[tokio::test]
async fn finished_keys_are_told_once_and_too_many_are_told_as_such() {
    let (_home, stores) = all();
    for blobs in stores {
        put(&blobs, "before", b"").await;
        let none = Finished { keys: Vec::new(), overflowed: false };
        assert_eq!(blobs.finished(), Finished { overflowed: true, ..none.clone() });
        put(&blobs, "a", b"").await;
        drop(blobs.begin(&key("dropped")).await.unwrap());
        put(&blobs.clone(), "b", b"").await;
        let told = Finished { keys: vec![key("a"), key("b")], overflowed: false };
        assert_eq!(blobs.finished(), told);
        assert_eq!(blobs.finished(), none);
        for _ in 0..20_000 {
            blobs.ledger.finish(key("many"));
        }
        assert_eq!(blobs.finished(), Finished { overflowed: true, ..none.clone() });
        assert_eq!(blobs.finished(), none);
    }
}

/// An upload whose first part fails as a full disk fails.
#[derive(Debug)]
struct FullDisk;

/// What the asynchronous methods of the trait return.
type Later<'a, T> = Pin<Box<dyn Future<Output = object_store::Result<T>> + Send + 'a>>;

impl MultipartUpload for FullDisk {
    fn put_part(&mut self, _: PutPayload) -> UploadPart {
        Box::pin(std::future::ready(Err(full())))
    }

    fn complete<'a: 'b, 'b>(&'a mut self) -> Later<'b, PutResult>
    where
        Self: 'b,
    {
        panic!("a torn blob must not be completed")
    }

    fn abort<'a: 'b, 'b>(&'a mut self) -> Later<'b, ()>
    where
        Self: 'b,
    {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn full() -> object_store::Error {
    let source = io::Error::new(io::ErrorKind::StorageFull, "no space left on device");
    object_store::Error::Generic { store: "test", source: Box::new(source) }
}

#[tokio::test]
async fn a_full_disk_is_named_and_a_torn_blob_is_never_finished() {
    let (encoder, ledger) = (Seal::checked().encoder(), Default::default());
    let mut writer = BlobWriter::new(key("k"), Box::new(FullDisk), encoder, ledger);
    writer.write(Bytes::from_static(b"small writes wait")).await.unwrap();
    let error = writer.write(vec![0; MIB].into()).await.unwrap_err();
    assert_eq!(error.class(), (Class::Full, "disk_full"));
    let again = writer.write(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(again, BlobError::Torn));
    assert!(matches!(writer.finish().await, Err(BlobError::Torn)));
}

#[test]
fn errors_have_their_class() {
    let missing = object_store::Error::NotFound { path: "x".into(), source: "x".into() };
    let other = object_store::Error::Generic { store: "test", source: "broken".into() };
    for (error, class) in [
        (BlobError::from(missing), Class::Missing),
        (BlobError::from(full()), Class::Full),
        (BlobError::from(other), Class::Broken),
        (io::Error::from(io::ErrorKind::StorageFull).into(), Class::Full),
        (io::Error::from(io::ErrorKind::PermissionDenied).into(), Class::Broken),
        (BlobError::TooLarge { size_bytes: 2, limit_bytes: 1 }, Class::TooLarge),
    ] {
        assert_eq!(error.class().0, class, "{error}");
    }
    assert_eq!(StorePath::from("a/b.c-d_e").as_ref(), "a/b.c-d_e");
}
