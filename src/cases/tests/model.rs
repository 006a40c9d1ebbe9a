//! Random operations against a small model: what is in a case, and what a list shows.

use super::Room;
use crate::base::PageRequest;
use crate::base::id::{CaseId, EvidenceId, HypothesisId};
use crate::cases::case::{self, StatusChange};
use crate::cases::{
    CaseFilter, ClosureReason, FullCase, Parts, Stance, Status, access, evidence, hypothesis, list,
    load_full, tag,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Open { described: bool },
    Drop(usize),
    Move(usize, Status),
    Tag(usize, Vec<String>),
    AddEvidence(usize),
    DropEvidence(usize, usize),
    AddHypothesis(usize, Vec<usize>),
    DropHypothesis(usize, usize),
    Archive(usize, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..3usize;
    prop_oneof![
        2 => any::<bool>().prop_map(|described| Op::Open { described }),
        1 => at.clone().prop_map(Op::Drop),
        4 => (at.clone(), prop::sample::select(Status::ALL)).prop_map(|(at, to)| Op::Move(at, to)),
        2 => (at.clone(), prop::collection::vec("[a-d]", 0..4)).prop_map(|(at, t)| Op::Tag(at, t)),
        4 => at.clone().prop_map(Op::AddEvidence),
        2 => (at.clone(), 0..3usize).prop_map(|(at, n)| Op::DropEvidence(at, n)),
        3 => (at.clone(), prop::collection::vec(0..3usize, 0..3))
            .prop_map(|(at, links)| Op::AddHypothesis(at, links)),
        1 => (at.clone(), 0..3usize).prop_map(|(at, n)| Op::DropHypothesis(at, n)),
        1 => (at, any::<bool>()).prop_map(|(at, archived)| Op::Archive(at, archived)),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    case_id: CaseId,
    described: bool,
    status: Status,
    transitions: usize,
    tags: Vec<String>,
    evidence: Vec<EvidenceId>,
    hypotheses: BTreeMap<HypothesisId, Vec<EvidenceId>>,
    archived: bool,
    /// Place in the order of activity.
    active: usize,
}

#[derive(Default)]
struct Model {
    cases: Vec<Case>,
    steps: usize,
}

impl Model {
    fn apply(&mut self, room: &Room, op: &Op) {
        self.steps += 1;
        let steps = self.steps;
        if let Op::Open { described } = op {
            let row = room
                .open_with(&room.ada, |new| {
                    new.description = described.then(|| "text".into());
                    new.tags = Vec::new();
                })
                .unwrap();
            self.cases.push(Case {
                case_id: row.case_id,
                described: *described,
                status: Status::Consulting,
                transitions: 1,
                tags: Vec::new(),
                evidence: Vec::new(),
                hypotheses: BTreeMap::new(),
                archived: false,
                active: steps,
            });
            return;
        }
        let at = match op {
            Op::Open { .. } => return,
            Op::Drop(at)
            | Op::Move(at, _)
            | Op::Tag(at, _)
            | Op::AddEvidence(at)
            | Op::DropEvidence(at, _)
            | Op::AddHypothesis(at, _)
            | Op::DropHypothesis(at, _)
            | Op::Archive(at, _) => *at,
        };
        if at >= self.cases.len() {
            return;
        }
        if matches!(op, Op::Drop(_)) {
            let (case_id, visit, ada) =
                (self.cases.remove(at).case_id, room.visit(), room.ada.clone());
            room.write(move |tx| {
                case::remove(tx, &access::owner(tx, &ada, case_id)?, None, &visit)
            })
            .unwrap();
        } else if self.cases[at].apply(room, op) {
            self.cases[at].active = steps;
        }
    }

    fn assert_equal(&self, room: &Room) {
        let filter = CaseFilter { include_archived: true, ..CaseFilter::default() };
        let page = room
            .db
            .read(|tx| list(tx, &room.ada, &filter, PageRequest { limit: 100, offset: 0 }))
            .unwrap();
        let mut expected: Vec<_> = self.cases.iter().collect();
        expected.sort_by_key(|case| std::cmp::Reverse(case.active));
        let ids: Vec<_> = page.items.iter().map(|row| row.case_id).collect();
        assert_eq!(ids, expected.iter().map(|case| case.case_id).collect::<Vec<_>>());
        let live = room
            .db
            .read(|tx| list(tx, &room.ada, &CaseFilter::default(), PageRequest::default()))
            .unwrap();
        assert_eq!(live.total_count, self.cases.iter().filter(|case| !case.archived).count());
        for case in &self.cases {
            let full = room.db.read(|tx| {
                load_full(tx, &access::reader(tx, &room.ada, case.case_id)?, Parts::ALL)
            });
            case.assert_equal(&full.unwrap());
        }
        room.assert_sound();
    }
}

impl Case {
    /// Does it to the case and here; `false` when it was refused, as it then must be.
    fn apply(&mut self, room: &Room, op: &Op) -> bool {
        let (case_id, now) = (self.case_id, room.tick());
        match op {
            Op::Open { .. } | Op::Drop(_) => false,
            Op::Move(_, to) => self.go(room, *to),
            Op::Tag(_, tags) => {
                let wanted = tags.clone();
                self.tags = room
                    .change(&room.ada, case_id, move |tx, may| tag::replace(tx, may, &wanted, now))
                    .unwrap();
                true
            }
            Op::AddEvidence(_) => {
                let new = super::new_evidence(room.ids.next(now), "x");
                let id = new.evidence_id;
                let added = room
                    .change(&room.ada, case_id, move |tx, may| evidence::add(tx, may, &new, now));
                assert_eq!(added.is_ok(), !self.status.is_terminal());
                self.evidence.extend(added.is_ok().then_some(id));
                added.is_ok()
            }
            Op::DropEvidence(_, n) => {
                let Some(id) = self.evidence.get(*n).copied() else { return false };
                self.evidence.retain(|other| *other != id);
                self.hypotheses.values_mut().for_each(|links| links.retain(|link| *link != id));
                room.change(&room.ada, case_id, move |tx, may| {
                    evidence::remove(tx, may, id, None, now)
                })
                .unwrap();
                true
            }
            Op::AddHypothesis(_, links) => {
                let mut links: Vec<_> =
                    links.iter().filter_map(|n| self.evidence.get(*n).copied()).collect();
                links.sort_unstable();
                links.dedup();
                let stances: Vec<_> = links.iter().map(|id| (*id, Stance::Supports)).collect();
                let row = room.add_hypothesis(case_id, &stances).unwrap();
                self.hypotheses.insert(row.hypothesis_id, links);
                true
            }
            Op::DropHypothesis(_, n) => {
                let Some(id) = self.hypotheses.keys().nth(*n).copied() else { return false };
                self.hypotheses.remove(&id);
                room.change(&room.ada, case_id, move |tx, may| {
                    hypothesis::remove(tx, may, id, None, now)
                })
                .unwrap();
                true
            }
            Op::Archive(_, archived) => {
                let (visit, ada, archived) = (room.visit(), room.ada.clone(), *archived);
                room.write(move |tx| {
                    case::archive(tx, &access::owner(tx, &ada, case_id)?, archived, &visit)
                })
                .unwrap();
                std::mem::replace(&mut self.archived, archived) != archived
            }
        }
    }

    fn go(&mut self, room: &Room, to: Status) -> bool {
        let change = StatusChange {
            to,
            closure_reason: to.is_terminal().then_some(ClosureReason::Other),
            reason: None,
        };
        let visit = room.visit();
        let moved = room.change(&room.ada, self.case_id, move |tx, may| {
            case::change_status(tx, may, None, &change, &visit)
        });
        let legal =
            self.status.next(true).contains(&to) && (to != Status::Investigating || self.described);
        assert_eq!(moved.is_ok(), legal || to == self.status, "{} -> {to}", self.status);
        if legal {
            self.status = to;
            self.transitions += 1;
        }
        legal
    }

    fn assert_equal(&self, full: &FullCase) {
        let found: Vec<_> = full.evidence.iter().flatten().map(|row| row.evidence_id).collect();
        let newest_first: Vec<_> = self.evidence.iter().rev().copied().collect();
        assert_eq!(found, newest_first);
        let found: BTreeMap<_, Vec<_>> = full
            .hypotheses
            .iter()
            .flatten()
            .map(|row| {
                let links = row.evidence_links.iter().map(|link| link.evidence_id).collect();
                (row.hypothesis_id, links)
            })
            .collect();
        assert_eq!(found, self.hypotheses);
        assert_eq!(full.tags, self.tags);
        assert_eq!(full.case.status, self.status);
        assert_eq!(full.case.closed_at.is_some(), self.status.is_terminal());
        assert_eq!(full.case.resolved_at.is_some(), self.status == Status::Resolved);
        assert_eq!(full.case.closure_reason.is_some(), self.status.is_terminal());
        assert_eq!(full.transitions.as_ref().map(Vec::len), Some(self.transitions));
        assert_eq!(full.counts.evidence, self.evidence.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn random_operations_leave_what_the_model_says(
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let (room, mut model) = (Room::new(), Model::default());
        for op in &ops {
            model.apply(&room, op);
        }
        model.assert_equal(&room);
    }
}
