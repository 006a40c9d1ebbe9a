//! The case itself, its JSON context, and what is said about it: transitions, tags, participants.

use super::milestones::Milestones;
use super::words::{ClosureReason, ParticipantRole, Priority, Status, Strategy};
use crate::base::id::{CaseId, EventId, Kind, UserId};
use crate::base::{Id, Json, Time};
use crate::engine::db::{Index, Parent, Row, key};
use serde::{Deserialize, Serialize};

/// An organisation.
#[derive(Debug)]
pub struct Org;
impl Kind for Org {
    const PREFIX: &'static str = "org";
}
/// An organisation.
pub type OrgId = Id<Org>;

/// A team.
#[derive(Debug)]
pub struct Team;
impl Kind for Team {
    const PREFIX: &'static str = "team";
}
/// A team.
pub type TeamId = Id<Team>;

/// A case without its JSON context, so that lists read small rows. About 400 bytes; one per
/// investigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseRow {
    /// The case.
    pub case_id: CaseId,
    /// Its owner.
    pub user_id: UserId,
    /// The organisation it belongs to.
    pub org_id: Option<OrgId>,
    /// The team it is assigned to.
    pub team_id: Option<TeamId>,
    /// Title.
    pub title: String,
    /// What is wrong; required from `investigating` on.
    pub description: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Why it ended; present exactly when it has.
    pub closure_reason: Option<ClosureReason>,
    /// How urgent it is.
    pub priority: Priority,
    /// Phase of the investigation in the agent's words.
    pub current_phase: Option<String>,
    /// How it is led.
    pub investigation_strategy: Strategy,
    /// Number of the last turn of the conversation, 0 before the first.
    pub current_turn: u32,
    /// Turns since something was learnt.
    pub turns_without_progress: u32,
    /// Milestones reached, read from `investigation_progress`.
    pub milestones: Milestones,
    /// Whether `degraded_mode` says so.
    pub degraded_mode_active: bool,
    /// Whether `escalation_state` says so.
    pub escalated: bool,
    /// When it was opened.
    pub created_at: Time,
    /// When its own fields last changed.
    pub updated_at: Time,
    /// When anything in it last changed.
    pub last_activity_at: Time,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// When it ended, resolved or not; retention downstream starts here.
    pub closed_at: Option<Time>,
    /// When it was put away; such cases are left out of lists unless asked for.
    pub archived_at: Option<Time>,
    /// Version of the case's own fields, for `If-Match`.
    pub version: u64,
}

/// `(owner, archived, last activity first)`: a person's list.
pub(in crate::cases) const OWNED: Index<CaseRow> = Index::many("cases_by_owner", |c| {
    let archived = u8::from(c.archived_at.is_some());
    Some(key().id(&c.user_id).u8(archived).time_desc(c.last_activity_at))
});
/// `(owner, status, archived, last activity first)`: a person's list by status.
pub(in crate::cases) const OWNED_BY_STATUS: Index<CaseRow> =
    Index::many("cases_by_owner_status", |c| {
        let archived = u8::from(c.archived_at.is_some());
        let key = key().id(&c.user_id).u8(c.status.place()).u8(archived);
        Some(key.time_desc(c.last_activity_at))
    });
/// `(archived, last activity first)`: an operator's list.
pub(in crate::cases) const LATEST: Index<CaseRow> = Index::many("cases_by_activity", |c| {
    Some(key().u8(u8::from(c.archived_at.is_some())).time_desc(c.last_activity_at))
});
/// `(status, archived, last activity first)`: an operator's list by status.
pub(in crate::cases) const LATEST_BY_STATUS: Index<CaseRow> = Index::many("cases_by_status", |c| {
    let key = key().u8(c.status.place()).u8(u8::from(c.archived_at.is_some()));
    Some(key.time_desc(c.last_activity_at))
});
/// `(owner, opened)`: numbers the titles of a day.
pub(in crate::cases) const OPENED: Index<CaseRow> =
    Index::many("cases_by_owner_opened", |c| Some(key().id(&c.user_id).time(c.created_at)));

impl Row for CaseRow {
    type Key = CaseId;
    const TABLE: &'static str = "cases";
    const INDEXES: &'static [Index<Self>] =
        &[OWNED, OWNED_BY_STATUS, LATEST, LATEST_BY_STATUS, OPENED];

    fn key(&self) -> CaseId {
        self.case_id
    }
}

