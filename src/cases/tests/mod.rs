//! The rules of the room against a store in memory.

mod access;
mod content;
mod machines;
mod model;
mod wire;

use super::access::{Visit, Writer};
use super::case::{self, NewCase};
use super::evidence::{self, NewEvidence};
use super::hypothesis::{self, NewHypothesis, NewLink};
use super::solution::{self, NewSolution};
use super::{
    CaseError, CaseRow, Category, EvidenceForm, EvidenceRow, EvidenceSource, HypothesisCategory,
    HypothesisRow, ParticipantRole, ParticipantRow, Priority, SolutionRow, Stance,
};
use crate::base::id::{CaseId, EvidenceId, UserId};
use crate::base::{Actor, Class, Classify, Ids, Role, Time};
use crate::engine::db::{Db, DbError, Schema, Write};
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-03-04T05:06:07Z.
const START: Time = Time::from_unix_us(1_772_600_767_000_000);

fn schema() -> Schema {
    super::schema(crate::ops::schema(crate::web::schema(Schema::new())))
}

/// A store with a few people and a hand-moved instant.
struct Room {
    db: Db,
    ids: Ids,
    ticks: AtomicI64,
    ada: Actor,
    bob: Actor,
    root: Actor,
    anna: Actor,
}

impl Room {
    fn new() -> Self {
        let ids = Ids::seeded(42);
        let person = |roles: &[Role]| Actor::User {
            user_id: ids.next(START),
            roles: roles.to_vec(),
            session_id: None,
        };
        Self {
            db: Db::in_memory(schema()).unwrap(),
            ada: person(&[Role::User]),
            bob: person(&[Role::User]),
            root: person(&[Role::Admin]),
            anna: person(&[Role::Analyst]),
            ticks: AtomicI64::new(0),
            ids,
        }
    }

    /// The next millisecond.
    fn tick(&self) -> Time {
        START.plus_ms(self.ticks.fetch_add(1, Ordering::SeqCst))
    }

    fn visit(&self) -> Visit {
        let now = self.tick();
        Visit { now, event_id: self.ids.next(now), address: Some("192.0.2.1".into()) }
    }

    fn write<T: Send + 'static>(
        &self,
        body: impl Fn(&Write<'_>) -> Result<T, CaseError> + Send + 'static,
    ) -> Result<T, CaseError> {
        // On a thread of its own, because tests of routes call this from within a runtime.
        std::thread::scope(|scope| scope.spawn(|| self.db.write_blocking(body)).join().unwrap())
    }

    fn open(&self, actor: &Actor, title: &str) -> CaseRow {
        self.open_with(actor, |new| new.title = Some(title.into())).unwrap()
    }

    fn open_with(
        &self,
        actor: &Actor,
        change: impl FnOnce(&mut NewCase),
    ) -> Result<CaseRow, CaseError> {
        let (visit, actor) = (self.visit(), actor.clone());
        let mut new = NewCase {
            case_id: self.ids.next(visit.now),
            title: None,
            description: Some("checkout answers 502".into()),
            priority: Priority::High,
            tags: vec!["prod".into()],
            metadata: None,
        };
        change(&mut new);
        self.write(move |tx| case::create(tx, &actor, &new, &visit))
    }

    /// Lets a person take part in a case.
    fn enrol(&self, case_id: CaseId, user: &Actor, role: ParticipantRole) {
        let row = ParticipantRow {
            case_id,
            user_id: user_of(user),
            role,
            added_at: self.tick(),
            added_by: None,
            last_accessed_at: None,
            metadata: None,
        };
        self.write(move |tx| Ok(tx.put(&row)?)).unwrap();
    }

    /// Changes a case as `actor` may.
    fn change<T: Send + 'static>(
        &self,
        actor: &Actor,
        case_id: CaseId,
        body: impl Fn(&Write<'_>, &Writer) -> Result<T, CaseError> + Send + 'static,
    ) -> Result<T, CaseError> {
        let actor = actor.clone();
        self.write(move |tx| body(tx, &super::access::writer(tx, &actor, case_id)?))
    }

    fn add_evidence(&self, case_id: CaseId, content: &str) -> EvidenceRow {
        let now = self.tick();
        let new = new_evidence(self.ids.next(now), content);
        self.change(&self.ada, case_id, move |tx, may| evidence::add(tx, may, &new, now)).unwrap()
    }

    fn add_hypothesis(
        &self,
        case_id: CaseId,
        links: &[(EvidenceId, Stance)],
    ) -> Result<HypothesisRow, CaseError> {
        let now = self.tick();
        let new = NewHypothesis {
            hypothesis_id: self.ids.next(now),
            description: "the pool is exhausted".into(),
            category: HypothesisCategory::Config,
            confidence_level: None,
            likelihood: 0.5,
            reasoning: None,
            evidence_links: links
                .iter()
                .map(|(evidence_id, stance)| NewLink {
                    evidence_id: *evidence_id,
                    stance: *stance,
                    reasoning: None,
                    completeness: None,
                })
                .collect(),
            metadata: None,
        };
        self.change(&self.ada, case_id, move |tx, may| hypothesis::add(tx, may, &new, now))
    }

    fn add_solution(&self, case_id: CaseId) -> SolutionRow {
        let now = self.tick();
        let new = NewSolution {
            solution_id: self.ids.next(now),
            title: None,
            description: "raise the pool size".into(),
            category: Category::Fix,
            linked_hypothesis_id: None,
            steps: None,
            verification_criteria: None,
            metadata: None,
        };
        self.change(&self.ada, case_id, move |tx, may| solution::add(tx, may, &new, now)).unwrap()
    }

    fn assert_sound(&self) {
        assert_eq!(self.db.check().unwrap(), []);
    }
}

fn new_evidence(evidence_id: EvidenceId, content: &str) -> NewEvidence {
    NewEvidence {
        evidence_id,
        content: content.into(),
        source_type: EvidenceSource::LogFile,
        form: EvidenceForm::Document,
        category: None,
        raw_artifact_s3_key: None,
        preprocessed_summary: None,
        classification_dimensions: None,
        data_type: None,
        source_file_id: None,
        key_insights: Vec::new(),
        pii_detected: false,
        secrets_detected: false,
        metadata: None,
    }
}

fn user_of(actor: &Actor) -> UserId {
    actor.user_id().unwrap()
}

/// Class and code of a refusal.
fn told<T: std::fmt::Debug>(result: Result<T, CaseError>) -> (Class, &'static str) {
    result.unwrap_err().class()
}

/// Fields of a refusal.
fn wrong_fields<T: std::fmt::Debug>(result: Result<T, CaseError>) -> Vec<String> {
    result.unwrap_err().fields().into_iter().map(|field| field.field).collect()
}

#[test]
fn storage_faults_keep_their_class() {
    let fault = CaseError::from(DbError::Closed);
    assert_eq!(fault.class(), (Class::Unavailable, "shutting_down"));
}
