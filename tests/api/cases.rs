//! A case from the first message to its end.

use super::world::World;
use serde_json::json;

#[test]
fn a_case_goes_from_question_to_resolution() {
    let world = World::new();
    let ada = world.person("ada");
    let answer = ada.post("/cases", &json!({ "title": "checkout is slow" }));
    let case = answer.expect(201);
    let id = case["case_id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/cases/{id}"));
    assert_eq!((&case["status"], &case["state"]), (&json!("consulting"), &json!("inquiry")));
    let at = |path: &str| format!("/cases/{id}{path}");

    // Investigating needs a description and nothing else.
    let early = ada.post(&at("/status"), &json!({ "status": "investigating" }));
    assert_eq!(early.status, 422, "{}", early.text);
    ada.put(&at(""), &json!({ "title": "checkout is slow", "description": "p99 above 4 s" }))
        .expect(200);
    ada.post(&at("/status"), &json!({ "status": "investigating", "reason": "customers wait" }))
        .expect(200);

    let evidence = json!({
        "content": "pool exhausted at 10:02", "source_type": "user_report", "form": "user_input",
    });
    let evidence = ada.post(&at("/evidence"), &evidence).expect(201);
    let hypothesis = json!({
        "description": "the connection pool is too small", "likelihood": 0.6,
        "evidence_links": [{ "evidence_id": evidence["evidence_id"], "stance": "supports" }],
    });
    let hypothesis = ada.post(&at("/hypotheses"), &hypothesis).expect(201);
    let hypothesis_path =
        at(&format!("/hypotheses/{}", hypothesis["hypothesis_id"].as_str().unwrap()));
    let skip = ada.send(
        "PATCH",
        &hypothesis_path,
        &[("Content-Type", "application/json")],
        br#"{"status":"validated"}"#,
    );
    let problem = skip.expect(409);
    assert!(problem.to_string().contains("testing"), "names the legal next state: {problem}");
    for status in ["testing", "validated"] {
        let body = format!("{{\"status\":\"{status}\"}}");
        let json = [("Content-Type", "application/json")];
        ada.send("PATCH", &hypothesis_path, &json, body.as_bytes()).expect(200);
    }
    let solution = json!({
        "description": "raise the pool to 50", "category": "fix",
        "linked_hypothesis_id": hypothesis["hypothesis_id"], "steps": ["edit pool.yaml", "roll out"],
    });
    let solution = ada.post(&at("/solutions"), &solution).expect(201);
    let solution_path = at(&format!("/solutions/{}", solution["solution_id"].as_str().unwrap()));
    for status in ["applying", "applied"] {
        let body = format!("{{\"status\":\"{status}\"}}");
        let json = [("Content-Type", "application/json")];
        ada.send("PATCH", &solution_path, &json, body.as_bytes()).expect(200);
    }
    ada.post(&at("/messages"), &json!({ "role": "user", "content": "is it the pool?" }))
        .expect(201);
    ada.put(&at("/tags"), &json!({ "tags": ["checkout", "database"] })).expect(200);
    let resolve = json!({ "status": "resolved", "closure_reason": "resolved" });
    let resolved = ada.post(&at("/status"), &resolve).expect(200);
    assert_eq!(resolved["is_terminal"], true);
    assert!(resolved["resolved_at"].is_string() && resolved["closed_at"].is_string());

    let include =
        "?include=evidence,hypotheses,solutions,messages,files,transitions,tags,participants";
    let full = ada.get(&at(include)).expect(200);
    let count =
        |part: &str| full[part].as_array().unwrap_or_else(|| panic!("{part}: {full}")).len();
    assert_eq!(
        ["evidence", "hypotheses", "solutions", "messages", "tags", "transitions"].map(count),
        [1, 1, 1, 1, 2, 3]
    );
    assert_eq!(full["solutions"][0]["status"], "applied");
    assert_eq!(full["hypotheses"][0]["status"], "validated");
    let back = ada.post(&at("/status"), &json!({ "status": "consulting" }));
    assert_eq!(back.status, 409, "an ended case only reopens: {}", back.text);
}

