//! Passwords, tokens, back-off and what they leave in the audit trail.

use super::*;
use crate::users::Lifetimes;
use crate::users::tables::UserRow;

const ACCESS_MS: i64 = 900_000;
const REFRESH_MS: i64 = 604_800_000;

#[tokio::test]
async fn a_person_signs_in_by_name_or_email_in_any_spelling() {
    let world = World::new();
    let ada = world.register("Ada").await.user_id();
    for name in ["Ada", "ada", "ADA", "\u{FF41}da", "ada@example.org", "Ada@EXAMPLE.org"] {
        let signed = world.login(name, PASSWORD).await.unwrap();
        let actor = world.actor(signed.access_token()).unwrap();
        assert_eq!(actor.user_id(), Some(ada), "{name}");
        assert!(signed.access_token().starts_with("fma_"));
        assert!(signed.refresh_token().starts_with("fmr_"));
        assert_eq!(signed.expires_in_s, 900);
    }
    world.check();
}

#[tokio::test]
async fn wrong_passwords_and_unknown_names_look_the_same() {
    let world = World::new();
    world.register("ada").await;
    let long = "x".repeat(100_000);
    let tries = [("ada", "wrong"), ("eve", PASSWORD), ("", ""), ("ada", &long), (&long, "x")];
    for (name, password) in tries {
        let refused = world.login(name, password).await.unwrap_err();
        assert!(matches!(refused, UsersError::Credentials), "{refused}");
    }
    world.check();
}

#[tokio::test]
async fn guessing_is_slowed_and_never_stopped_for_good() {
    let world = World::new();
    world.register("ada").await;
    for name in ["ada", "nobody"] {
        for _ in 0..5 {
            let refused = world.login(name, "wrong").await.unwrap_err();
            assert!(matches!(refused, UsersError::Credentials));
        }
        let refused = world.login(name, PASSWORD).await.unwrap_err();
        assert!(matches!(refused, UsersError::TooManyAttempts { retry_after_s: 1 }), "{refused}");
    }
    world.clock.advance_ms(1_000);
    world.login("ada", PASSWORD).await.unwrap();
    world.login("ada", "wrong").await.unwrap_err();
    world.login("ada", PASSWORD).await.unwrap();
    world.check();
}

#[tokio::test]
async fn an_access_token_ends_with_its_time() {
    let world = World::new();
    let ada = world.register("ada").await;
    world.clock.advance_ms(ACCESS_MS - 1);
    assert!(world.actor(ada.access_token()).is_ok());
    world.clock.advance_ms(1);
    assert!(matches!(world.actor(ada.access_token()), Err(UsersError::TokenExpired)));
    let next = world.refresh(ada.refresh_token()).await.unwrap();
    assert_eq!(next.session_id, ada.session_id);
    assert!(world.actor(next.access_token()).is_ok());
    world.check();
}

#[tokio::test]
async fn what_is_no_access_token_is_not_valid() {
    let world = World::new();
    let ada = world.register("ada").await;
    let cut = &ada.access_token()[..46];
    let other = format!("fma_{}", "A".repeat(43));
    let longer = format!("{}A", ada.access_token());
    for text in ["", "fma_", cut, &longer, &other, ada.refresh_token(), "\u{0}\u{fc}"] {
        assert!(matches!(world.actor(text), Err(UsersError::TokenInvalid)), "{text:?}");
    }
    for text in ["", ada.access_token(), &other] {
        assert!(matches!(world.refresh(text).await, Err(UsersError::TokenInvalid)), "{text:?}");
    }
    world.check();
}

