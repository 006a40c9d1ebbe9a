//! How the parts of a case look on the wire.

use super::evidence::EvidenceBody;
use super::hypothesis::HypothesisBody;
use super::solution::SolutionBody;
use super::view::CaseDetail;
use crate::base::Json;
use crate::base::Time;
use crate::base::id::{CaseId, EventId, FileId, MessageId, ToolCallId, UserId};
use crate::cases::access::Reader;
use crate::cases::{
    ClosureReason, FileRow, FileSource, FullCase, MessageKind, MessageRole, MessageRow,
    ParticipantRole, ParticipantRow, ProcessingStatus, Status, ToolCallRow, ToolCallStatus,
    TransitionRow,
};
use serde::Serialize;
use std::fmt::Write as _;

/// A case with the parts that were asked for; a part holds at most 1000 entries.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseFull {
    #[serde(flatten)]
    detail: CaseDetail,
    /// Evidence, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Vec<EvidenceBody>>,
    /// Hypotheses, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    hypotheses: Option<Vec<HypothesisBody>>,
    /// Solutions, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    solutions: Option<Vec<SolutionBody>>,
    /// Messages, in the order said.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<MessageBody>>,
    /// The same as an agent's history; the seed's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_history: Option<Vec<HistoryEntry>>,
    /// Files, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<CaseFile>>,
    /// Status transitions, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    transitions: Option<Vec<TransitionBody>>,
    /// Tool calls, in the order made.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<ToolCallBody>>,
    /// Participants.
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<ParticipantBody>>,
}

impl CaseFull {
    /// A full load as its reader sees it.
    pub(super) fn of(full: FullCase, may: &Reader) -> Self {
        let history =
            full.messages.as_ref().map(|messages| messages.iter().map(HistoryEntry::of).collect());
        Self {
            detail: CaseDetail::of(full.case, full.context, full.tags, full.counts, may),
            evidence: all(full.evidence, EvidenceBody::of),
            hypotheses: all(full.hypotheses, |row| HypothesisBody::of(row, may)),
            solutions: all(full.solutions, |row| SolutionBody::of(row, may)),
            messages: all(full.messages, MessageBody::of),
            conversation_history: history,
            files: all(full.files, CaseFile::of),
            transitions: all(full.transitions, TransitionBody::of),
            tool_calls: all(full.tool_calls, ToolCallBody::of),
            participants: all(full.participants, ParticipantBody::of),
        }
    }
}

fn all<R, B>(rows: Option<Vec<R>>, body: impl FnMut(R) -> B) -> Option<Vec<B>> {
    rows.map(|rows| rows.into_iter().map(body).collect())
}

/// One message as an agent's history has it.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct HistoryEntry {
    /// Who speaks.
    role: MessageRole,
    /// What is said.
    content: String,
    /// When.
    timestamp: Time,
}

impl HistoryEntry {
    fn of(row: &MessageRow) -> Self {
        Self { role: row.role, content: row.content.clone(), timestamp: row.created_at }
    }
}

/// A message.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct MessageBody {
    /// The message.
    pub(super) message_id: MessageId,
    /// The case.
    case_id: CaseId,
    /// Turn of the conversation.
    turn_number: u32,
    /// Who speaks.
    role: MessageRole,
    /// What is said.
    content: String,
    /// What kind of message it is.
    message_type: MessageKind,
    /// The person who wrote it.
    author_id: Option<UserId>,
    /// Size in tokens.
    token_count: Option<u32>,
    /// Anything more.
    metadata: Option<Json>,
    /// When it was said.
    created_at: Time,
}

impl MessageBody {
    /// A row on the wire.
    pub(super) fn of(row: MessageRow) -> Self {
        Self {
            message_id: row.message_id,
            case_id: row.case_id,
            turn_number: row.turn_number,
            role: row.role,
            content: row.content,
            message_type: row.message_type,
            author_id: row.author_id,
            token_count: row.token_count,
            metadata: row.metadata,
            created_at: row.created_at,
        }
    }
}