#[test]
fn a_create_is_done_once_per_key() {
    let world = World::new();
    let ada = world.person("ada");
    let send = |key: &str, title: &str| {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        ada.send("POST", "/cases", &headers, json!({ "title": title }).to_string().as_bytes())
    };
    let first = send("key-00000001", "one").expect(201);
    let again = send("key-00000001", "one").expect(201);
    assert_eq!(first["case_id"], again["case_id"]);
    send("key-00000001", "two").refused(409, "idempotency_mismatch");
    send("short", "x").refused(400, "idempotency_key_malformed");
    assert_eq!(ada.get("/cases").expect(200)["total_count"], 1);
}

#[test]
fn a_stale_change_is_refused_with_both_versions() {
    let world = World::new();
    let ada = world.person("ada");
    let id = ada.open_case("etag");
    let path = format!("/cases/{id}");
    let tag = ada.get(&path).header("etag").to_owned();
    let change = |title: &str| {
        let headers = [("Content-Type", "application/json"), ("If-Match", tag.as_str())];
        let body = json!({ "title": title }).to_string();
        ada.send("PATCH", &path, &headers, body.as_bytes())
    };
    change("first").expect(200);
    let stale = change("second");
    stale.refused(412, "version_mismatch");
    assert!(!stale.header("x-actual-version").is_empty());
    assert_eq!(ada.get(&path).expect(200)["title"], "first");
}

#[test]
fn lists_have_windows_filters_and_totals() {
    let world = World::new();
    let ada = world.person("ada");
    for at in 0..25 {
        ada.post("/cases", &json!({ "title": format!("case {at}") })).expect(201);
    }
    let investigated = ada.open_case("the investigated one");
    let first = ada.get("/cases");
    let page = first.expect(200);
    assert_eq!((page["cases"].as_array().unwrap().len(), &page["total_count"]), (20, &json!(26)));
    assert_eq!((first.header("x-total-count"), &page["has_more"]), ("26", &json!(true)));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ada.get(&format!("/cases?cursor={cursor}")).expect(200);
    assert_eq!((rest["cases"].as_array().unwrap().len(), &rest["has_more"]), (6, &json!(false)));
    let filtered = ada.get("/cases?status=investigating").expect(200);
    assert_eq!(filtered["cases"][0]["case_id"], investigated.as_str());
    assert_eq!(filtered["total_count"], 1);
    for wrong in ["limit=0", "limit=101", "status=open", "offset=-1"] {
        assert_eq!(ada.get(&format!("/cases?{wrong}")).status, 422, "{wrong}");
    }
    assert_eq!(ada.get("/cases/case_nonsense").status, 404);
}

#[test]
fn a_deleted_case_takes_everything_along() {
    let world = World::new();
    let ada = world.person("ada");
    let id = ada.open_case("gone");
    let upload = ada.upload(&id, "a.log", b"2026-01-01 00:00:00 ERROR x\n");
    ada.wait(&upload["job_id"]);
    ada.post(&format!("/cases/{id}/messages"), &json!({ "role": "user", "content": "hi" }))
        .expect(201);
    assert_eq!(ada.delete(&format!("/cases/{id}")).status, 204);
    assert_eq!(ada.get(&format!("/cases/{id}")).status, 404);
    assert_eq!(ada.get(&format!("/cases/{id}/files")).status, 404);
    // `World` checks at its end that no row, index entry or reference is left over.
}

#[test]
fn the_seeds_spelling_of_the_base_is_the_same_api() {
    let world = World::new();
    let ada = world.person("ada");
    let id = ada.open_case("mounts");
    let one = ada.get(&format!("/api/v1/cases/{id}")).expect(200);
    let two = ada.get(&format!("/api/cases/{id}")).expect(200);
    assert_eq!(one, two);
}
