//! What probes, scrapers and client generators see.

use super::world::World;

#[test]
fn probes_answer_without_a_token() {
    let world = World::with(|config| config.search.model = "none".into());
    let nobody = world.anonymous();
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(nobody.get(path).status, 200, "{path}");
    }
    let metrics = nobody.get("/metrics");
    assert_eq!(metrics.status, 200);
    for name in ["faultmaven_build_info", "http_requests_total", "faultmaven_db_commits_total"] {
        assert!(metrics.text.contains(name), "{name} in\n{}", metrics.text);
    }
}

#[test]
fn the_description_and_its_page_come_from_the_binary() {
    let world = World::new();
    let nobody = world.anonymous();
    let document = nobody.get("/openapi.json").expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/api/v1/cases/{id}/files", "/api/v1/auth/login", "/api/v1/knowledge/search"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let page = nobody.get("/docs/");
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"));
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "no foreign asset");
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    let world = World::new();
    let ada = world.person("ada");
    let answer = ada.get("/nothing/here");
    assert_eq!((answer.status, answer.header("content-type")), (404, "application/problem+json"));
    assert!(!answer.header("x-request-id").is_empty());
    let wrong_method = ada.send("PUT", "/cases", &[], b"{}");
    assert_eq!(wrong_method.status, 405);
    assert!(wrong_method.header("allow").contains("GET"), "{}", wrong_method.header("allow"));
    let echoed = ada.send("GET", "/cases", &[("X-Request-Id", "my-id-1")], b"");
    assert_eq!(echoed.header("x-request-id"), "my-id-1");
}

#[test]
fn the_operators_routes_do_not_exist_for_others() {
    let world = World::new();
    let ada = world.person("ada");
    let url = format!("{}/operator/check", ada.base);
    let answer = ureq::post(&url)
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", "Bearer fmo_guess")
        .send_empty()
        .unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = world.directory.path().join("data/operator.json");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only the owner reads the credential");
    }
}
