//! The rules of reports against a store in memory, their texts, and their routes.

mod rules;
mod text;
mod wire;

use super::compose::compose;
use super::facts::Facts;
use super::jobs::Stored;
use super::report::{Planned, Written, shelve};
use super::{
    Filter, KEPT_MS, Order, ReportChange, ReportError, ReportRow, ReportStatus, ReportType,
};
use crate::base::id::{CaseId, JobId, ReportId, UserId};
use crate::base::{Actor, Class, Classify, Ids, Json, Role, Time};
use crate::cases::access::{self, Visit, Writer};
use crate::cases::case::{self, CaseChange, ContextChange, NewCase, StatusChange};
use crate::cases::evidence::{self, NewEvidence};
use crate::cases::file::{self, Finished, NewFile};
use crate::cases::hypothesis::{self, HypothesisChange, NewHypothesis, NewLink};
use crate::cases::message::{self, NewMessage};
use crate::cases::solution::{self, NewSolution, SolutionChange};
use crate::cases::{
    CaseError, Category, ClosureReason, EvidenceCategory, EvidenceForm, EvidenceSource, FileSource,
    HypothesisCategory, HypothesisStatus, MessageRole, Priority, SolutionStatus, Stance, Status,
};
use crate::engine::db::{Db, DbError, Schema, View, Write};
use crate::privacy::Policy;

/// 2026-11-23T10:00:00Z.
const START: Time = Time::from_unix_us(1_795_428_000_000_000);
const MINUTE: i64 = 60_000;

fn schema() -> Schema {
    let below = crate::web::schema(crate::ops::schema(Schema::new()));
    super::schema(crate::cases::schema(crate::jobs::schema(below)))
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// A store with one case of Ada's.
struct Bed {
    db: Db,
    ids: Ids,
    ada: UserId,
    case_id: CaseId,
}

impl Bed {
    fn new(title: &str, description: &str) -> Self {
        let ids = Ids::seeded(7);
        let db = Db::in_memory(schema()).unwrap();
        let bed = Self { db, ada: ids.next(START), case_id: ids.next(START), ids };
        let new = NewCase {
            case_id: bed.case_id,
            title: Some(title.into()),
            description: Some(description.into()),
            priority: Priority::High,
            tags: vec!["payments".into(), "db".into()],
            metadata: None,
        };
        let (actor, visit) = (bed.actor(), bed.visit(START));
        let made: Result<_, CaseError> =
            bed.commit(move |tx| case::create(tx, &actor, &new, &visit));
        made.unwrap();
        bed
    }

    /// A case that is being investigated since a minute after it was opened.
    fn investigated() -> Self {
        let bed = Self::new("Checkout fails", "Payments time out for a third of the users.");
        bed.go(Status::Investigating, None, bed.at(1));
        bed
    }

    fn at(&self, minutes: i64) -> Time {
        START.plus_ms(minutes * MINUTE)
    }

    fn actor(&self) -> Actor {
        Actor::User { user_id: self.ada, roles: vec![Role::User], session_id: None }
    }

    fn visit(&self, now: Time) -> Visit {
        Visit { now, event_id: self.ids.next(now), address: None }
    }

    /// Writes on a thread of its own: a runtime's thread may not wait for the writer.
    fn commit<T, E>(
        &self,
        body: impl Fn(&Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        std::thread::scope(|s| s.spawn(|| self.db.write_blocking(body)).join().unwrap())
    }

    /// Writes as Ada.
    fn write<T, E>(
        &self,
        body: impl Fn(&Write<'_>, &Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CaseError> + From<DbError> + Send + 'static,
    {
        let (actor, case_id) = (self.actor(), self.case_id);
        self.commit(move |tx| body(tx, &access::writer(tx, &actor, case_id)?))
    }

    fn go(&self, to: Status, closure_reason: Option<ClosureReason>, now: Time) {
        let (visit, change) = (self.visit(now), StatusChange { to, closure_reason, reason: None });
        let gone: Result<_, CaseError> =
            self.write(move |tx, may| case::change_status(tx, may, None, &change, &visit));
        gone.unwrap();
    }

    fn context(&self, context: ContextChange, now: Time) {
        let (visit, change) = (self.visit(now), CaseChange { context, ..CaseChange::default() });
        let changed: Result<_, CaseError> =
            self.write(move |tx, may| case::update(tx, may, None, &change, &visit));
        changed.unwrap();
    }

    fn facts(&self, now: Time) -> Facts {
        let (actor, case_id) = (self.actor(), self.case_id);
        let facts = self.db.read(|tx| -> Result<_, CaseError> {
            Facts::gather(tx, &access::reader(tx, &actor, case_id)?, now)
        });
        let mut facts = facts.unwrap();
        facts.redact(&Policy::default());
        facts
    }

    fn composed(&self, report_type: ReportType, now: Time) -> Written {
        let planned = Planned { report_id: self.ids.next(now), report_type };
        compose(planned, &self.facts(now), None)
    }

    /// Stores what a job would store; answers the row.
    fn generate(&self, report_type: ReportType, now: Time) -> ReportRow {
        self.store(self.composed(report_type, now), now)
    }

    fn store(&self, written: Written, now: Time) -> ReportRow {
        let job_id: JobId = self.ids.next(now);
        let stored: Result<_, ReportError> =
            self.write(move |tx, may| shelve(tx, may, job_id, &written, "ada", now));
        stored.unwrap().row
    }

    /// `(version, is_current)` of what a list answers, newest first.
    fn listed(&self, filter: Filter, now: Time) -> Vec<(u64, bool)> {
        let (actor, case_id) = (self.actor(), self.case_id);
        let listed = self.db.read(|tx| -> Result<_, ReportError> {
            super::list(tx, &access::reader(tx, &actor, case_id)?, filter, now)
        });
        listed.unwrap().iter().map(|report| (report.row.version, report.is_current)).collect()
    }
}

const ALL: Filter = Filter { report_type: None, include_history: true };
