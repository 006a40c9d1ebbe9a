//! Repeated requests under one key.

use super::{send_to, shell_in_memory, user};
use crate::base::Time;
use crate::engine::db::View;
use crate::web::{Shell, idempotency};
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn keyed(who: &'static str, key: &'static str, body: &'static str) -> TestRequest {
    TestRequest::post()
        .uri("/api/v1/counted")
        .insert_header(("x-test-user", who))
        .insert_header(("idempotency-key", key))
        .set_payload(body)
}

fn runs(shell: &Shell) -> u64 {
    shell.db.read(|tx| tx.counter("runs")).unwrap()
}

#[actix_web::test]
async fn the_same_request_is_answered_again_and_done_once() {
    let shell = shell_in_memory();
    let first = send_to(&shell, keyed("ada", "key-00001", r#"{"title":"a"}"#)).await;
    let again = send_to(&shell, keyed("ada", "key-00001", r#"{"title":"a"}"#)).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!((first.text.as_str(), again.text.as_str()), (r#"{"run":1}"#, r#"{"run":1}"#));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(runs(&shell), 1);
}

#[actix_web::test]
async fn a_key_belongs_to_one_request_of_one_user() {
    let shell = shell_in_memory();
    send_to(&shell, keyed("ada", "key-00001", "{}")).await;
    let other_body = send_to(&shell, keyed("ada", "key-00001", r#"{"size":1}"#)).await;
    assert_eq!(other_body.problem().1, "idempotency_mismatch");
    let other_route = keyed("ada", "key-00001", "{}").uri("/api/v1/counted/other");
    assert_eq!(send_to(&shell, other_route).await.problem().1, "idempotency_mismatch");
    assert_eq!(send_to(&shell, keyed("bob", "key-00001", "{}")).await.text, r#"{"run":2}"#);
    assert_eq!(runs(&shell), 2);
}

#[actix_web::test]
async fn a_key_without_a_user_protects_nothing_and_a_malformed_one_is_refused() {
    let shell = shell_in_memory();
    for _ in 0..2 {
        let anonymous = keyed("expired", "key-00001", "{}");
        assert_eq!(send_to(&shell, anonymous).await.status, StatusCode::CREATED);
    }
    assert_eq!(runs(&shell), 2);
    for key in ["short", "has spaces in it", "percent%20sign"] {
        let given = send_to(&shell, keyed("ada", key, "{}")).await;
        assert_eq!(given.problem().1, "idempotency_key_malformed", "{key}");
    }
}

#[actix_web::test]
async fn a_failed_request_may_be_sent_again_under_its_key() {
    let shell = shell_in_memory();
    for _ in 0..2 {
        let given = send_to(&shell, keyed("ada", "key-00001", r#"{"title":"fail"}"#)).await;
        assert_eq!(given.problem().1, "already_exists");
    }
    assert_eq!(runs(&shell), 0, "nothing of a failed request is stored");
    let corrected = send_to(&shell, keyed("ada", "key-00001", r#"{"title":"b"}"#)).await;
    assert_eq!(corrected.status, StatusCode::CREATED);
}

#[actix_web::test]
async fn two_at_once_are_done_once() {
    let shell = shell_in_memory();
    let one = send_to(&shell, keyed("ada", "key-00001", "{}"));
    let two = send_to(&shell, keyed("ada", "key-00001", "{}"));
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.text, runs(&shell)), (two.text, 1));
}

#[actix_web::test]
async fn a_stored_answer_ends_after_a_day_and_is_swept() {
    let shell = shell_in_memory();
    send_to(&shell, keyed("ada", "key-00001", "{}")).await;
    send_to(&shell, keyed("bob", "key-00001", "{}")).await;
    shell.clock.advance_ms(DAY_MS);
    let again = send_to(&shell, keyed("ada", "key-00001", "{}")).await;
    assert_eq!(again.text, r#"{"run":3}"#, "expired at once, before any sweep");
    let sweep =
        |now: Time, limit: usize| shell.db.write(move |tx| idempotency::sweep(tx, now, limit));
    let now = shell.clock.now().plus_ms(1);
    assert_eq!(sweep(now, 10).await.unwrap(), 1, "only bob's is old");
    assert_eq!(sweep(now.plus_ms(DAY_MS), 0).await.unwrap(), 0);
    let gone = shell.db.write(|tx| idempotency::forget(tx, user(1))).await;
    assert_eq!(gone.unwrap(), 1);
    assert_eq!(shell.db.check().unwrap(), []);
}