/// An uploaded file without its analysis.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseFile {
    /// The file.
    file_id: FileId,
    /// The case.
    case_id: CaseId,
    /// Name as uploaded.
    filename: String,
    /// Size as uploaded, in bytes.
    size_bytes: u64,
    /// Media type as uploaded.
    content_type: Option<String>,
    /// SHA-256 of the bytes, lower-case hex.
    sha256: String,
    /// Type of the content.
    data_type: Option<String>,
    /// What the uploader says about it.
    description: Option<String>,
    /// How it came in.
    source_type: FileSource,
    /// Turn in which it came in.
    uploaded_at_turn: u32,
    /// Who brought it.
    uploaded_by: String,
    /// Where the processing stands.
    processing_status: ProcessingStatus,
    /// Why the processing failed.
    processing_error: Option<String>,
    /// The content in a few sentences.
    summary: Option<String>,
    /// When it came in.
    uploaded_at: Time,
    /// When the processing ended.
    processed_at: Option<Time>,
    /// Version, as in `ETag`.
    version: u64,
}

impl CaseFile {
    /// A row on the wire.
    pub(super) fn of(row: FileRow) -> Self {
        let hex = row.sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self {
            file_id: row.file_id,
            case_id: row.case_id,
            filename: row.filename,
            size_bytes: row.size_bytes,
            content_type: row.content_type,
            sha256: hex,
            data_type: row.data_type,
            description: row.description,
            source_type: row.source_type,
            uploaded_at_turn: row.uploaded_at_turn,
            uploaded_by: row.uploaded_by,
            processing_status: row.processing_status,
            processing_error: row.processing_error,
            summary: row.summary,
            uploaded_at: row.uploaded_at,
            processed_at: row.processed_at,
            version: row.version,
        }
    }
}

/// One change of a case's status.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TransitionBody {
    /// The event, the same as in the audit trail.
    transition_id: EventId,
    /// The case.
    case_id: CaseId,
    /// Status before; absent for the opening.
    from_status: Option<Status>,
    /// Status after.
    to_status: Status,
    /// Closure reason given with it.
    closure_reason: Option<ClosureReason>,
    /// Why.
    reason: Option<String>,
    /// Who.
    triggered_by: String,
    /// When.
    transitioned_at: Time,
    /// Anything more.
    metadata: Option<Json>,
}

impl TransitionBody {
    /// A row on the wire.
    pub(super) fn of(row: TransitionRow) -> Self {
        Self {
            transition_id: row.transition_id,
            case_id: row.case_id,
            from_status: row.from_status,
            to_status: row.to_status,
            closure_reason: row.closure_reason,
            reason: row.reason,
            triggered_by: row.triggered_by,
            transitioned_at: row.transitioned_at,
            metadata: row.metadata,
        }
    }
}

/// One tool call of an agent.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ToolCallBody {
    /// The call.
    call_id: ToolCallId,
    /// The case.
    case_id: CaseId,
    /// Which tool.
    tool_name: String,
    /// What it was given.
    tool_input: Json,
    /// What it answered.
    tool_output: Option<Json>,
    /// Where it stands.
    status: ToolCallStatus,
    /// Why it failed.
    error_message: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: Option<u64>,
    /// When it was made.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
    /// Who made it.
    created_by: String,
    /// Anything more.
    metadata: Option<Json>,
    /// Version, as in `ETag`.
    version: u64,
}

impl ToolCallBody {
    /// A row on the wire.
    pub(super) fn of(row: ToolCallRow) -> Self {
        Self {
            call_id: row.call_id,
            case_id: row.case_id,
            tool_name: row.tool_name,
            tool_input: row.tool_input,
            tool_output: row.tool_output,
            status: row.status,
            error_message: row.error_message,
            duration_ms: row.duration_ms,
            started_at: row.started_at,
            completed_at: row.completed_at,
            created_by: row.created_by,
            metadata: row.metadata,
            version: row.version,
        }
    }
}

/// One person who takes part in a case.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ParticipantBody {
    /// The person.
    user_id: UserId,
    /// What the person may do.
    role: ParticipantRole,
    /// Since when.
    added_at: Time,
    /// By whom.
    added_by: Option<UserId>,
    /// When the person last looked.
    last_accessed_at: Option<Time>,
}

impl ParticipantBody {
    fn of(row: ParticipantRow) -> Self {
        Self {
            user_id: row.user_id,
            role: row.role,
            added_at: row.added_at,
            added_by: row.added_by,
            last_accessed_at: row.last_accessed_at,
        }
    }
}
