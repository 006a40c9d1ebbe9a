//! Every move of every state machine, and what a move leaves behind.

use super::{Room, told, wrong_fields};
use crate::base::{Actor, Json};
use crate::base::{Class, Classify, PageRequest};
use crate::cases::case::{self, CaseChange, StatusChange};
use crate::cases::hypothesis::{self, HypothesisChange};
use crate::cases::solution::{self, SolutionChange};
use crate::cases::tool_call::{self, NewToolCall, Outcome};
use crate::cases::{
    CaseError, CaseRow, ClosureReason, HypothesisStatus, ParticipantRole, SolutionStatus, Stance,
    Status, ToolCallStatus, access, transition,
};

fn go(room: &Room, actor: &Actor, row: &CaseRow, to: Status) -> Result<CaseRow, CaseError> {
    let closure_reason = to.is_terminal().then_some(ClosureReason::Other);
    let change = StatusChange { to, closure_reason, reason: Some(" because ".into()) };
    let visit = room.visit();
    room.change(actor, row.case_id, move |tx, may| {
        case::change_status(tx, may, None, &change, &visit)
    })
}

/// The shortest legal way into a status.
fn way(to: Status) -> &'static [Status] {
    match to {
        Status::Consulting => &[],
        Status::Investigating => &[Status::Investigating],
        Status::Resolved => &[Status::Investigating, Status::Resolved],
        Status::Closed => &[Status::Closed],
    }
}

#[test]
fn a_case_moves_as_ruling_2_says_and_in_no_other_way() {
    use Status::{Closed, Consulting, Investigating, Resolved};
    let legal_for_owner = [
        (Consulting, Investigating),
        (Consulting, Closed),
        (Investigating, Resolved),
        (Investigating, Closed),
        (Resolved, Investigating),
        (Closed, Investigating),
    ];
    let room = Room::new();
    for from in Status::ALL {
        for to in Status::ALL {
            for owner in [true, false] {
                let row = room.open(&room.ada, "case");
                room.enrol(row.case_id, &room.bob, ParticipantRole::Collaborator);
                for step in way(*from) {
                    go(&room, &room.ada, &row, *step).unwrap();
                }
                let actor = if owner { &room.ada } else { &room.bob };
                let result = go(&room, actor, &row, *to).map(|row| row.status);
                let name = format!("{from} -> {to}, owner: {owner}");
                if from == to || legal_for_owner.contains(&(*from, *to)) {
                    if from.is_terminal() && from != to && !owner {
                        assert_eq!(told(result), (Class::Denied, "case_owner_only"), "{name}");
                    } else {
                        assert_eq!(result.ok(), Some(*to), "{name}");
                    }
                } else {
                    assert_eq!(told(result), (Class::Conflict, "case_transition"), "{name}");
                }
            }
        }
    }
    room.assert_sound();
}

#[test]
fn a_refused_move_names_the_legal_ones() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let error = go(&room, &room.ada, &row, Status::Resolved).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a case may not go from consulting to resolved; valid_next_states: investigating, closed"
    );
    let fields = error.fields();
    assert_eq!(fields.first().map(|f| f.field.as_str()), Some("valid_next_states"));
    assert_eq!(fields.first().map(|f| f.message.as_str()), Some("investigating, closed"));
}

#[test]
fn a_closure_reason_is_required_exactly_when_a_case_ends() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let try_it = |to, closure_reason| {
        let visit = room.visit();
        let change = StatusChange { to, closure_reason, reason: None };
        room.change(&room.ada, row.case_id, move |tx, may| {
            case::change_status(tx, may, None, &change, &visit)
        })
    };
    assert_eq!(wrong_fields(try_it(Status::Closed, None)), ["closure_reason"]);
    let early = try_it(Status::Investigating, Some(ClosureReason::Duplicate));
    assert_eq!(wrong_fields(early), ["closure_reason"]);
    let closed = try_it(Status::Closed, Some(ClosureReason::Duplicate)).unwrap();
    assert_eq!(closed.closure_reason, Some(ClosureReason::Duplicate));
}

