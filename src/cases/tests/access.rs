//! Who may do what, and what of it is recorded.

use super::{Room, new_evidence, told};
use crate::base::{Actor, Class, PageRequest, Role};
use crate::cases::{
    CaseError, CaseFilter, ParticipantRole, Scope, Sort, Status, access, evidence, list,
};
use crate::ops::{audit, event};

/// What an actor gets when asking for each proof: `r`, `w`, `o`, or the code of the refusal.
fn rights(room: &Room, actor: &Actor, case_id: crate::base::id::CaseId) -> Vec<String> {
    let name = |proof: Result<&str, CaseError>| match proof {
        Ok(letter) => letter.to_owned(),
        Err(error) => crate::base::Classify::class(&error).1.to_owned(),
    };
    room.db
        .read(|tx| {
            Ok::<_, CaseError>(vec![
                name(access::reader(tx, actor, case_id).map(|_| "r")),
                name(access::writer(tx, actor, case_id).map(|_| "w")),
                name(access::owner(tx, actor, case_id).map(|_| "o")),
            ])
        })
        .unwrap()
}

#[test]
fn access_is_the_highest_of_what_the_sources_give() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let missing = ["case_missing", "case_missing", "case_missing"];
    assert_eq!(rights(&room, &room.ada, case_id), ["r", "w", "o"]);
    assert_eq!(rights(&room, &room.bob, case_id), missing);
    assert_eq!(rights(&room, &room.root, case_id), ["r", "w", "o"]);
    assert_eq!(rights(&room, &room.anna, case_id), ["r", "case_read_only", "case_read_only"]);
    assert_eq!(rights(&room, &Actor::Anonymous, case_id), missing);
    room.enrol(case_id, &room.bob, ParticipantRole::Viewer);
    assert_eq!(rights(&room, &room.bob, case_id), ["r", "case_read_only", "case_read_only"]);
    room.enrol(case_id, &room.bob, ParticipantRole::Collaborator);
    assert_eq!(rights(&room, &room.bob, case_id), ["r", "w", "case_owner_only"]);
    room.enrol(case_id, &room.anna, ParticipantRole::Collaborator);
    assert_eq!(rights(&room, &room.anna, case_id), ["r", "w", "case_owner_only"]);
}

#[test]
fn access_that_only_a_platform_role_gives_is_operator_access() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let operator = |actor: &Actor| {
        room.db.read(|tx| access::reader(tx, actor, case_id)).unwrap().is_operator()
    };
    assert!(!operator(&room.ada));
    assert!(operator(&room.root) && operator(&room.anna));
    room.enrol(case_id, &room.anna, ParticipantRole::Viewer);
    assert!(!operator(&room.anna), "a participant needs no platform role to read");
    let Actor::User { user_id, .. } = room.ada else { unreachable!() };
    let admin = Actor::User { user_id, roles: vec![Role::Admin], session_id: None };
    assert!(!operator(&admin), "an admin's own case");
}

#[test]
fn a_viewer_cannot_add_evidence_and_a_stranger_sees_nothing() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let add = |actor: &Actor| {
        let now = room.tick();
        let new = new_evidence(room.ids.next(now), "x");
        room.change(actor, case_id, move |tx, may| evidence::add(tx, may, &new, now))
    };
    assert_eq!(told(add(&room.bob)), (Class::Missing, "case_missing"));
    room.enrol(case_id, &room.bob, ParticipantRole::Viewer);
    assert_eq!(told(add(&room.bob)), (Class::Denied, "case_read_only"));
    assert_eq!(told(add(&room.anna)), (Class::Denied, "case_read_only"));
    add(&room.root).unwrap();
}

