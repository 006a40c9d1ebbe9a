//! Reports of a resolved case.

use super::world::World;
use serde_json::json;

#[test]
fn a_post_mortem_is_made_from_the_cases_own_data_and_has_versions() {
    let world = World::new();
    let ada = world.person("ada");
    let case = ada.open_case("payments fail");
    let evidence = json!({
        "content": "pool exhausted at 10:02", "source_type": "user_report", "form": "user_input",
    });
    ada.post(&format!("/cases/{case}/evidence"), &evidence).expect(201);
    let resolve = json!({ "status": "resolved", "closure_reason": "resolved" });
    ada.post(&format!("/cases/{case}/status"), &resolve).expect(200);
    let path = format!("/cases/{case}/reports");
    for version in [1, 2] {
        let ordered = ada.post(&path, &json!({ "report_types": ["post_mortem"] }));
        let body = ordered.expect(202);
        let job = ada.wait(&body["job_id"]);
        assert_eq!(job["status"], "completed", "{job}");
        let done = ada.get(ordered.header("location"));
        assert_eq!(done.status, 303);
        let report = ada.get(done.header("location")).expect(200);
        assert_eq!(report["version"], version);
        let content = report["content"].as_str().unwrap();
        for part in ["payments fail", "pool exhausted at 10:02", "## Timeline", "## Root Cause"] {
            assert!(content.contains(part), "{part} in\n{content}");
        }
    }
    let current = ada.get(&format!("{path}?type=post_mortem")).expect(200);
    assert_eq!(
        (&current["total_count"], &current["reports"][0]["version"]),
        (&json!(1), &json!(2))
    );
    let all = ada.get(&format!("{path}?type=post_mortem&include_history=true")).expect(200);
    assert_eq!(all["total_count"], 2);
    let id = current["reports"][0]["report_id"].as_str().unwrap();
    let markdown = ada.get(&format!("{path}/{id}/download?format=md"));
    assert_eq!(markdown.status, 200);
    assert!(markdown.header("content-type").starts_with("text/markdown"));
    assert!(markdown.text.starts_with("# "), "{}", markdown.text);
}