#[test]
fn an_investigation_needs_a_description_and_keeps_it() {
    let room = Room::new();
    let row = room.open_with(&room.ada, |new| new.description = Some("   ".into())).unwrap();
    assert_eq!(row.description, None);
    assert_eq!(wrong_fields(go(&room, &room.ada, &row, Status::Investigating)), ["description"]);
    let update = |change: CaseChange| {
        let visit = room.visit();
        room.change(&room.ada, row.case_id, move |tx, may| {
            case::update(tx, may, None, &change, &visit)
        })
    };
    let both = CaseChange {
        description: Some(Some("it burns".into())),
        status: Some(StatusChange {
            to: Status::Investigating,
            closure_reason: None,
            reason: None,
        }),
        ..CaseChange::default()
    };
    assert_eq!(update(both).unwrap().status, Status::Investigating);
    let emptied = CaseChange { description: Some(None), ..CaseChange::default() };
    assert_eq!(wrong_fields(update(emptied)), ["description"]);
}

#[test]
fn a_move_is_recorded_and_stamped_in_the_same_commit() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    go(&room, &room.ada, &row, Status::Investigating).unwrap();
    let resolved = go(&room, &room.ada, &row, Status::Resolved).unwrap();
    assert!(resolved.resolved_at.is_some() && resolved.resolved_at == resolved.closed_at);
    let reopened = go(&room, &room.ada, &row, Status::Investigating).unwrap();
    let stamps = (reopened.resolved_at, reopened.closed_at, reopened.closure_reason);
    assert_eq!(stamps, (None, None, None));
    assert_eq!(reopened.version, 4);
    let steps = room
        .db
        .read(|tx| {
            let may = access::reader(tx, &room.ada, row.case_id)?;
            transition::page(tx, &may, PageRequest::default())
        })
        .unwrap();
    let told: Vec<_> = steps
        .items
        .iter()
        .map(|step| (step.from_status, step.to_status, step.reason.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (None, Status::Consulting, None),
            (Some(Status::Consulting), Status::Investigating, Some("because")),
            (Some(Status::Investigating), Status::Resolved, Some("because")),
            (Some(Status::Resolved), Status::Investigating, Some("because")),
        ]
    );
    assert!(steps.items.iter().all(|step| step.triggered_by == room.ada.label()));
}

#[test]
fn only_an_ended_case_is_reopened() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let reopen = || {
        let visit = room.visit();
        room.change(&room.ada, row.case_id, move |tx, may| {
            case::reopen(tx, may, None, None, &visit)
        })
    };
    assert_eq!(told(reopen()), (Class::Conflict, "case_transition"));
    go(&room, &room.ada, &row, Status::Closed).unwrap();
    assert_eq!(reopen().unwrap().status, Status::Investigating);
}

#[test]
fn a_hypothesis_moves_as_ruling_3_says() {
    use HypothesisStatus::{Exploring, Invalidated, Testing, Validated};
    let legal = [(Exploring, Testing), (Testing, Validated), (Testing, Invalidated)];
    let way = |to| match to {
        Exploring => vec![],
        Testing => vec![Testing],
        other => vec![Testing, other],
    };
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    room.enrol(row.case_id, &room.bob, ParticipantRole::Collaborator);
    let go = |actor: &Actor, id, to| {
        let now = room.tick();
        let change = HypothesisChange { status: Some(to), ..HypothesisChange::default() };
        room.change(actor, row.case_id, move |tx, may| {
            hypothesis::update(tx, may, id, None, &change, now)
        })
    };
    for from in HypothesisStatus::ALL.iter().copied() {
        for to in HypothesisStatus::ALL.iter().copied() {
            for owner in [true, false] {
                let id = room.add_hypothesis(row.case_id, &[]).unwrap().hypothesis_id;
                for step in way(from) {
                    go(&room.ada, id, step).unwrap();
                }
                let result = go(if owner { &room.ada } else { &room.bob }, id, to);
                let name = format!("{from} -> {to}, owner: {owner}");
                if from == to || legal.contains(&(from, to)) || (to == Exploring && owner) {
                    let row = result.unwrap();
                    let concluded = matches!(to, Validated | Invalidated);
                    assert_eq!((row.status, row.concluded_at.is_some()), (to, concluded), "{name}");
                } else if to == Exploring {
                    assert_eq!(told(result), (Class::Denied, "case_owner_only"), "{name}");
                } else {
                    assert_eq!(told(result), (Class::Conflict, "hypothesis_transition"), "{name}");
                }
            }
        }
    }
}

