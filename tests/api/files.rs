//! From upload to evidence.

use super::world::{Part, World, form};
use serde_json::json;

/// A log with an error, a stack trace, an address and a secret.
fn log() -> String {
    let mut log = String::new();
    for second in 0..40 {
        log += &format!(
            "2026-11-23 10:00:{second:02},000 INFO [worker-1] shop.Checkout - order {second} accepted\n"
        );
    }
    log += "2026-11-23 10:00:41,000 ERROR [worker-1] shop.Checkout - order 41 failed for ada@example.org\n";
    log += "java.lang.IllegalStateException: no stock\n\tat shop.Stock.take(Stock.java:42)\n";
    log +=
        "2026-11-23 10:00:42,000 ERROR [worker-1] shop.Db - login failed password=hunter2secret\n";
    log
}

#[test]
fn an_upload_becomes_evidence_with_insights_and_locations() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("checkout");
    let body = form(&[Part { name: "file", filename: Some("app.log"), content: log().as_bytes() }]);
    let answer = ada.post_form(&format!("/cases/{case}/files"), &body);
    let upload = answer.expect(202);
    assert_eq!(answer.header("retry-after"), "1");
    let job_path = answer.header("location").to_owned();
    assert_eq!(job_path, format!("/api/v1/jobs/{}", upload["job_id"].as_str().unwrap()));

    let job = ada.wait(&upload["job_id"]);
    assert_eq!((&job["status"], &job["progress"]), (&json!("completed"), &json!(100)), "{job}");
    let done = ada.get(&job_path);
    assert_eq!(done.status, 303);
    let evidence = ada.get(done.header("location")).expect(200);
    assert_eq!(evidence["source_type"], "log_file");
    assert_eq!(evidence["data_type"], "logs_and_errors");
    assert_eq!(
        (&evidence["pii_detected"], &evidence["secrets_detected"]),
        (&json!(true), &json!(true))
    );
    let insights = evidence["key_insights"].as_array().unwrap();
    assert!((3..=10).contains(&insights.len()), "{insights:?}");
    assert!(insights.iter().any(|i| i.as_str().unwrap().contains("line")), "{insights:?}");
    let findings = &evidence["analysis"]["findings"];
    assert_eq!(findings["levels"]["error"], 2, "{findings}");
    assert_eq!(findings["errors"][0]["line_start"], 41);
    assert!(!findings["templates"].as_array().unwrap().is_empty());
    assert_eq!(findings["stack_traces"][0]["exception"], "java.lang.IllegalStateException");
    let everything = evidence.to_string();
    assert!(!everything.contains("ada@example.org") && !everything.contains("hunter2secret"));

    let file_path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
    let file = ada.get(&file_path).expect(200);
    assert_eq!(file["processing_status"], "completed");
    assert_eq!(file["extraction"], "full");
    assert_eq!(file["file"]["sha256"], upload["sha256"]);
    assert!(file["sanitized_content"].as_str().unwrap().contains("<EMAIL_1>"));
    let raw = ada.get(&format!("{file_path}/content"));
    assert_eq!((raw.status, raw.text.as_str()), (200, log().as_str()));
    assert!(raw.header("content-disposition").starts_with("attachment"));
}

#[test]
fn the_same_content_in_a_case_is_a_duplicate_and_in_another_case_is_not() {
    let world = World::new();
    let ada = world.person("ada");
    let (one, two) = (ada.open_case("one"), ada.open_case("two"));
    let first = ada.upload(&one, "a.log", log().as_bytes());
    let body = form(&[Part { name: "file", filename: Some("b.log"), content: log().as_bytes() }]);
    let again = ada.post_form(&format!("/cases/{one}/files"), &body).expect(200);
    assert_eq!(again["duplicate_of"], first["file_id"]);
    assert_eq!(again["job_id"], json!(null));
    let other = ada.upload(&two, "b.log", log().as_bytes());
    assert_ne!(other["file_id"], first["file_id"]);
    ada.wait(&first["job_id"]);
    ada.wait(&other["job_id"]);
    let files = ada.get(&format!("/cases/{one}/files")).expect(200);
    assert_eq!(files["total_count"], 1);
}

#[test]
fn a_placeholder_means_the_same_in_every_file_of_a_case() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("placeholders");
    let line = |who: &str| {
        format!("2026-11-23 10:00:00 ERROR mail to {who} bounced\n2026-11-23 10:00:01 INFO done\n")
    };
    let sanitized = |name: &str, text: &str| {
        let upload = ada.upload(&case, name, text.as_bytes());
        ada.wait(&upload["job_id"]);
        let path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
        ada.get(&path).expect(200)["sanitized_content"].as_str().unwrap().to_owned()
    };
    let first = sanitized("1.log", &line("ada@example.org"));
    let second = sanitized("2.log", &(line("bob@example.org") + &line("ada@example.org")));
    assert!(first.contains("<EMAIL_1>"), "{first}");
    assert!(second.contains("<EMAIL_1>") && second.contains("<EMAIL_2>"), "{second}");
    let order = second.find("<EMAIL_2>") < second.find("<EMAIL_1>");
    assert!(order, "bob comes first in the second file: {second}");
}