#[tokio::test]
async fn a_refresh_token_used_twice_revokes_its_whole_family() {
    let world = World::new();
    let ada = world.register("ada").await;
    let elsewhere = world.login("ada", PASSWORD).await.unwrap();
    let second = world.refresh(ada.refresh_token()).await.unwrap();
    let third = world.refresh(second.refresh_token()).await.unwrap();
    assert!(matches!(world.refresh(ada.refresh_token()).await, Err(UsersError::TokenInvalid)));
    for pair in [&ada, &second, &third] {
        assert!(matches!(world.actor(pair.access_token()), Err(UsersError::TokenInvalid)));
        let refused = world.refresh(pair.refresh_token()).await;
        assert!(matches!(refused, Err(UsersError::TokenInvalid)));
    }
    assert!(world.actor(elsewhere.access_token()).is_ok(), "another sign-in is another family");
    assert_eq!(world.events().last().map(String::as_str), Some("!token_reused"));
    world.check();
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time_and_is_forgotten_later() {
    let world = World::new();
    let ada = world.register("ada").await;
    world.clock.advance_ms(REFRESH_MS - 1);
    let next = world.refresh(ada.refresh_token()).await.unwrap();
    world.clock.advance_ms(REFRESH_MS);
    assert!(matches!(world.refresh(next.refresh_token()).await, Err(UsersError::TokenExpired)));
    let now = world.now().plus_ms(24 * 60 * 60 * 1_000 + 1);
    world.db.write(move |tx| crate::users::sweep(tx, now)).await.unwrap();
    assert!(matches!(world.refresh(next.refresh_token()).await, Err(UsersError::TokenInvalid)));
    let left = world.db.write(move |tx| crate::users::sweep(tx, now)).await.unwrap();
    assert_eq!(left, 0, "nothing of the sign-in is left");
    world.check();
}

#[tokio::test]
async fn a_hash_is_renewed_at_sign_in_when_its_cost_rose() {
    let world = World::new();
    let ada = world.register("ada").await.user_id();
    let config = Config { hash: HashCost { passes: 2, ..CHEAP }, ..Config::default() };
    let sign_in = SignIn::new(config, &world.ids).unwrap();
    let world = World { sign_in, ..world };
    let stored = || {
        let row = world.db.read(|tx| tx.get::<UserRow>(&ada)).unwrap().unwrap();
        row.hashed_password.unwrap()
    };
    assert!(stored().contains("t=1"));
    world.login("ada", "wrong").await.unwrap_err();
    assert!(stored().contains("t=1"));
    let (one, two) = tokio::join!(world.login("ada", PASSWORD), world.login("ada", PASSWORD));
    assert!(one.is_ok() && two.is_ok(), "the one does not void the other");
    assert!(stored().contains("t=2"));
    world.login("ada", PASSWORD).await.unwrap();
    world.check();
}

async fn change_password(
    world: &World,
    signed: &SignedIn,
    current: &str,
    new: &str,
) -> Result<usize, UsersError> {
    let passwords = (Password::new(current.into()), Password::new(new.into()));
    let (user_id, keep) = (signed.user_id(), Some(signed.session_id));
    let trail = world.trail();
    world.sign_in.change_password(&world.db, &world.ids, &trail, user_id, keep, passwords).await
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::new();
    let ada = world.register("ada").await;
    let elsewhere = world.login("ada", PASSWORD).await.unwrap();
    let new = "another horse entirely";
    let refused = change_password(&world, &ada, "wrong", new).await;
    assert!(matches!(refused, Err(UsersError::WrongPassword)));
    let refused = change_password(&world, &ada, PASSWORD, "password1").await;
    assert!(matches!(refused, Err(UsersError::Invalid(_))));
    assert_eq!(change_password(&world, &ada, PASSWORD, new).await.unwrap(), 1);
    assert!(world.actor(ada.access_token()).is_ok());
    assert!(matches!(world.actor(elsewhere.access_token()), Err(UsersError::TokenInvalid)));
    assert!(matches!(world.login("ada", PASSWORD).await, Err(UsersError::Credentials)));
    world.login("ada", new).await.unwrap();
    world.check();
}

#[tokio::test]
async fn the_current_password_cannot_be_guessed_with_a_stolen_token() {
    let world = World::new();
    let ada = world.register("ada").await;
    for _ in 0..5 {
        change_password(&world, &ada, "wrong", "another horse entirely").await.unwrap_err();
    }
    let refused = change_password(&world, &ada, PASSWORD, "another horse entirely").await;
    assert!(matches!(refused, Err(UsersError::TooManyAttempts { .. })));
    world.check();
}

#[tokio::test]
async fn development_sign_in_never_opens_an_account_with_a_password() {
    let world = World::with(Config { hash: CHEAP, dev_login: true, ..Config::default() });
    world.register("ada").await;
    let dev = Application { password: None, ..World::application("dev") };
    let (db, ids, trail) = (&world.db, &world.ids, world.trail());
    world.sign_in.dev_register(db, ids, &trail, &dev, None).await.unwrap();
    let sign_in = |name: &'static str| {
        let (world, trail) = (&world, world.trail());
        async move { world.sign_in.dev_login(&world.db, &world.ids, &trail, name, None).await }
    };
    assert!(sign_in("DEV").await.is_ok());
    assert!(matches!(sign_in("ada").await, Err(UsersError::Credentials)));
    assert!(matches!(sign_in("nobody").await, Err(UsersError::Credentials)));
    assert!(matches!(world.login("dev", "").await, Err(UsersError::Credentials)));
    let off = World::new();
    let refused = off.sign_in.dev_login(&off.db, &off.ids, &off.trail(), "dev", None).await;
    assert!(matches!(refused, Err(UsersError::DevLoginOff)));
    world.check();
}

