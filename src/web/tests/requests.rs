//! What a request may look like: bodies, addresses, methods, windows of lists.

use super::{Body, Thing, send};
use crate::base::id::{CaseId, EvidenceId};
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::{FromRequest, web};
use serde_json::Value;
use std::io::Write;

async fn check_body(body: impl Into<web::Bytes>, expected: (u16, &str, &str)) {
    let body = body.into();
    let request = TestRequest::post()
        .uri("/api/v1/things")
        .insert_header(header::ContentType::json())
        .set_payload(body.clone());
    let (status, code, field) = send(request).await.problem();
    let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    assert_eq!((status, code.as_str(), field.as_str()), expected, "{start}");
}

#[actix_web::test]
async fn a_bad_body_is_refused_by_what_is_wrong_with_it() {
    check_body("", (400, "body_empty", "")).await;
    check_body("{", (400, "json_syntax", "")).await;
    check_body("{}x", (400, "json_syntax", "")).await;
    check_body(&b"{\"title\":\"\xff\"}"[..], (400, "body_not_utf8", "")).await;
    check_body("[".repeat(100_000), (400, "json_too_deep", "")).await;
    check_body("{\"a\":".repeat(100_000), (400, "json_too_deep", "")).await;
    check_body("[]", (422, "invalid_body", "body")).await;
    check_body(r#"["title by position"]"#, (422, "invalid_body", "body")).await;
    check_body("[1,", (400, "json_syntax", "")).await;
    check_body("7", (422, "invalid_body", "body")).await;
    check_body("null", (422, "invalid_body", "body")).await;
    check_body(r#"{"title":7}"#, (422, "invalid_body", "title")).await;
    check_body(r#"{"size":256}"#, (422, "invalid_body", "size")).await;
    check_body(r#"{"size":-1}"#, (422, "invalid_body", "size")).await;
    check_body(r#"{"colour":"red"}"#, (422, "invalid_body", "colour")).await;
    check_body(r#"{"title":"a","title":"b"}"#, (422, "invalid_body", "title")).await;
    check_body(r#"{"tags":[{"name":"a"},{}]}"#, (422, "invalid_body", "tags[1].name")).await;
    check_body(r#"{"tags":[{"nom":"a"}]}"#, (422, "invalid_body", "tags[0].nom")).await;
    check_body(r#"{"tags":[{"name":null}]}"#, (422, "invalid_body", "tags[0].name")).await;
    check_body(r#"{"metadata":3}"#, (422, "invalid_body", "metadata")).await;
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(1 << 20));
    check_body(long, (413, "body_too_large", "")).await;
}

#[actix_web::test]
async fn a_good_body_is_taken() {
    let text = r#"{"title":"a","metadata":{"b":1.50,"a":[]}}"#;
    let plain = TestRequest::post().uri("/api/v1/things").set_payload(text);
    let given = send(plain).await;
    assert_eq!(
        (given.status, given.header("location")),
        (StatusCode::CREATED, Some("/api/v1/things/1"))
    );
    assert_eq!(given.text, r#"["a",null,0,{"b":1.50,"a":[]}]"#);

    let plain = TestRequest::post()
        .uri("/api/v1/things")
        .insert_header((header::CONTENT_ENCODING, "Identity"))
        .insert_header((header::CONTENT_TYPE, "application/merge-patch+json; charset=utf-8"))
        .set_payload(text);
    assert_eq!(send(plain).await.status, StatusCode::CREATED);
}

/// 3 MiB of spaces in 3 KB.
fn gzip_bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&[b' '; 3 << 20]).unwrap();
    packed.finish().unwrap()
}

/// 512 MiB of spaces in 16 KB: blocks that repeat one byte (RFC 8878, 3.1.1.2).
fn zstd_bomb() -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 << 10;
    // Magic, a frame of unknown size, a window of 128 KiB.
    let mut packed = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 7 << 3];
    for block in 1..=4096 {
        let header = BLOCK_BYTES << 3 | 1 << 1 | u32::from(block == 4096);
        packed.extend_from_slice(&header.to_le_bytes()[..3]);
        packed.push(b' ');
    }
    packed
}

#[actix_web::test]
async fn a_compressed_body_is_refused_before_it_is_inflated() {
    let check = async |path: &str, kind: &'static str, coding: &'static str, body: Vec<u8>| {
        let request = TestRequest::post()
            .uri(path)
            .insert_header((header::CONTENT_TYPE, kind))
            .insert_header((header::CONTENT_ENCODING, coding))
            .set_payload(body);
        let given = send(request).await;
        let expected = (415, "content_encoding_unsupported".into(), String::new());
        assert_eq!(given.problem(), expected, "{path} {kind} {coding}");
        assert_eq!(given.header("accept-encoding"), Some("identity"));
    };
    // `/foreign` reads with an extractor of the HTTP library, which inflates by itself.
    for path in ["/api/v1/things", "/api/v1/foreign", "/nothing"] {
        for kind in ["application/json", "multipart/form-data; boundary=x"] {
            check(path, kind, "zstd", zstd_bomb()).await;
            check(path, kind, "gzip", gzip_bomb()).await;
            check(path, kind, "identity, ZSTD", zstd_bomb()).await;
        }
    }
}

#[actix_web::test]
async fn a_body_is_read_as_it_was_sent_whatever_its_header_says() {
    for (coding, bomb) in [("zstd", zstd_bomb()), ("gzip", gzip_bomb())] {
        let request =
            TestRequest::post().insert_header((header::CONTENT_ENCODING, coding)).set_payload(bomb);
        let (request, mut payload) = request.to_http_parts();
        let read = Body::<Thing>::from_request(&request, &mut payload).await;
        assert_eq!(read.err().map(|failure| failure.code()), Some("body_not_utf8"), "{coding}");
    }
}

#[actix_web::test]
async fn another_media_type_is_refused_and_an_empty_body_may_be_fine() {
    let form = TestRequest::post()
        .uri("/api/v1/things")
        .insert_header(header::ContentType::form_url_encoded())
        .set_payload("title=a");
    assert_eq!(send(form).await.problem().1, "media_type");
    let empty = send(TestRequest::post().uri("/api/v1/drafts")).await;
    assert_eq!(empty.status, StatusCode::ACCEPTED);
    assert_eq!(empty.header("location"), Some("/api/v1/jobs/1"));
    assert_eq!(empty.header("retry-after"), Some("2"));
    let wrong = send(TestRequest::post().uri("/api/v1/drafts").set_payload("{")).await;
    assert_eq!(wrong.problem().1, "json_syntax");
}

async fn check_address(uri: &str, expected: (u16, &str, &str)) {
    let (status, code, field) = send(TestRequest::get().uri(uri)).await.problem();
    assert_eq!((status, code.as_str(), field.as_str()), expected, "{uri}");
}

#[actix_web::test]
async fn a_bad_address_is_refused_by_what_is_wrong_with_it() {
    check_address("/api/v1/things?status=shut", (422, "invalid_query", "status")).await;
    check_address("/api/v1/things?year=1e3", (422, "invalid_query", "year")).await;
    check_address("/api/v1/things?year=1&year=2", (422, "invalid_query", "year")).await;
    check_address("/api/v1/things?limit=101", (422, "invalid_query", "limit")).await;
    check_address("/api/v1/cases/x/evidence/y", (404, "not_found", "")).await;
    let (case, ev) = (CaseId::from_bytes([1; 16]), EvidenceId::from_bytes([2; 16]));
    let swapped = format!("/api/v1/cases/{ev}/evidence/{case}");
    check_address(&swapped, (404, "not_found", "")).await;
    check_address("/api/v1/nothing", (404, "not_found", "")).await;
    check_address("/nothing", (404, "not_found", "")).await;
    check_address(&format!("/api/v1/things?q={}", "x".repeat(9000)), (414, "uri_too_long", ""))
        .await;
    let good = send(TestRequest::get().uri(&format!("/api/v1/cases/{case}/evidence/{ev}"))).await;
    assert_eq!((good.status, good.header("etag")), (StatusCode::OK, Some("\"7\"")));
}

#[actix_web::test]
async fn headers_have_a_limit() {
    let request = TestRequest::get().uri("/api/v1/me").insert_header(("x-big", "x".repeat(20_000)));
    assert_eq!(send(request).await.problem(), (431, "headers_too_large".into(), String::new()));
}

#[actix_web::test]
async fn another_method_is_told_which_there_are() {
    let put = send(TestRequest::put().uri("/api/v1/things")).await;
    assert_eq!(put.problem(), (405, "method_not_allowed".into(), String::new()));
    assert_eq!(put.header("allow"), Some("GET, HEAD, POST"));
    let asked = TestRequest::default().method(Method::OPTIONS).uri("/api/v1/things");
    let asked = send(asked).await;
    assert_eq!(
        (asked.status, asked.header("allow")),
        (StatusCode::NO_CONTENT, Some("GET, HEAD, POST"))
    );
}

#[actix_web::test]
async fn a_list_tells_its_window_and_links_its_neighbours() {
    let given = send(TestRequest::get().uri("/api/v1/things?status=open&limit=20&offset=20")).await;
    let json = given.json();
    assert_eq!(json["things"].as_array().map(Vec::len), Some(20));
    assert_eq!(json["things"][0], serde_json::json!([20, true]));
    let window = ["total_count", "limit", "offset", "has_more"].map(|name| json[name].clone());
    assert_eq!(Value::from(window.to_vec()), serde_json::json!([45, 20, 20, true]));
    assert_eq!(given.header("x-total-count"), Some("45"));
    let cursor = json["next_cursor"].as_str().unwrap();
    let links = given.header("link").unwrap();
    let next = format!("</api/v1/things?status=open&limit=20&cursor={cursor}>; rel=\"next\"");
    assert!(links.starts_with(&next), "{links}");
    assert!(links.contains("rel=\"prev\"") && links.contains("rel=\"first\""), "{links}");

    let last = TestRequest::get().uri(&format!("/api/v1/things?limit=20&cursor={cursor}"));
    let json = send(last).await.json();
    assert_eq!(json["things"].as_array().map(Vec::len), Some(5));
    assert_eq!((&json["has_more"], &json["next_cursor"]), (&Value::Bool(false), &Value::Null));

    let empty = send(TestRequest::get().uri("/api/v1/things?year=0&status=")).await;
    assert_eq!(empty.json()["things"], serde_json::json!([]));
    assert_eq!((empty.header("x-total-count"), empty.header("link")), (Some("0"), None));
}
