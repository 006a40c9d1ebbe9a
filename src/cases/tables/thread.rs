//! What was said and done in a case: messages and the agent's tool calls.

use super::case::CaseRow;
use super::words::{MessageKind, MessageRole, ToolCallStatus};
use crate::base::id::{CaseId, MessageId, ToolCallId, UserId};
use crate::base::{Json, Time};
use crate::engine::db::{Index, Parent, Row, key};
use serde::{Deserialize, Serialize};

/// One message of the conversation; never altered. About 500 bytes, tens per case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRow {
    /// The message.
    pub message_id: MessageId,
    /// The case.
    pub case_id: CaseId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said.
    pub content: String,
    /// What kind of message it is.
    pub message_type: MessageKind,
    /// Turn of the conversation; a user's message opens one.
    pub turn_number: u32,
    /// The person who wrote it, if a person did.
    pub author_id: Option<UserId>,
    /// Size in tokens of the model that was used.
    pub token_count: Option<u32>,
    /// Anything more.
    pub metadata: Option<Json>,
    /// When it was said.
    pub created_at: Time,
}

/// `(case)`, in the order said.
pub(in crate::cases) const MESSAGES_BY_CASE: Index<MessageRow> =
    Index::many("case_messages_by_case", |m| Some(key().id(&m.case_id).time(m.created_at)));

impl Row for MessageRow {
    type Key = MessageId;
    const TABLE: &'static str = "case_messages";
    const INDEXES: &'static [Index<Self>] = &[MESSAGES_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(MESSAGES_BY_CASE, |m| Some(key().id(&m.case_id)))];

    fn key(&self) -> MessageId {
        self.message_id
    }
}

/// One call of a tool by an agent; unalterable once it has ended. About 1 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCallRow {
    /// The call.
    pub call_id: ToolCallId,
    /// The case.
    pub case_id: CaseId,
    /// Which tool.
    pub tool_name: String,
    /// What it was given.
    pub tool_input: Json,
    /// What it answered.
    pub tool_output: Option<Json>,
    /// Where it stands.
    pub status: ToolCallStatus,
    /// Why it failed.
    pub error_message: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// When it was made.
    pub started_at: Time,
    /// When it ended.
    pub completed_at: Option<Time>,
    /// Who made it.
    pub created_by: String,
    /// Anything more.
    pub metadata: Option<Json>,
    /// Version, for `If-Match`.
    pub version: u64,
}

/// `(case)`, in the order made.
pub(in crate::cases) const TOOL_CALLS_BY_CASE: Index<ToolCallRow> =
    Index::many("agent_tool_calls_by_case", |c| Some(key().id(&c.case_id)));

impl Row for ToolCallRow {
    type Key = ToolCallId;
    const TABLE: &'static str = "agent_tool_calls";
    const INDEXES: &'static [Index<Self>] = &[TOOL_CALLS_BY_CASE];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(TOOL_CALLS_BY_CASE, |c| Some(key().id(&c.case_id)))];

    fn key(&self) -> ToolCallId {
        self.call_id
    }
}
