//! Backups that are not as they were written, and keys that do not fit.

use super::*;
use crate::backup::{list, verify};

async fn small(encrypted: bool) -> Bed {
    let bed = Bed::new(encrypted);
    bed.write_some(1, 0..25).await;
    bed.page(1, 20).await;
    bed.backup("good").await.unwrap();
    bed
}

/// Refused by a verification and by a restore, which leaves nothing and touches nothing.
async fn refused(bed: &Bed, content: &[u8], what: &str) {
    std::fs::write(bed.path("bad"), content).unwrap();
    let verified = verify(&bed.path("bad"), bed.unlock(), &quiet());
    assert!(verified.is_err(), "{what}: verified");
    let restored = bed.restore("bad", "new", None).await;
    assert!(restored.is_err(), "{what}: restored");
    assert_eq!(names(&bed.path("new")), [""; 0], "{what}: something is left");
}

#[tokio::test]
async fn a_flipped_bit_in_any_block_is_refused() {
    for encrypted in [false, true] {
        let bed = small(encrypted).await;
        let old = bed.dump().await;
        let good = std::fs::read(bed.path("good")).unwrap();
        let mut tried = 0;
        for block in (0..good.len()).step_by(4096) {
            let at = (block + block % 4093).min(good.len() - 1);
            let mut bad = good.clone();
            bad[at] ^= 1 << (block / 4096 % 8);
            refused(&bed, &bad, &format!("bit of byte {at}")).await;
            tried += 1;
        }
        // The first bytes and the last ones are heads, sums and ends.
        let edges = (0..64.min(good.len())).chain(good.len() - 64..good.len());
        for at in edges {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(bed.path("bad"), &bad).unwrap();
            assert!(verify(&bed.path("bad"), bed.unlock(), &quiet()).is_err(), "byte {at}");
        }
        assert!(tried >= 20, "only {tried} blocks");
        assert_eq!(bed.dump().await, old);
    }
}

#[tokio::test]
async fn a_backup_that_is_cut_or_has_something_behind_it_is_refused() {
    for encrypted in [false, true] {
        let bed = small(encrypted).await;
        let good = std::fs::read(bed.path("good")).unwrap();
        let step = good.len() / 40;
        let lengths = (0..good.len()).step_by(step).chain([1, 3, 4, 5, 47, 48, 49]);
        let near_end = good.len() - 60..good.len();
        for length in lengths.chain(near_end.step_by(7)).chain([good.len() - 1]) {
            refused(&bed, &good[..length.min(good.len() - 1)], &format!("cut at {length}")).await;
        }
        for more in [&b"\0"[..], b"more", &good, &good[good.len() - 56..]] {
            let long = [&good, more].concat();
            refused(&bed, &long, &format!("{} more bytes", more.len())).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_said_in_one_line() {
    let bed = small(true).await;
    let (path, target) = (bed.path("good"), bed.target("new"));
    let other = MasterKey::generate();
    for (unlock, line) in [
        (Unlock::Master(&other), "the master key is not the one this store was encrypted with"),
        (Unlock::Nothing, "the backup is encrypted; its master key is needed"),
    ] {
        let said = verify(&path, unlock, &quiet()).unwrap_err().to_string();
        assert_eq!(said, line);
        let said = restore(&path, unlock, &target, None, None, &quiet()).await.unwrap_err();
        assert_eq!(said.to_string(), line);
        assert!(!bed.path("new").exists());
    }
    let header = std::fs::read(&path).unwrap();
    let header = header.split(|byte| *byte == b'\n').next().unwrap();
    let header = String::from_utf8(header.to_vec()).unwrap();
    assert!(header.starts_with("{\"faultmaven_backup\":1,"), "{header}");
}

#[tokio::test]
async fn the_clear_header_of_one_backup_does_not_fit_another() {
    let bed = small(true).await;
    bed.write_some(1, 25..30).await;
    bed.backup("later").await.unwrap();
    let end_of_header = |content: &[u8]| {
        let ends = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).nth(1).unwrap()
    };
    let good = std::fs::read(bed.path("good")).unwrap();
    let later = std::fs::read(bed.path("later")).unwrap();
    let mixed = [&later[..end_of_header(&later)], &good[end_of_header(&good)..]].concat();
    refused(&bed, &mixed, "a header of another backup").await;
}

#[tokio::test]
async fn no_content_of_an_encrypted_backup_or_archive_can_be_read_without_the_key() {
    let bed = Bed::new(true);
    let marker = "plainly-visible-marker-8271";
    let note = Note { writer: 1, number: 1, text: marker.repeat(20) };
    let mut writer = bed.source.blobs.begin(&note.blob()).await.unwrap();
    writer.write(marker.repeat(50).into_bytes().into()).await.unwrap();
    writer.finish().await.unwrap();
    bed.put(note).await;
    bed.backup("one.fmb").await.unwrap();
    bed.archiver().step(bed.clock.now()).await.unwrap();
    let mut files = vec![bed.path("one.fmb")];
    let mut seen = 0;
    let mut folders = vec![bed.path("archive")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for path in &files {
        let content = std::fs::read(path).unwrap();
        seen += content.len();
        let found = content.windows(marker.len()).any(|window| window == marker.as_bytes());
        assert!(!found, "{} tells", path.display());
    }
    assert!(files.len() >= 4 && seen > 1_000, "{files:?}");
}

#[tokio::test]
async fn what_is_no_backup_is_listed_as_damaged_and_not_restored() {
    let bed = small(false).await;
    std::fs::create_dir(bed.path("backups")).unwrap();
    std::fs::write(bed.path("backups/a.tar.zst"), "rubbish").unwrap();
    std::fs::write(bed.path("backups/notes.txt"), "not ours").unwrap();
    std::fs::copy(bed.path("good"), bed.path("backups/b.tar.zst")).unwrap();
    let listed = list(&bed.path("backups")).unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (&*one.name, one.manifest.is_some())).collect();
    assert_eq!(listed, [("b.tar.zst", true), ("a.tar.zst", false)]);
    let refused = bed.restore("backups/a.tar.zst", "new", None).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotABackup(_)), "{refused}");
    assert_eq!(list(&bed.path("none")).unwrap(), []);
}
