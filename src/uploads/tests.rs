//! Names, sizes and the orphan sweep; uploads themselves are driven over HTTP in `tests/api`.

use super::UploadsError;
use super::http::{size_display, tidy};
use super::intake::{
    Limits, Patience, Sink, Uploads, blob_key, file_name, receive_within, sweep_orphans,
};
use crate::base::id::{CaseId, FileId, UserId};
use crate::base::{Classify, Ids, Time};
use crate::engine::blob::Blobs;
use crate::engine::db::{Db, DbError, Schema};
use crate::web::Failure;
use actix_multipart::Multipart;
use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::time::Duration;

const START: Time = Time::from_unix_us(1_790_000_000_000_000);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn a_file_name_is_the_last_component_without_control_characters() {
    let check = |given: &str, expected: &str| assert_eq!(file_name(given), expected, "{given:?}");
    check("app.log", "app.log");
    check("/var/log/app.log", "app.log");
    check("C:\\logs\\app.log", "app.log");
    check("../../etc/passwd", "passwd");
    check("", "upload");
    check("dir/", "upload");
    check("a\u{7}b\r\n.log", "ab.log");
    check(&"x".repeat(400), &"x".repeat(255));
}

#[test]
fn sizes_are_shown_in_decimal_units() {
    let check = |bytes, expected: &str| assert_eq!(size_display(bytes), expected);
    check(0, "0 B");
    check(999, "999 B");
    check(1_500, "1.5 KB");
    check(10 << 20, "10.5 MB");
    check(3_000_000_000, "3.0 GB");
}

#[tokio::test]
async fn a_blob_without_a_row_is_swept_once_its_upload_cannot_be_under_way() {
    let db = Db::in_memory(crate::cases::schema(Schema::new())).unwrap();
    let blobs = Blobs::in_memory();
    let ids = Ids::seeded(5);
    let (case_id, file_id): (CaseId, FileId) = (ids.next(START), ids.next(START));
    for key in [blob_key(Some(case_id), file_id), blob_key(None, ids.next(START))] {
        let mut writer = blobs.begin(&key.unwrap()).await.unwrap();
        writer.write(Bytes::from_static(b"orphan")).await.unwrap();
        writer.finish().await.unwrap();
    }
    let sweep = |at: Time| sweep_orphans(&db, &blobs, at);
    assert_eq!(sweep(START.plus_ms(DAY_MS)).await.unwrap(), 0, "may still be under way");
    assert_eq!(sweep(START.plus_ms(DAY_MS + 1)).await.unwrap(), 2);
    assert_eq!(sweep(START.plus_ms(DAY_MS + 1)).await.unwrap(), 0);
}

#[tokio::test]
async fn only_a_definite_end_of_an_upload_costs_it_its_blob() {
    let db = Db::in_memory(crate::cases::schema(Schema::new())).unwrap();
    let (blobs, ids) = (Blobs::in_memory(), Ids::seeded(8));
    let unique = DbError::Unique { index: "files" };
    for (outcome, keeps) in [
        (None, false),
        (Some(unique), false),
        (Some(DbError::Full), false),
        (Some(DbError::LogFull), false),
        (Some(DbError::Unseen), true),
        (Some(DbError::Poisoned("the disk went away".into())), true),
        (Some(DbError::Damaged("a page".into())), true),
        (Some(DbError::Closed), true),
    ] {
        let said = format!("{outcome:?}");
        let file_id: FileId = ids.next(START);
        let key = blob_key(None, file_id).unwrap();
        let mut writer = blobs.begin(&key).await.unwrap();
        writer.write(Bytes::from_static(b"content")).await.unwrap();
        writer.finish().await.unwrap();
        let refused = outcome.map(|error| Failure::from(UploadsError::from(error)));
        let answer = refused.map_or_else(|| Ok(HttpResponse::Ok().finish()), Err);
        tidy(&db, &blobs, file_id, &key, &answer).await;
        let left = blobs.list(None, None, 9).await.unwrap();
        assert_eq!(left.iter().any(|found| found.key == key), keeps, "{said}");
    }
}

#[test]
fn one_user_cannot_take_every_place_for_uploads() {
    let limits = Limits { file_bytes_max: 1, unpacked_bytes_max: 1 };
    let uploads = Uploads::new(Blobs::in_memory(), limits);
    let ids = Ids::seeded(6);
    let users: Vec<UserId> = (0..5).map(|_| ids.next(START)).collect();
    let mut places: Vec<_> = (0..8).map(|_| uploads.place(users[0]).unwrap()).collect();
    assert!(matches!(uploads.place(users[0]), Err(UploadsError::Busy)), "the ninth of one user");
    for user in &users[1..4] {
        places.extend((0..8).map(|_| uploads.place(*user).unwrap()));
    }
    assert!(matches!(uploads.place(users[4]), Err(UploadsError::Busy)), "all places are taken");
    places.clear();
    assert!(uploads.place(users[0]).is_ok(), "an upload that ended gives its place back");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_refused_and_leaves_no_blob() {
    let start =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.log\"\r\n\r\nab";
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
    for (piece, whole) in [(short, long), (long, short)] {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
        headers.insert(CONTENT_TYPE, kind);
        let sent = stream::iter([Ok(Bytes::from_static(start.as_bytes()))]);
        let parts = Multipart::new(&headers, sent.chain(stream::pending()));
        let blobs = Blobs::in_memory();
        let key = blob_key(None, Ids::seeded(7).next(START)).unwrap();
        let sink = Sink::Store { blobs: &blobs, key };
        let refused = receive_within(parts, sink, 1000, Patience { piece, whole }).await;
        assert_eq!(refused.unwrap_err().class().1, "multipart_stalled");
        assert_eq!(blobs.list(None, None, 9).await.unwrap(), []);
    }
}