#[test]
fn other_types_answer_honestly_that_the_extraction_is_basic() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("types");
    let files: [(&str, &[u8], &str); 3] = [
        (
            "deploy.yaml",
            b"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n",
            "structured_config",
        ),
        ("main.py", b"import os\n\n\ndef main():\n    print(os.getcwd())\n", "source_code"),
        ("pixel.png", PNG, "visual_evidence"),
    ];
    for (name, content, data_type) in files {
        let upload = ada.upload(&case, name, content);
        let job = ada.wait(&upload["job_id"]);
        assert_eq!(job["result"]["data_type"], data_type, "{name}: {job}");
        let path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
        assert_eq!(ada.get(&path).expect(200)["extraction"], "basic", "{name}");
    }
}

/// One transparent pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1F, 0x15, 0xC4, 0x89, 0, 0, 0, 0x0A, 0x49, 0x44, 0x41, 0x54,
    0x78, 0x9C, 0x63, 0, 1, 0, 0, 5, 0, 1, 0x0D, 0x0A, 0x2D, 0xB4, 0, 0, 0, 0, 0x49, 0x45, 0x4E,
    0x44, 0xAE, 0x42, 0x60, 0x82,
];

#[test]
fn a_deleted_file_takes_its_evidence_and_bytes_along() {
    // An archive would keep the bytes until its next step.
    let world = World::with(|config| config.archive.every_seconds = 0);
    let ada = world.person("ada");
    let case = ada.open_case("delete");
    let upload = ada.upload(&case, "app.log", log().as_bytes());
    let job = ada.wait(&upload["job_id"]);
    let evidence =
        format!("/cases/{case}/evidence/{}", job["result"]["evidence_id"].as_str().unwrap());
    ada.get(&evidence).expect(200);
    let path = format!("/cases/{case}/files/{}", upload["file_id"].as_str().unwrap());
    assert_eq!(ada.delete(&path).status, 204);
    assert_eq!(ada.get(&path).status, 404);
    assert_eq!(ada.get(&format!("{path}/content")).status, 404);
    assert_eq!(ada.get(&evidence).status, 404);
    let left = count_files(&world.directory.path().join("data/blobs"));
    assert_eq!(left, 0, "the bytes are gone from the disk");
}

fn count_files(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { count_files(&e.path()) } else { 1 }).sum()
}

#[test]
fn the_form_may_name_the_case_before_or_after_the_file() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("form");
    let file = |content| Part { name: "file", filename: Some("x.log"), content };
    let named = Part { name: "case_id", filename: None, content: case.as_bytes() };
    let before = form(&[named, file(b"2026-01-01 00:00:00 INFO a\n")]);
    let named = Part { name: "case_id", filename: None, content: case.as_bytes() };
    let after = form(&[file(b"2026-01-01 00:00:00 INFO b\n"), named]);
    for body in [before, after] {
        let upload = ada.post_form("/data/upload", &body).expect(202);
        assert_eq!(upload["case_id"], case.as_str());
        assert_eq!(ada.wait(&upload["job_id"])["status"], "completed");
    }
    let nowhere = form(&[file(b"x")]);
    let problem = ada.post_form("/data/upload", &nowhere).refused(422, "invalid_field");
    assert_eq!(problem["errors"][0]["field"], "case_id");
}

#[test]
fn classification_stores_nothing() {
    let world = World::new();
    let ada = world.person("ada");
    let content = log();
    let body = form(&[Part { name: "file", filename: Some("x.bin"), content: content.as_bytes() }]);
    let class = ada.post_form("/data/classify", &body).expect(200);
    assert_eq!(class["data_type"], "logs_and_errors", "content counts, not the name");
    assert_eq!(count_files(&world.directory.path().join("data/blobs")), 0);
}

#[test]
fn an_idempotency_key_covers_everything_the_form_says() {
    let world = World::new();
    let ada = world.person("ada");
    let (one, two) = (ada.open_case("one"), ada.open_case("two"));
    let send = |case: &str, description: &str| {
        let body = form(&[
            Part { name: "case_id", filename: None, content: case.as_bytes() },
            Part { name: "description", filename: None, content: description.as_bytes() },
            Part {
                name: "file",
                filename: Some("a.log"),
                content: b"2026-01-01 00:00:00 INFO a\n",
            },
        ]);
        let kind = "multipart/form-data; boundary=fm-test-boundary-7f3a";
        let headers = [("Content-Type", kind), ("Idempotency-Key", "upload-0001")];
        ada.send("POST", "/data/upload", &headers, &body)
    };
    let first = send(&one, "from the gateway").expect(202);
    assert_eq!(send(&one, "from the gateway").expect(202), first, "the same request again");
    send(&two, "from the gateway").refused(409, "idempotency_mismatch");
    send(&one, "from the shop").refused(409, "idempotency_mismatch");
    let files = ada.get(&format!("/cases/{two}/files")).expect(200);
    assert_eq!(files["total_count"], 0);
    ada.wait(&first["job_id"]);
}
