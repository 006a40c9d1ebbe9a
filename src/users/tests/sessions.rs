//! Sessions: opening, resuming, sliding, binding, ending.

use super::*;
use crate::base::PageRequest;
use crate::engine::db::Write;
use crate::users::session::{self, Wanted};
use crate::users::tables::{ANONYMOUS, SessionRow};
use std::net::{IpAddr, Ipv4Addr};

const MINUTE_MS: i64 = 60_000;

impl World {
    async fn open(&self, user_id: Option<UserId>, client: &str) -> (SessionRow, bool) {
        self.open_from("192.0.2.7", user_id, client).await
    }

    async fn open_from(
        &self,
        address: &str,
        user_id: Option<UserId>,
        client: &str,
    ) -> (SessionRow, bool) {
        let client_id = (!client.is_empty()).then(|| client.to_owned());
        let wanted = Wanted { client_id, ..Wanted::default() };
        let (fresh, now, from) = (self.ids.next(self.now()), self.now(), address.parse().ok());
        let open = move |tx: &Write<'_>| session::open(tx, fresh, user_id, from, &wanted, now);
        self.db.write(open).await.unwrap()
    }

    fn sees(&self, user_id: Option<UserId>, session_id: SessionId) -> bool {
        match self.db.read(|tx| session::load(tx, session_id, user_id, self.now())) {
            Ok(_) => true,
            Err(UsersError::SessionMissing) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_same_person_and_client_resume_their_session() {
    let world = World::new();
    let (ada, bob) = (world.register("ada").await.user_id(), world.register("bob").await.user_id());
    let (first, resumed) = world.open(Some(ada), "laptop").await;
    assert!(!resumed);
    let (again, resumed) = world.open(Some(ada), "laptop").await;
    assert!(resumed && again.session_id == first.session_id);
    for (user_id, client) in [(Some(ada), "phone"), (Some(bob), "laptop"), (None, "laptop")] {
        let (other, resumed) = world.open(user_id, client).await;
        assert!(!resumed && other.session_id != first.session_id, "{user_id:?} {client}");
    }
    let (nameless, _) = world.open(Some(ada), "").await;
    assert_ne!(nameless.session_id, world.open(Some(ada), "").await.0.session_id);
    world.check();
}

#[tokio::test]
async fn a_session_slides_and_ends_with_its_time() {
    let world = World::new();
    let ada = Some(world.register("ada").await.user_id());
    let id = world.open(ada, "laptop").await.0.session_id;
    world.clock.advance_ms(29 * MINUTE_MS);
    let now = world.now();
    world.db.write(move |tx| session::touch(tx, id, ada, now)).await.unwrap();
    world.clock.advance_ms(29 * MINUTE_MS);
    assert!(world.sees(ada, id));
    world.clock.advance_ms(MINUTE_MS);
    assert!(!world.sees(ada, id), "the TTL is enforced on read");
    let now = world.now();
    let late = world.db.write(move |tx| session::touch(tx, id, ada, now)).await;
    assert!(matches!(late, Err(UsersError::SessionMissing)));
    let (fresh, resumed) = world.open(ada, "laptop").await;
    assert!(!resumed && fresh.session_id != id);
    world.check();
}

#[tokio::test]
async fn a_session_is_seen_by_its_owner_only_and_an_anonymous_one_by_who_knows_it() {
    let world = World::new();
    let ada = Some(world.register("ada").await.user_id());
    let bob = Some(world.register("bob").await.user_id());
    let (hers, open) = (world.open(ada, "").await.0, world.open(None, "").await.0);
    let seen = |id| [ada, bob, None].map(|who| world.sees(who, id));
    assert_eq!(seen(hers.session_id), [true, false, false]);
    assert_eq!(seen(open.session_id), [true, true, true]);
    world.check();
}

#[tokio::test]
async fn an_anonymous_session_is_bound_at_sign_in() {
    let world = World::new();
    let ada = world.register("ada").await;
    let bob = world.register("bob").await;
    let open = world.open(None, "laptop").await.0.session_id;
    let signed = world.login_from("ada", PASSWORD, Some(open)).await.unwrap();
    assert_eq!(signed.session_id, open);
    assert!(!world.sees(None, open) && world.sees(Some(ada.user_id()), open));
    let foreign = world.login_from("bob", PASSWORD, Some(open)).await.unwrap();
    assert_ne!(foreign.session_id, open, "a session that has an owner is nobody else's");
    let again = world.open(None, "laptop").await.0.session_id;
    let back = world.login_from("ada", PASSWORD, Some(again)).await.unwrap();
    assert_eq!(back.session_id, open, "the client has a session of hers already");
    assert!(!world.sees(None, again));
    assert!(world.actor(bob.access_token()).is_ok());
    world.check();
}

#[tokio::test]
async fn ending_a_session_ends_its_tokens() {
    let world = World::new();
    let ada = world.register("ada").await;
    let id = ada.session_id;
    world.db.write(move |tx| session::end(tx, id)).await.unwrap();
    assert!(matches!(world.actor(ada.access_token()), Err(UsersError::TokenInvalid)));
    let refreshed = world.refresh(ada.refresh_token()).await;
    assert!(matches!(refreshed, Err(UsersError::TokenInvalid)));
    world.check();
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_sessions() {
    let world = World::new();
    let signed = world.register("ada").await;
    let ada = Some(signed.user_id());
    for _ in 0..100 {
        world.clock.advance_ms(1);
        world.open(ada, "").await;
    }
    let request = PageRequest { limit: 10, offset: 95 };
    let page = world.db.read(|tx| session::list(tx, signed.user_id(), request, world.now()));
    let page = page.unwrap();
    assert_eq!((page.total_count, page.items.len()), (100, 5));
    assert!(!world.sees(ada, signed.session_id), "the one idle longest made room");
    world.check();
}

#[tokio::test]
async fn who_opens_sessions_in_a_loop_pushes_out_none_but_their_own() {
    let world = World::new();
    let ada = world.register("ada").await;
    let other = world.open_from("198.51.100.1", None, "").await.0.session_id;
    let mut opened = Vec::new();
    for host in 0..25 {
        world.clock.advance_ms(1);
        let address = format!("2001:db8::{host:x}");
        opened.push(world.open_from(&address, None, "").await.0.session_id);
    }
    let alive: Vec<bool> = opened.iter().map(|id| world.sees(None, *id)).collect();
    assert_eq!(alive, [[false; 5].as_slice(), &[true; 20]].concat(), "a /64 is one network");
    assert!(world.sees(None, other) && world.sees(Some(ada.user_id()), ada.session_id));
    let next = world.open_from("2001:db8:0:1::1", None, "").await.0.session_id;
    assert!(world.sees(None, next) && world.sees(None, opened[5]), "the next /64 is another");
    // What somebody has signed in with no longer counts.
    world.login_from("ada", PASSWORD, Some(opened[24])).await.unwrap();
    world.open_from("2001:db8::1", None, "").await;
    assert!(world.sees(None, opened[5]));
    world.check();
}

#[tokio::test]
async fn all_networks_together_have_a_bounded_number_of_sessions() {
    let world = World::new();
    let (ids, start) = (world.ids.clone(), world.now());
    let opened = world.db.write(move |tx| {
        let mut last = None;
        for number in 0..6_000 {
            let now = start.plus_ms(i64::from(number));
            let from = Some(IpAddr::V4(Ipv4Addr::from_bits(number)));
            let opened = session::open(tx, ids.next(now), None, from, &Wanted::default(), now)?;
            last = Some(opened.0.session_id);
        }
        Ok::<_, UsersError>((tx.count(&ANONYMOUS, &Span::all())?, last))
    });
    let (count, last) = opened.await.unwrap();
    assert!((4_500..5_000).contains(&count), "{count}");
    assert!(world.sees(None, last.unwrap()));
    world.check();
}

#[tokio::test]
async fn the_sweep_takes_what_is_over() {
    let world = World::new();
    world.register("ada").await;
    for _ in 0..3 {
        world.open(None, "").await;
    }
    world.clock.advance_ms(25 * 60 * MINUTE_MS);
    let now = world.now();
    let gone = world.db.write(move |tx| crate::users::sweep(tx, now)).await.unwrap();
    assert_eq!(gone, 3 + 1, "three idle sessions and an access token; the sign-in lives on");
    world.check();
}

#[test]
fn what_a_client_asks_for_is_checked() {
    let check = |wanted: Wanted, expected: &[&str]| {
        let fields = match wanted.check() {
            Ok(()) => Vec::new(),
            Err(UsersError::Invalid(fields)) => fields,
            Err(other) => panic!("{other}"),
        };
        let named: Vec<&str> = fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(named, expected, "{wanted:?}");
    };
    let none = Wanted::default;
    check(none(), &[]);
    for (minutes, expected) in
        [(59, &["timeout_minutes"][..]), (60, &[]), (480, &[]), (481, &["timeout_minutes"])]
    {
        check(Wanted { timeout_minutes: Some(minutes), ..none() }, expected);
    }
    check(Wanted { client_id: Some(String::new()), ..none() }, &["client_id"]);
    check(Wanted { client_id: Some("\u{fc}".repeat(255)), ..none() }, &[]);
    check(Wanted { client_id: Some("x".repeat(256)), ..none() }, &["client_id"]);
    check(Wanted { session_type: Some("a b".into()), ..none() }, &["session_type"]);
    let json = |text: &str| crate::base::Json::parse(text).ok();
    check(Wanted { metadata: json("[1]"), ..none() }, &["metadata"]);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(5_000));
    check(Wanted { metadata: json(&large), ..none() }, &["metadata"]);
}
