//! How a case looks on the wire: both the seed's names and those of contract 2.0.

use crate::base::id::{CaseId, UserId};
use crate::base::{Json, Time};
use crate::cases::access::Reader;
use crate::cases::{
    CaseRow, ClosureReason, ContextRow, Counts, MILESTONES_TOTAL, Milestone, OrgId,
    ParticipantRole, Priority, STUCK_TURNS, Status, Strategy, TeamId,
};
use serde::Serialize;

/// A case as lists show it.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseSummary {
    /// The case.
    case_id: CaseId,
    /// Its owner.
    user_id: UserId,
    /// The organisation it belongs to.
    org_id: Option<OrgId>,
    /// The organisation it belongs to, in the words of contract 2.0.
    organization_id: Option<OrgId>,
    /// The team it is assigned to.
    team_id: Option<TeamId>,
    /// The teams that see it, in the words of contract 2.0.
    shared_team_ids: Vec<TeamId>,
    /// Title.
    title: String,
    /// What is wrong.
    description: Option<String>,
    /// Where it stands.
    status: Status,
    /// Where it stands in the words of contract 2.0: `inquiry` for consulting.
    state: &'static str,
    /// Where the caller may move it.
    valid_next_states: Vec<Status>,
    /// Whether it has ended.
    is_terminal: bool,
    /// Why it ended.
    closure_reason: Option<ClosureReason>,
    /// How urgent it is.
    priority: Priority,
    /// Tags, in alphabetical order.
    tags: Vec<String>,
    /// What the caller is in this case.
    access_role: ParticipantRole,
    /// Number of the last turn of the conversation.
    current_turn: u32,
    /// Turns since something was learnt.
    turns_without_progress: u32,
    /// Whether those are three or more.
    is_stuck: bool,
    /// `diagnosis`, `mitigation` or `treatment` while it is investigated.
    stage: Option<&'static str>,
    /// Milestones that are reached.
    milestones_completed: Vec<Milestone>,
    /// Milestones there are.
    total_milestones: usize,
    /// When it was opened.
    created_at: Time,
    /// When its own fields last changed.
    updated_at: Time,
    /// When anything in it last changed.
    last_activity_at: Time,
    /// When it was resolved.
    resolved_at: Option<Time>,
    /// When it ended.
    closed_at: Option<Time>,
    /// When it was put away.
    archived_at: Option<Time>,
    /// Version, as in `ETag`.
    version: u64,
}

impl CaseSummary {
    /// A case as its reader sees it.
    pub(super) fn of(row: CaseRow, tags: Vec<String>, may: &Reader) -> Self {
        let owner = may.role() == ParticipantRole::Owner;
        Self {
            case_id: row.case_id,
            user_id: row.user_id,
            org_id: row.org_id,
            organization_id: row.org_id,
            team_id: row.team_id,
            shared_team_ids: row.team_id.into_iter().collect(),
            valid_next_states: match may.role() {
                ParticipantRole::Viewer => Vec::new(),
                _ => row.status.next(owner).to_vec(),
            },
            status: row.status,
            state: row.status.state(),
            is_terminal: row.status.is_terminal(),
            closure_reason: row.closure_reason,
            priority: row.priority,
            tags,
            access_role: may.role(),
            current_turn: row.current_turn,
            turns_without_progress: row.turns_without_progress,
            is_stuck: row.turns_without_progress >= STUCK_TURNS,
            stage: row.milestones.contract_stage(row.status),
            milestones_completed: row.milestones.completed(),
            total_milestones: MILESTONES_TOTAL,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_activity_at: row.last_activity_at,
            resolved_at: row.resolved_at,
            closed_at: row.closed_at,
            archived_at: row.archived_at,
            version: row.version,
            title: row.title,
            description: row.description,
        }
    }
}

/// A case as it is shown alone.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseDetail {
    #[serde(flatten)]
    summary: CaseSummary,
    /// Phase of the investigation in the agent's words.
    current_phase: Option<String>,
    /// How it is led.
    investigation_strategy: Strategy,
    /// Stage that follows from the milestones.
    current_stage: &'static str,
    /// Milestones that are not reached.
    pending_milestones: Vec<Milestone>,
    /// Share of milestones reached, in percent.
    completion_percentage: f64,
    /// Whether the agent works with less than it needs.
    degraded_mode_active: bool,
    /// Whether it was handed to somebody.
    escalated: bool,
    /// Pieces of evidence.
    evidence_count: usize,
    /// Hypotheses.
    hypothesis_count: usize,
    /// Solutions.
    solution_count: usize,
    /// Messages.
    message_count: usize,
    /// Uploaded files.
    file_count: usize,
    /// Milestones and their confidence.
    investigation_progress: Option<Json>,
    /// What was said before investigating.
    consulting_data: Option<Json>,
    /// Symptoms and scope.
    problem_verification: Option<Json>,
    /// What is thought now.
    working_conclusion: Option<Json>,
    /// What it was.
    root_cause_conclusion: Option<Json>,
    /// What does not work for the agent.
    degraded_mode: Option<Json>,
    /// To whom it was handed.
    escalation_state: Option<Json>,
    /// What was written for later.
    documentation_data: Option<Json>,
    /// Which way was taken and why.
    path_selection: Option<Json>,
    /// State of each turn.
    turn_progress: Option<Json>,
    /// Anything a client keeps with it.
    metadata: Option<Json>,
}

impl CaseDetail {
    /// A case as its reader sees it.
    pub(super) fn of(
        row: CaseRow,
        context: ContextRow,
        tags: Vec<String>,
        counts: Counts,
        may: &Reader,
    ) -> Self {
        Self {
            current_phase: row.current_phase.clone(),
            investigation_strategy: row.investigation_strategy,
            current_stage: row.milestones.stage(),
            pending_milestones: row.milestones.pending(),
            completion_percentage: row.milestones.completion_percentage(),
            degraded_mode_active: row.degraded_mode_active,
            escalated: row.escalated,
            evidence_count: counts.evidence,
            hypothesis_count: counts.hypotheses,
            solution_count: counts.solutions,
            message_count: counts.messages,
            file_count: counts.files,
            investigation_progress: context.investigation_progress,
            consulting_data: context.consulting_data,
            problem_verification: context.problem_verification,
            working_conclusion: context.working_conclusion,
            root_cause_conclusion: context.root_cause_conclusion,
            degraded_mode: context.degraded_mode,
            escalation_state: context.escalation_state,
            documentation_data: context.documentation_data,
            path_selection: context.path_selection,
            turn_progress: context.turn_progress,
            metadata: context.metadata,
            summary: CaseSummary::of(row, tags, may),
        }
    }
}
