//! Registration, sign-in, tokens, sessions.

use super::world::{PASSWORD, World};
use serde_json::json;

#[test]
fn a_person_registers_signs_in_and_is_known() {
    let world = World::new();
    let ada = world.person("ada");
    let me = ada.get("/auth/me").expect(200);
    assert_eq!((&me["username"], &me["user_id"]), (&json!("ada"), &json!(ada.user_id)));
    assert_eq!(me["roles"], json!(["user"]));
    assert!(!me.to_string().contains("argon2"), "no hash leaves the server");
    let by_mail = json!({ "email": "ADA@example.org", "password": PASSWORD });
    let answer = world.anonymous().post("/auth/login", &by_mail).expect(200);
    for member in ["access_token", "refresh_token", "session_id"] {
        assert!(answer[member].is_string(), "{member}: {answer}");
    }
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["expires_in"], 900);
}

#[test]
fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let world = World::new();
    world.person("ada");
    let refusal = |name: &str| {
        let body = json!({ "username": name, "password": "wrong password here" });
        let mut problem = world.anonymous().post("/auth/login", &body).expect(401);
        problem["request_id"] = json!(null);
        problem
    };
    assert_eq!(refusal("ada"), refusal("nobody"));
}

#[test]
fn a_name_is_taken_in_any_spelling() {
    let world = World::new();
    world.person("Grace");
    let again = json!({
        "username": "gRACE", "email": "other@example.org", "display_name": "G", "password": PASSWORD,
    });
    let problem = world.anonymous().post("/auth/register", &again).refused(409, "username_taken");
    assert_eq!(problem["errors"][0]["field"], "username");
}

#[test]
fn an_access_token_expires_and_a_refresh_token_works_once() {
    let world = World::new();
    world.person("ada");
    let body = json!({ "username": "ada", "password": PASSWORD });
    let first = world.anonymous().post("/auth/login", &body).expect(200);
    let mut ada = world.anonymous();
    ada.token = Some(first["access_token"].as_str().unwrap().to_owned());
    ada.get("/auth/me").expect(200);
    world.clock.advance_ms(901_000);
    ada.get("/auth/me").refused(401, "token_expired");

    let refresh = json!({ "refresh_token": first["refresh_token"] });
    let second = world.anonymous().post("/auth/refresh", &refresh).expect(200);
    ada.token = Some(second["access_token"].as_str().unwrap().to_owned());
    ada.get("/auth/me").expect(200);
    // The first refresh token is used again: whoever holds it, the family ends.
    assert_eq!(world.anonymous().post("/auth/refresh", &refresh).status, 401);
    assert_eq!(ada.get("/auth/me").status, 401);
    let newer = json!({ "refresh_token": second["refresh_token"] });
    assert_eq!(world.anonymous().post("/auth/refresh", &newer).status, 401);
}

#[test]
fn signing_out_ends_the_token() {
    let world = World::new();
    let ada = world.person("ada");
    ada.post("/auth/logout", &json!({})).expect(200);
    assert_eq!(ada.get("/auth/me").status, 401);
}

#[test]
fn guessing_is_slowed_down_and_not_locked_out() {
    let world = World::new();
    world.person("ada");
    let wrong = json!({ "username": "ada", "password": "not the password" });
    let mut statuses: Vec<u16> = Vec::new();
    let slowed = (0..20).find_map(|_| {
        let answer = world.anonymous().post("/auth/login", &wrong);
        statuses.push(answer.status);
        (answer.status == 429).then_some(answer)
    });
    let slowed = slowed.unwrap_or_else(|| panic!("never slowed down: {statuses:?}"));
    let wait: i64 = slowed.header("retry-after").parse().unwrap();
    world.clock.advance_ms((wait + 1) * 1000);
    world.sign_in("ada");
}

#[test]
fn the_setup_link_makes_one_administrator_once() {
    let world = World::new();
    let body = json!({
        "token": "guessed", "username": "root", "email": "root@example.org", "password": PASSWORD,
    });
    assert_eq!(world.anonymous().post("/auth/setup", &body).status, 403);
    assert_eq!(world.anonymous().get("/setup").status, 200);
}

#[test]
fn registration_can_be_closed() {
    let world = World::with(|config| config.auth.registration = faultmaven::app::Registration::Off);
    let config = world.anonymous().get("/auth/config").expect(200);
    assert_eq!(config["supports_registration"], false);
    let body = json!({
        "username": "eve", "email": "eve@example.org", "display_name": "E", "password": PASSWORD,
    });
    assert_eq!(world.anonymous().post("/auth/register", &body).status, 403);
}

#[test]
fn development_sign_in_is_off_unless_configured() {
    let world = World::new();
    let body = json!({ "username": "ada" });
    assert_eq!(world.anonymous().post("/auth/dev-login", &body).status, 404);
}