#[test]
fn what_an_operator_does_is_recorded_in_the_same_commit() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    for actor in [&room.ada, &room.root] {
        let visit = room.visit();
        room.change(actor, case_id, move |tx, may| {
            access::record_operator(tx, may, &visit, event::CASE_UPDATED, "evidence added")
        })
        .unwrap();
    }
    let page = room
        .db
        .read(|tx| audit::of_resource(tx, "case", &case_id.to_string(), PageRequest::default()))
        .unwrap();
    let acts: Vec<_> =
        page.items.iter().map(|row| (row.actor.as_str(), row.event_type.as_str())).collect();
    let (ada, root) = (room.ada.label(), room.root.label());
    assert_eq!(acts, [(root.as_str(), "case_updated"), (ada.as_str(), "case_created")]);
}

#[test]
fn a_list_shows_what_the_actor_may_see_and_nothing_else() {
    let room = Room::new();
    let (a, b) = (room.open(&room.ada, "Alpha"), room.open(&room.ada, "beta"));
    let c = room.open(&room.bob, "Gamma");
    room.enrol(c.case_id, &room.ada, ParticipantRole::Viewer);
    let titles = |actor: &Actor, filter: CaseFilter| {
        let page = room.db.read(|tx| list(tx, actor, &filter, PageRequest::default())).unwrap();
        assert_eq!(page.total_count, page.items.len());
        page.items.into_iter().map(|row| row.title).collect::<Vec<_>>()
    };
    let plain = CaseFilter::default;
    assert_eq!(titles(&room.ada, plain()), ["Gamma", "beta", "Alpha"]);
    assert_eq!(titles(&room.bob, plain()), ["Gamma"]);
    assert_eq!(titles(&room.root, plain()), ["Gamma", "beta", "Alpha"]);
    assert_eq!(titles(&room.root, CaseFilter { scope: Scope::Mine, ..plain() }), [""; 0]);
    assert_eq!(titles(&room.ada, CaseFilter { scope: Scope::Mine, ..plain() }), ["beta", "Alpha"]);
    assert_eq!(titles(&room.ada, CaseFilter { scope: Scope::Shared, ..plain() }), ["Gamma"]);
    assert_eq!(titles(&room.ada, CaseFilter { scope: Scope::Org, ..plain() }), [""; 0]);
    let by_title = CaseFilter { sort: Sort::Title, ascending: true, ..plain() };
    assert_eq!(titles(&room.ada, by_title), ["Alpha", "beta", "Gamma"]);
    assert_eq!(titles(&room.ada, CaseFilter { q: Some("ET".into()), ..plain() }), ["beta"]);
    let tagged = |tag: &str| CaseFilter { tag: Some(tag.into()), ..plain() };
    assert_eq!(titles(&room.bob, tagged("prod")), ["Gamma"]);
    assert_eq!(titles(&room.bob, tagged("pro")), [""; 0]);
    let status = |status| CaseFilter { status: Some(status), ..plain() };
    assert_eq!(titles(&room.root, status(Status::Consulting)).len(), 3);
    assert_eq!(titles(&room.ada, status(Status::Closed)), [""; 0]);
    room.add_evidence(a.case_id, "newest");
    assert_eq!(titles(&room.ada, plain()), ["Alpha", "Gamma", "beta"]);
    archive(&room, b.case_id);
    assert_eq!(titles(&room.ada, CaseFilter { scope: Scope::Mine, ..plain() }), ["Alpha"]);
    let all = CaseFilter { scope: Scope::Mine, include_archived: true, ..plain() };
    assert_eq!(titles(&room.ada, all), ["beta", "Alpha"]);
}

fn archive(room: &Room, case_id: crate::base::id::CaseId) {
    let (visit, ada) = (room.visit(), room.ada.clone());
    room.write(move |tx| {
        let may = access::owner(tx, &ada, case_id)?;
        crate::cases::case::archive(tx, &may, true, &visit)
    })
    .unwrap();
}

#[test]
fn nobody_signed_in_lists_nothing() {
    let room = Room::new();
    let listed = room
        .db
        .read(|tx| list(tx, &Actor::Anonymous, &CaseFilter::default(), PageRequest::default()));
    assert_eq!(told(listed), (Class::Unauthenticated, "unauthenticated"));
}