#[tokio::test]
async fn registration_can_be_closed() {
    let world = World::with(Config { hash: CHEAP, registration: false, ..Config::default() });
    let (db, ids, application) = (&world.db, &world.ids, World::application("ada"));
    let refused = world.sign_in.register(db, ids, &world.trail(), &application, None).await;
    assert!(matches!(refused, Err(UsersError::RegistrationClosed)));
    assert!(world.events().is_empty());
}

#[tokio::test]
async fn every_event_is_in_the_audit_trail_and_no_secret_is_anywhere() {
    let world = World::new();
    let ada = world.register("ada").await;
    world.login("ada", "hunter2-typed-wrong").await.unwrap_err();
    world.login("hunter2-typed-wrong", "x").await.unwrap_err();
    let again = world.login("ada", PASSWORD).await.unwrap();
    change_password(&world, &ada, PASSWORD, "another horse entirely").await.unwrap();
    let (user_id, session_id, trail) = (ada.user_id(), Some(ada.session_id), world.trail());
    let signed_out = world
        .db
        .write(move |tx| crate::users::signin::sign_out(tx, user_id, session_id, false, &trail));
    assert_eq!(signed_out.await.unwrap().revoked_tokens, 2);
    let expected = [
        "account_created",
        "login",
        "!login_failed",
        "!login_failed",
        "login",
        "password_changed",
        "logout",
    ];
    assert_eq!(world.events(), expected);
    let secrets = [
        PASSWORD,
        "hunter2-typed-wrong",
        "another horse entirely",
        ada.access_token(),
        ada.refresh_token(),
        again.access_token(),
        again.refresh_token(),
    ];
    for table in ["users", "sessions", "tokens", "audit"] {
        let walked = world.db.read(|tx| {
            tx.walk(table, &Span::all(), &mut |key, value| {
                for secret in secrets {
                    let holds = |b: &[u8]| b.windows(secret.len()).any(|w| w == secret.as_bytes());
                    assert!(!holds(key) && !holds(value), "{table} holds {secret}");
                }
                Ok(ControlFlow::Continue(()))
            })
        });
        walked.unwrap();
    }
    world.check();
}

#[tokio::test]
async fn a_client_that_refreshes_in_a_loop_keeps_a_bounded_number_of_tokens() {
    let lifetimes = Lifetimes { access_s: 900, refresh_s: 604_800 };
    let world = World::with(Config { hash: CHEAP, lifetimes, ..Config::default() });
    let mut last = world.register("ada").await;
    for _ in 0..600 {
        last = world.refresh(last.refresh_token()).await.unwrap();
    }
    let mut tokens = 0;
    let counted = world.db.read(|tx| {
        tx.walk("tokens", &Span::all(), &mut |_, _| {
            tokens += 1;
            Ok(ControlFlow::Continue(()))
        })
    });
    counted.unwrap();
    assert_eq!(tokens, 1_024);
    assert!(world.actor(last.access_token()).is_ok());
    world.refresh(last.refresh_token()).await.unwrap();
    world.check();
}
