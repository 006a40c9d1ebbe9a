//! Bad input gets a clear refusal, and nothing is half-stored.

use super::world::{Part, Person, World, form};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

fn cases(person: &Person) -> u64 {
    person.get("/cases").expect(200)["total_count"].as_u64().unwrap()
}

#[test]
fn a_body_that_is_wrong_names_what_is_wrong() {
    let world = World::new();
    let ada = world.person("ada");
    let send =
        |body: &[u8]| ada.send("POST", "/cases", &[("Content-Type", "application/json")], body);
    let deep = "[".repeat(100_000);
    let checks: [(&[u8], u16); 6] = [
        (b"{\"title\":", 400),
        (b"", 400),
        (deep.as_bytes(), 400),
        (b"{\"title\":\"\xFF\xFE\"}", 400),
        (b"{\"title\": 5}", 422),
        (b"{\"titel\": \"x\"}", 422),
    ];
    for (body, status) in checks {
        let answer = send(body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(answer.status, status, "{shown}: {}", answer.text);
        let problem = answer.json();
        assert!(problem["code"].is_string(), "{shown}: {problem}");
        if status == 422 {
            assert!(
                problem["errors"][0]["field"].as_str().unwrap().starts_with("tit"),
                "{problem}"
            );
        }
    }
    assert_eq!(cases(&ada), 0, "nothing was stored");
}

#[test]
fn a_title_over_its_limit_is_refused_by_name() {
    let world = World::new();
    let ada = world.person("ada");
    let answer = ada.post("/cases", &json!({ "title": "x".repeat(201) }));
    let problem = answer.expect(422);
    assert_eq!(problem["errors"][0]["field"], "title");
    assert_eq!(cases(&ada), 0);
}

#[test]
fn an_oversize_body_is_refused_with_the_limit() {
    let world = World::with(|config| config.uploads.file_bytes_max = 1000);
    let ada = world.person("ada");
    let json = [("Content-Type", "application/json")];
    let big = json!({ "title": "x", "description": "y".repeat(2 << 20) }).to_string();
    assert_eq!(ada.send("POST", "/cases", &json, big.as_bytes()).status, 413);

    let case = ada.open_case("limits");
    let content = vec![b'x'; 1001];
    let body = form(&[Part { name: "file", filename: Some("big.log"), content: &content }]);
    let problem =
        ada.post_form(&format!("/cases/{case}/files"), &body).refused(413, "file_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("1000"), "{problem}");
    let files = ada.get(&format!("/cases/{case}/files")).expect(200);
    assert_eq!(files["total_count"], 0);
}

#[test]
fn a_multipart_body_that_ends_early_leaves_nothing() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("truncated");
    let whole = form(&[Part { name: "file", filename: Some("a.log"), content: &[b'a'; 5000] }]);
    let answer = ada.post_form(&format!("/cases/{case}/files"), &whole[..3000]);
    answer.refused(400, "multipart_malformed");

    // A connection that breaks in the middle of the body: no answer, no file.
    let mut socket = TcpStream::connect(world.address()).unwrap();
    let head = format!(
        "POST /api/v1/cases/{case}/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=fm-test-boundary-7f3a\r\n\
         Content-Length: {}\r\n\r\n",
        ada.token.as_deref().unwrap(),
        whole.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&whole[..3000]).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    let files = ada.get(&format!("/cases/{case}/files")).expect(200);
    assert_eq!(files["total_count"], 0);
}

#[test]
fn what_is_no_form_is_refused() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("forms");
    let path = format!("/cases/{case}/files");
    ada.post(&path, &json!({ "file": "x" })).refused(415, "multipart_required");
    let no_file = form(&[Part { name: "description", filename: None, content: b"x" }]);
    let problem = ada.post_form(&path, &no_file).refused(422, "invalid_field");
    assert_eq!(problem["errors"][0]["field"], "file");
    let wrong_type = form(&[
        Part { name: "data_type", filename: None, content: b"logs" },
        Part { name: "file", filename: Some("a"), content: b"x" },
    ]);
    let problem = ada.post_form(&path, &wrong_type).refused(422, "invalid_field");
    assert_eq!(problem["errors"][0]["field"], "data_type");
}

#[test]
fn an_empty_file_is_taken_with_a_warning() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("empty");
    let upload = ada.upload(&case, "empty.log", b"");
    let job = ada.wait(&upload["job_id"]);
    assert_eq!(job["status"], "completed", "{job}");
    let path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
    let warnings = ada.get(&path).expect(200)["warnings"].clone();
    assert!(warnings.to_string().contains("empty"), "{warnings}");
}

#[test]
fn hostile_content_becomes_a_warning_not_a_failure() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("hostile");
    let long_line = [b"2026-01-01 00:00:00 ERROR ".as_slice(), &vec![b'x'; 5 << 20]].concat();
    let invalid =
        b"2026-01-01 00:00:00 INFO ok\n2026-01-01 00:00:01 ERROR \xFF\xFE broken\n".to_vec();
    let deep = "[".repeat(100_000).into_bytes();
    for (name, content) in [("long.log", long_line), ("bytes.log", invalid), ("deep.json", deep)] {
        let upload = ada.upload(&case, name, &content);
        let job = ada.wait(&upload["job_id"]);
        assert_eq!(job["status"], "completed", "{name}: {job}");
        let path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
        let file = ada.get(&path).expect(200);
        let warned = !file["warnings"].as_array().unwrap().is_empty();
        let checked = file["checks"].as_array().unwrap().iter().any(|c| c["verdict"] != "ok");
        assert!(warned || checked, "{name}: {}", file["summary"]);
    }
}

#[test]
fn another_persons_things_do_not_exist() {
    let world = World::new();
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    let case = ada.open_case("private");
    let upload = ada.upload(&case, "a.log", b"2026-01-01 00:00:00 ERROR x\n");
    let job = ada.wait(&upload["job_id"]);
    let document = json!({ "title": "t", "content": "secret words", "document_type": "runbook" });
    let document = ada.post("/knowledge/documents", &document).expect(201);
    let file = upload["file_id"].as_str().unwrap();
    let evidence = job["result"]["evidence_id"].as_str().unwrap();
    let paths = [
        format!("/cases/{case}"),
        format!("/cases/{case}/files"),
        format!("/cases/{case}/files/{file}"),
        format!("/cases/{case}/files/{file}/content"),
        format!("/cases/{case}/evidence/{evidence}"),
        format!("/cases/{case}/messages"),
        format!("/cases/{case}/reports"),
        format!("/jobs/{}", job["job_id"].as_str().unwrap()),
        format!("/jobs/{}/events", job["job_id"].as_str().unwrap()),
        format!("/knowledge/documents/{}", document["document_id"].as_str().unwrap()),
    ];
    for path in &paths {
        assert!([200, 303].contains(&ada.get(path).status), "{path} is there for ada");
        assert_eq!(bob.get(path).status, 404, "{path} for bob");
        assert_eq!(world.anonymous().get(path).status, 401, "{path} for nobody");
    }
    let body = form(&[Part { name: "file", filename: Some("b.log"), content: b"x" }]);
    assert_eq!(bob.post_form(&format!("/cases/{case}/files"), &body).status, 404);
    assert_eq!(bob.delete(&format!("/cases/{case}")).status, 404);
    let found = bob.post("/knowledge/search", &json!({ "query": "secret words" })).expect(200);
    assert_eq!(found["results"], json!([]));
}
