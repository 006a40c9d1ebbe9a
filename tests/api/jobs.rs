//! Jobs as their owner sees them.

use super::world::World;
use serde_json::json;

#[test]
fn a_job_is_listed_followed_and_kept_for_24_hours() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("jobs");
    let upload = ada.upload(&case, "a.log", b"2026-01-01 00:00:00 ERROR x\n");
    let job = ada.wait(&upload["job_id"]);
    assert_eq!(job["status"], "completed");
    let path = format!("/jobs/{}", job["job_id"].as_str().unwrap());
    let done = ada.get(&path);
    assert_eq!((done.status, done.header("x-job-status")), (303, "completed"));
    assert_eq!(ada.get(&format!("{path}?follow=false")).expect(200)["progress"], 100);
    let listed = ada.get("/jobs?status=completed&job_type=preprocessing").expect(200);
    assert_eq!(listed["total_count"], 1);
    assert_eq!(ada.get("/jobs?status=running").expect(200)["total_count"], 0);
    assert_eq!(ada.get("/jobs?status=lost").status, 422);
    ada.delete(&path).refused(409, "job_ended");
    ada.post(&format!("{path}/retry"), &json!({})).refused(409, "job_not_retryable");
}

#[test]
fn the_event_stream_begins_with_the_current_state_and_ends_with_the_job() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("events");
    let upload = ada.upload(&case, "a.log", b"2026-01-01 00:00:00 ERROR x\n");
    let path = format!("/jobs/{}/events", upload["job_id"].as_str().unwrap());
    ada.wait(&upload["job_id"]);
    let again = ada.get(&path);
    assert_eq!(again.header("content-type"), "text/event-stream");
    assert!(again.text.starts_with("event: job\nid: "), "{}", again.text);
    assert_eq!(again.text.matches("event: job").count(), 1, "an ended job has one event");
}

#[test]
fn work_that_a_stop_interrupted_is_finished_after_the_restart() {
    let mut world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("restart");
    let log = "2026-01-01 00:00:00 ERROR something broke\n".repeat(5_000);
    let uploads: Vec<_> = (0..4)
        .map(|at| ada.upload(&case, &format!("{at}.log"), format!("{log}{at}\n").as_bytes()))
        .collect();
    world = world.restart();
    let ada = world.sign_in("ada");
    for upload in &uploads {
        assert_eq!(ada.wait(&upload["job_id"])["status"], "completed");
    }
    let evidence = ada.get(&format!("/cases/{case}/evidence")).expect(200);
    assert_eq!(evidence["total_count"], 4, "no evidence twice, none lost");
}
