//! The conversation of a case: messages in the order they were said, never altered.

use super::access::{Reader, Writer};
use super::case;
use super::error::CaseError;
use super::field::Fields;
use super::tables::words::{MessageKind, MessageRole};
use super::tables::{MESSAGES_BY_CASE, MessageRow};
use crate::base::id::MessageId;
use crate::base::{Json, Page, PageRequest, Time};
use crate::engine::db::{Span, View, Write, key};

/// Longest message, in bytes: a long answer of an agent; longer text is a file.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Turns a message may skip ahead of the conversation.
const TURN_SKIP_MAX: u32 = 1000;

/// What is said.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id.
    pub message_id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said.
    pub content: String,
    /// What kind of message it is; follows from the role when absent.
    pub message_type: Option<MessageKind>,
    /// Its turn; a user's message opens the next one when absent.
    pub turn_number: Option<u32>,
    /// Size in tokens of the model that was used.
    pub token_count: Option<u32>,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// Adds a message to the end of the conversation.
///
/// # Errors
/// [`CaseError::Fields`].
pub fn add(
    tx: &Write<'_>,
    may: &Writer,
    new: &NewMessage,
    now: Time,
) -> Result<MessageRow, CaseError> {
    let current = case::get(tx, may)?.current_turn;
    let mut fields = Fields::default();
    let content = fields.content("content", &new.content, MESSAGE_BYTES_MAX);
    if new.turn_number.is_some_and(|turn| turn > current.saturating_add(TURN_SKIP_MAX)) {
        fields.wrong("turn_number", "is too far ahead of the conversation");
    }
    fields.done()?;
    let opens = u32::from(new.role == MessageRole::User);
    let turn = |current: u32| new.turn_number.unwrap_or(current.saturating_add(opens));
    let row = MessageRow {
        message_id: new.message_id,
        case_id: may.case_id(),
        role: new.role,
        content,
        message_type: new.message_type.unwrap_or(match new.role {
            MessageRole::User => MessageKind::UserQuery,
            MessageRole::Assistant => MessageKind::AgentResponse,
            MessageRole::System => MessageKind::SystemEvent,
        }),
        turn_number: case::take_turn(tx, may, turn, now)?,
        author_id: may.user().filter(|_| new.role == MessageRole::User),
        token_count: new.token_count,
        metadata: new.metadata.clone(),
        created_at: now,
    };
    tx.insert(&row)?;
    Ok(row)
}

/// One message of the case.
///
/// # Errors
/// [`CaseError::MessageMissing`].
pub fn get(tx: &impl View, may: &Reader, message_id: MessageId) -> Result<MessageRow, CaseError> {
    let found = tx.get::<MessageRow>(&message_id)?.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::MessageMissing(message_id))
}

/// One window of the conversation, in the order said.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    request: PageRequest,
) -> Result<Page<MessageRow>, CaseError> {
    Ok(tx.page(&MESSAGES_BY_CASE, &Span::prefix(&key().id(&may.case_id())), request)?)
}
