//! What of a conversation a question draws on.

use docent_llm::Turn;

/// The newest of the earlier messages, as many as the bot is to remember.
pub fn recalled(mut history: Vec<Turn>, most: i32) -> Vec<Turn> {
    history.drain(..history.len().saturating_sub(usize::try_from(most).unwrap_or_default()));
    history
}