#[test]
fn a_solution_moves_as_ruling_3_says() {
    use SolutionStatus::{Applied, Applying, Failed, Proposed};
    let legal = [(Proposed, Applying), (Applying, Applied), (Applying, Failed), (Failed, Proposed)];
    let way = |to| match to {
        Proposed => vec![],
        Applying => vec![Applying],
        other => vec![Applying, other],
    };
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let go = |id, to| {
        let now = room.tick();
        let change = SolutionChange { status: Some(to), ..SolutionChange::default() };
        room.change(&room.ada, row.case_id, move |tx, may| {
            solution::update(tx, may, id, None, &change, now)
        })
    };
    for from in SolutionStatus::ALL.iter().copied() {
        for to in SolutionStatus::ALL.iter().copied() {
            let id = room.add_solution(row.case_id).solution_id;
            for step in way(from) {
                go(id, step).unwrap();
            }
            let (result, name) = (go(id, to), format!("{from} -> {to}"));
            if from == to || legal.contains(&(from, to)) {
                let row = result.unwrap();
                assert_eq!((row.status, row.applied_at.is_some()), (to, to == Applied), "{name}");
            } else {
                assert_eq!(told(result), (Class::Conflict, "solution_transition"), "{name}");
            }
        }
    }
}

#[test]
fn a_finished_tool_call_stays_as_it_is() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let outcome =
        |status| Outcome { status, tool_output: None, error_message: None, duration_ms: None };
    let now = room.tick();
    let new = NewToolCall {
        call_id: room.ids.next(now),
        tool_name: "search".into(),
        tool_input: Json::parse(r#"{"q":"502"}"#).unwrap(),
        outcome: outcome(ToolCallStatus::Pending),
        metadata: None,
    };
    let call_id = new.call_id;
    room.change(&room.ada, row.case_id, move |tx, may| tool_call::add(tx, may, &new, now)).unwrap();
    let go = |status, later_ms| {
        let (now, outcome) = (now.plus_ms(later_ms), outcome(status));
        room.change(&room.ada, row.case_id, move |tx, may| {
            tool_call::progress(tx, may, call_id, None, &outcome, now)
        })
    };
    go(ToolCallStatus::Running, 10).unwrap();
    let done = go(ToolCallStatus::Success, 250).unwrap();
    assert_eq!((done.duration_ms, done.completed_at), (Some(250), Some(now.plus_ms(250))));
    for status in ToolCallStatus::ALL {
        let refused = told(go(*status, 300));
        assert_eq!(refused, (Class::Conflict, "tool_call_transition"), "{status}");
    }
}

#[test]
fn evidence_moves_the_confidence_as_reference_facts_1_5_say() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let evidence: Vec<_> = (0..4).map(|_| room.add_evidence(case_id, "line").evidence_id).collect();
    let check = |stances: &[Stance], likelihood: f64, suggested: Option<HypothesisStatus>| {
        let links: Vec<_> = evidence.iter().copied().zip(stances.iter().copied()).collect();
        let found = room.add_hypothesis(case_id, &links).unwrap().confidence();
        assert_eq!(
            (found.likelihood, found.suggested_status),
            (likelihood, suggested),
            "{stances:?}"
        );
    };
    use Stance::{Contradicts, Neutral, StronglyContradicts, StronglySupports, Supports};
    check(&[], 0.5, None);
    check(&[Supports], 0.65, None);
    check(&[Supports, StronglySupports], 0.8, Some(HypothesisStatus::Validated));
    check(&[Supports, Supports, Contradicts], 0.6, None);
    check(&[Contradicts, StronglyContradicts], 0.1, Some(HypothesisStatus::Invalidated));
    check(&[Supports, Supports, Supports, Supports], 1.0, Some(HypothesisStatus::Validated));
    check(&[Neutral, Neutral], 0.5, None);
}
