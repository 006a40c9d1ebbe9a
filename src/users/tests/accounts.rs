//! Names, changes, roles, deletion and the first administrator.

use super::*;
use crate::base::PageRequest;
use crate::users::account::{Change, Filter};
use proptest::prelude::*;
use std::collections::BTreeSet;

async fn taken(world: &World, username: &str, email: &str) -> Option<&'static str> {
    let application = Application {
        username: username.into(),
        email: email.into(),
        ..World::application("somebody")
    };
    let trail = world.trail();
    match world.sign_in.register(&world.db, &world.ids, &trail, &application, None).await {
        Ok(_) => None,
        Err(UsersError::UsernameTaken) => Some("username"),
        Err(UsersError::EmailTaken) => Some("email"),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_name_is_taken_in_every_spelling_and_after_deletion() {
    let world = World::new();
    let ada = world.register("Ada").await.user_id();
    assert_eq!(taken(&world, "aDA", "other@example.org").await, Some("username"));
    assert_eq!(taken(&world, "\u{FF21}da", "other@example.org").await, Some("username"));
    assert_eq!(taken(&world, "other", "ADA@EXAMPLE.ORG").await, Some("email"));
    world.delete(ada).await.unwrap();
    assert_eq!(taken(&world, "ada", "other@example.org").await, Some("username"));
    assert_eq!(taken(&world, "other", "ada@example.org").await, Some("email"));
    assert_eq!(taken(&world, "other", "other@example.org").await, None);
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn names_are_unique_whatever_their_case(names in prop::collection::vec("[abAB]{3,4}", 1..24)) {
        let world = World::new();
        let mut model = BTreeSet::new();
        for name in names {
            let application = Application { password: None, ..World::application(&name) };
            let new = application.check(world.ids.next(START), vec![Role::User]).unwrap();
            let trail = world.trail();
            let made = world
                .db
                .write_blocking(move |tx| account::create(tx, &new, &trail).map(|_| ()));
            prop_assert_eq!(made.is_ok(), model.insert(name.to_lowercase()), "{}", name);
        }
        world.check();
    }
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let application = Application {
        username: "a b".into(),
        email: "nobody".into(),
        display_name: Some("\u{7}".into()),
        password: Some(Password::new("short".into())),
    };
    let Err(UsersError::Invalid(fields)) =
        application.check(Ids::seeded(1).next(START), vec![Role::User])
    else {
        panic!("accepted");
    };
    let named: Vec<&str> = fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(named, ["username", "email", "display_name", "password"]);
}

#[tokio::test]
async fn a_profile_changes_under_its_version() {
    let world = World::new();
    let ada = world.register("ada").await.user_id();
    world.register("bob").await;
    let change = |change: Change, expected: Option<u64>| {
        let trail = world.trail();
        world.db.write(move |tx| account::change(tx, ada, &change, expected, &trail))
    };
    let named = |name: &str| Change { display_name: Some(name.into()), ..Change::default() };
    let row = change(named("Ada L."), Some(1)).await.unwrap();
    assert_eq!((row.display_name.as_str(), row.version), ("Ada L.", 2));
    let stale = change(named("Ada"), Some(1)).await;
    assert!(matches!(stale, Err(UsersError::Version { expected: 1, actual: 2 })));
    let email = |email: &str| Change { email: Some(email.into()), ..Change::default() };
    assert!(matches!(change(email("BOB@example.org"), None).await, Err(UsersError::EmailTaken)));
    assert_eq!(change(email("Ada@Example.org"), None).await.unwrap().email, "Ada@Example.org");
    let wrong = Change {
        avatar_url: Some(Some("javascript:alert(1)".into())),
        timezone: Some("Europe/Berlin; DROP".into()),
        locale: Some(String::new()),
        ..Change::default()
    };
    let Err(UsersError::Invalid(fields)) = change(wrong, None).await else { panic!("accepted") };
    let fields: Vec<&str> = fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["avatar_url", "timezone", "locale"]);
    world.check();
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let world = World::new();
    let ada = world.admin("ada").await.user_id();
    let demoted = world.set_roles(ada, &[Role::User]).await;
    assert!(matches!(demoted, Err(UsersError::LastAdmin)));
    assert!(matches!(world.delete(ada).await, Err(UsersError::LastAdmin)));
    let idle = Change { is_active: Some(false), ..Change::default() };
    let trail = world.trail();
    let deactivated = world.db.write(move |tx| account::change(tx, ada, &idle, None, &trail)).await;
    assert!(matches!(deactivated, Err(UsersError::LastAdmin)));
    world.admin("bob").await;
    world.set_roles(ada, &[Role::User]).await.unwrap();
    world.check();
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_on() {
    let world = World::new();
    world.admin("root").await;
    let ada = world.register("ada").await;
    let has = |role| world.actor(ada.access_token()).unwrap().has(role);
    assert!(!has(Role::Analyst));
    world.set_roles(ada.user_id(), &[Role::Analyst, Role::Analyst]).await.unwrap();
    assert!(has(Role::Analyst) && !has(Role::User));
    assert!(matches!(world.set_roles(ada.user_id(), &[]).await, Err(UsersError::Invalid(_))));
    world.check();
}

#[tokio::test]
async fn a_deleted_or_inactive_person_is_out_at_once() {
    let world = World::new();
    world.admin("root").await;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    world.delete(ada.user_id()).await.unwrap();
    let idle = Change { is_active: Some(false), ..Change::default() };
    let (trail, id) = (world.trail(), bob.user_id());
    world.db.write(move |tx| account::change(tx, id, &idle, None, &trail)).await.unwrap();
    for (name, gone) in [("ada", &ada), ("bob", &bob)] {
        assert!(matches!(world.actor(gone.access_token()), Err(UsersError::TokenInvalid)));
        let refreshed = world.refresh(gone.refresh_token()).await;
        assert!(matches!(refreshed, Err(UsersError::TokenInvalid)));
        assert!(matches!(world.login(name, PASSWORD).await, Err(UsersError::Credentials)));
        let profile = world.db.read(|tx| account::profile(tx, gone.user_id())).unwrap();
        assert_eq!(profile, None);
    }
    let name = world.db.read(|tx| account::display_name(tx, ada.user_id())).unwrap();
    assert_eq!(name.as_deref(), Some("ada"), "old cases still name their people");
    world.check();
}

#[tokio::test]
async fn lists_show_present_accounts_and_filter_them() {
    let world = World::new();
    world.admin("root").await;
    for name in ["ada", "adam", "bob"] {
        world.clock.advance_ms(1);
        world.register(name).await;
    }
    let gone = world.register("adrian").await.user_id();
    world.delete(gone).await.unwrap();
    let check = |filter: Filter, limit: usize, expected: (&[&str], usize)| {
        let request = PageRequest { limit, offset: 0 };
        let page = world.db.read(|tx| account::list(tx, &filter, request)).unwrap();
        let names: Vec<&str> = page.items.iter().map(|row| row.username.as_str()).collect();
        assert_eq!((&names[..], page.total_count), expected);
    };
    check(Filter::default(), 2, (&["bob", "adam"], 4));
    let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
    check(text("ad"), 1, (&["adam"], 2));
    check(text("@example.org"), 10, (&["bob", "adam", "ada", "root"], 4));
    check(Filter { role: Some(Role::Admin), ..Filter::default() }, 10, (&["root"], 1));
    check(Filter { active: Some(false), ..Filter::default() }, 10, (&[], 0));
    world.check();
}

#[tokio::test]
async fn the_setup_token_works_once_and_only_the_newest() {
    let world = World::new();
    let begin = || async { setup::begin(&world.db, &world.ids).await.unwrap() };
    let finish = |token: &str, name: &str| {
        let (token, application) = (token.to_owned(), World::application(name));
        let world = &world;
        async move {
            let trail = world.trail();
            setup::finish(&world.sign_in, &world.db, &world.ids, &trail, token, &application).await
        }
    };
    let first = begin().await.unwrap();
    let second = begin().await.unwrap();
    assert!(matches!(finish(&first, "eve").await, Err(UsersError::SetupToken)));
    assert!(matches!(finish("", "eve").await, Err(UsersError::SetupToken)));
    assert!(matches!(finish(&second, "e").await, Err(UsersError::Invalid(_))));
    let root = finish(&second, "root").await.unwrap();
    assert!(world.actor(root.access_token()).unwrap().has(Role::Admin));
    assert!(matches!(finish(&second, "eve").await, Err(UsersError::SetupDone)));
    assert_eq!(begin().await, None);
    world.check();
}

#[test]
fn an_administrator_can_be_made_without_http() {
    let world = World::new();
    let make = |name: &str| {
        let actor = Actor::System("cli");
        let (db, hasher) = (&world.db, world.sign_in.hasher());
        account::create_admin(db, hasher, &world.ids, START, &actor, &World::application(name))
    };
    make("root").unwrap();
    assert!(world.db.read(account::admin_exists).unwrap());
    assert!(matches!(make("Root"), Err(UsersError::UsernameTaken)));
    world.each_audit(|row| assert_eq!(row.actor, "system:cli"));
    world.check();
}