/// The JSON columns of a case (seed 3.2); up to 256 KiB each, usually a few KiB together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextRow {
    /// The case.
    pub case_id: CaseId,
    /// Milestones and their confidence.
    pub investigation_progress: Option<Json>,
    /// What was said before investigating.
    pub consulting_data: Option<Json>,
    /// Symptoms and scope.
    pub problem_verification: Option<Json>,
    /// What is thought now.
    pub working_conclusion: Option<Json>,
    /// What it was.
    pub root_cause_conclusion: Option<Json>,
    /// What does not work for the agent.
    pub degraded_mode: Option<Json>,
    /// To whom it was handed.
    pub escalation_state: Option<Json>,
    /// What was written for later.
    pub documentation_data: Option<Json>,
    /// Which way was taken and why.
    pub path_selection: Option<Json>,
    /// State of each turn.
    pub turn_progress: Option<Json>,
    /// Anything a client wants to keep with the case.
    pub metadata: Option<Json>,
}

impl ContextRow {
    /// The context of a case about which nothing is known yet.
    pub(in crate::cases) const fn empty(case_id: CaseId) -> Self {
        Self {
            case_id,
            investigation_progress: None,
            consulting_data: None,
            problem_verification: None,
            working_conclusion: None,
            root_cause_conclusion: None,
            degraded_mode: None,
            escalation_state: None,
            documentation_data: None,
            path_selection: None,
            turn_progress: None,
            metadata: None,
        }
    }
}

const CONTEXT_BY_CASE: Index<ContextRow> =
    Index::many("case_contexts_by_case", |c| Some(key().id(&c.case_id)));

impl Row for ContextRow {
    type Key = CaseId;
    const TABLE: &'static str = "case_contexts";
    const INDEXES: &'static [Index<Self>] = &[CONTEXT_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(CONTEXT_BY_CASE, |c| Some(key().id(&c.case_id)))];

    fn key(&self) -> CaseId {
        self.case_id
    }
}

/// One change of a case's status; never altered. About 120 bytes, a handful per case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitionRow {
    /// The event, the same as in the audit trail.
    pub transition_id: EventId,
    /// The case.
    pub case_id: CaseId,
    /// Status before; absent for the opening.
    pub from_status: Option<Status>,
    /// Status after.
    pub to_status: Status,
    /// Closure reason given with it.
    pub closure_reason: Option<ClosureReason>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// Who: a user id, or `system:` and the part that did it.
    pub triggered_by: String,
    /// When.
    pub transitioned_at: Time,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// `(case)`, in the order they happened.
pub(in crate::cases) const TRANSITIONS_BY_CASE: Index<TransitionRow> =
    Index::many("case_status_transitions_by_case", |t| Some(key().id(&t.case_id)));

impl Row for TransitionRow {
    type Key = EventId;
    const TABLE: &'static str = "case_status_transitions";
    const INDEXES: &'static [Index<Self>] = &[TRANSITIONS_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(TRANSITIONS_BY_CASE, |t| Some(key().id(&t.case_id)))];

    fn key(&self) -> EventId {
        self.transition_id
    }
}

/// One tag of a case. About 60 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagRow {
    /// The case.
    pub case_id: CaseId,
    /// The tag.
    pub tag: String,
    /// When it was set.
    pub created_at: Time,
}

/// `(case, tag)`: the tags of a case in alphabetical order.
pub(in crate::cases) const TAGS_BY_CASE: Index<TagRow> =
    Index::many("case_tags_by_case", |t| Some(key().id(&t.case_id)));

impl Row for TagRow {
    type Key = (CaseId, String);
    const TABLE: &'static str = "case_tags";
    const INDEXES: &'static [Index<Self>] = &[TAGS_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(TAGS_BY_CASE, |t| Some(key().id(&t.case_id)))];

    fn key(&self) -> (CaseId, String) {
        (self.case_id, self.tag.clone())
    }
}

/// One person who takes part in a case; the owner is one of them. About 80 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParticipantRow {
    /// The case.
    pub case_id: CaseId,
    /// The person.
    pub user_id: UserId,
    /// What the person may do.
    pub role: ParticipantRole,
    /// Since when.
    pub added_at: Time,
    /// By whom.
    pub added_by: Option<UserId>,
    /// When the person last looked.
    pub last_accessed_at: Option<Time>,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// `(case)`: who takes part.
pub(in crate::cases) const PARTICIPANTS_BY_CASE: Index<ParticipantRow> =
    Index::many("case_participants_by_case", |p| Some(key().id(&p.case_id)));
/// `(person)`: cases of others in which the person takes part.
pub(in crate::cases) const SHARED_WITH: Index<ParticipantRow> =
    Index::many("case_participants_by_user", |p| {
        (p.role != ParticipantRole::Owner).then(|| key().id(&p.user_id))
    });

impl Row for ParticipantRow {
    type Key = (CaseId, UserId);
    const TABLE: &'static str = "case_participants";
    const INDEXES: &'static [Index<Self>] = &[PARTICIPANTS_BY_CASE, SHARED_WITH];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(PARTICIPANTS_BY_CASE, |p| Some(key().id(&p.case_id)))];

    fn key(&self) -> (CaseId, UserId) {
        (self.case_id, self.user_id)
    }
}
