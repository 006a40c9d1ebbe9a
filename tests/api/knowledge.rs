//! A person's knowledge base.

use super::world::{Part, Person, World, form};
use serde_json::{Value, json};

const RUNBOOKS: [(&str, &str); 3] = [
    (
        "Disk full on a database host",
        "# Disk full\n\nFree space by rotating logs.\n\n## Steps\n\n1. `df -h`\n2. Rotate the logs.\n",
    ),
    (
        "Kubernetes pod in CrashLoopBackOff",
        "# CrashLoopBackOff\n\nRead the previous container's logs with `kubectl logs --previous`.\n",
    ),
    (
        "TLS certificate expired",
        "# Expired certificate\n\nRenew the certificate and reload the ingress controller.\n",
    ),
];

fn add(person: &Person, title: &str, content: &str) -> Value {
    let body = json!({
        "title": title, "content": content, "document_type": "runbook", "tags": ["ops"],
    });
    let document = person.post("/knowledge/documents", &body).expect(201);
    assert_eq!(person.wait(&document["job_id"])["status"], "completed");
    document
}

fn titles(person: &Person, query: &Value) -> Vec<String> {
    let found = person.post("/knowledge/search", query).expect(200);
    let results = found["results"].as_array().unwrap().clone();
    results.iter().map(|r| r["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn three_runbooks_are_found_by_plain_words() {
    let world = World::with(|config| config.search.model = "none".into());
    let ada = world.person("ada");
    for (title, content) in RUNBOOKS {
        add(&ada, title, content);
    }
    let body = json!({ "query": "my pod keeps crashing, CrashLoopBackOff", "k": 3 });
    let found = ada.post("/knowledge/search", &body).expect(200);
    let first = &found["results"][0];
    assert_eq!(first["title"], RUNBOOKS[1].0);
    assert_eq!(found["model"], "lexical");
    assert!(found["exact"].is_boolean() && found["took_ms"].is_number(), "{found}");
    assert!(first["score"].is_number() && first["scores"]["lexical"].is_number(), "{first}");
    let (start, end) =
        (first["offset_start"].as_u64().unwrap(), first["offset_end"].as_u64().unwrap());
    let place = &RUNBOOKS[1].1[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
    assert_eq!(
        first["text"].as_str().unwrap().trim(),
        place.trim(),
        "offsets point into the document"
    );
    assert_eq!(first["collection"], format!("kb_private_{}", ada.user_id));
    assert_eq!(titles(&ada, &json!({ "query": "certificate renewal" }))[0], RUNBOOKS[2].0);
}

#[test]
fn a_deleted_or_changed_document_is_found_no_more() {
    let world = World::new();
    let ada = world.person("ada");
    let first = add(&ada, "Quokka restart", "Restart the quokka daemon.");
    let path = format!("/knowledge/documents/{}", first["document_id"].as_str().unwrap());
    assert_eq!(titles(&ada, &json!({ "query": "quokka", "mode": "lexical" })), ["Quokka restart"]);
    let change = json!({ "title": "Wombat restart", "content": "Restart the wombat daemon." });
    ada.put(&path, &change).expect(200);
    assert_eq!(titles(&ada, &json!({ "query": "quokka", "mode": "lexical" })), [""; 0]);
    assert_eq!(ada.delete(&path).status, 204);
    assert_eq!(titles(&ada, &json!({ "query": "wombat", "mode": "lexical" })), [""; 0]);
    assert_eq!(ada.get(&path).status, 404);
}

#[test]
fn nobody_finds_anothers_documents() {
    let world = World::new();
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    add(&ada, "Ada's notes", "the flux capacitor needs 1.21 gigawatts");
    add(&bob, "Bob's notes", "the flux capacitor is on fire");
    for mode in ["lexical", "hybrid"] {
        let query = json!({ "query": "flux capacitor", "mode": mode, "k": 10 });
        assert_eq!(titles(&ada, &query), ["Ada's notes"], "{mode}");
        assert_eq!(titles(&bob, &query), ["Bob's notes"], "{mode}");
    }
}

#[test]
fn the_index_is_right_after_a_restart_without_embedding_again() {
    let mut world = World::new();
    let ada = world.person("ada");
    for (title, content) in RUNBOOKS {
        add(&ada, title, content);
    }
    let query = json!({ "query": "rotate logs", "k": 3, "mode": "lexical" });
    let before = titles(&ada, &query);
    world = world.restart();
    let ada = world.sign_in("ada");
    assert_eq!(titles(&ada, &query), before);
    assert_eq!(before[0], RUNBOOKS[0].0);
}

#[test]
fn secrets_in_a_document_are_not_found_and_not_shown_in_hits() {
    let world = World::new();
    let ada = world.person("ada");
    add(
        &ada,
        "Vault",
        "Log in with password=Tr0ub4dor&3xyz and call ada@example.org about walruses.",
    );
    let found = ada.post("/knowledge/search", &json!({ "query": "walruses" })).expect(200);
    assert_eq!(found["results"][0]["title"], "Vault");
    let text = found.to_string();
    assert!(!text.contains("Tr0ub4dor") && !text.contains("ada@example.org"), "{text}");
}

#[test]
fn markdown_files_are_taken_and_what_is_no_text_is_refused() {
    let world = World::new();
    let ada = world.person("ada");
    let parts = |name, content| {
        form(&[
            Part { name: "title", filename: None, content: b"From a file" },
            Part { name: "document_type", filename: None, content: b"runbook" },
            Part { name: "file", filename: Some(name), content },
        ])
    };
    let body = parts("pool.md", b"# Pool\n\nRaise the pool size.\n");
    let document = ada.post_form("/knowledge/documents", &body).expect(201);
    ada.wait(&document["job_id"]);
    assert_eq!(titles(&ada, &json!({ "query": "pool size" })), ["From a file"]);
    let binary = parts("pool.docx", b"PK\x03\x04\xFF\xFE\x00\x00");
    assert!([415, 422].contains(&ada.post_form("/knowledge/documents", &binary).status));
    assert_eq!(ada.get("/knowledge/documents").expect(200)["total_count"], 1);
}
