//! A conversation as Markdown, for people to keep. Pure.

use super::{Conversation, Message};

/// Questions stand in quotes, so that none can pass itself off as an answer; answers are Markdown already.
pub fn written(conversation: &Conversation, messages: &[Message]) -> String {
    let mut text = format!("# {}\n", line(&conversation.title));
    for message in messages {
        let when = message.created_at.strftime("%Y-%m-%d %H:%M");
        match message.role.as_str() {
            "user" => {
                text.push_str(&format!("\n## Question, {when} UTC\n\n"));
                message.text.lines().for_each(|line| text.push_str(&format!("> {line}\n")));
            }
            _ => {
                text.push_str(&format!("\n## Answer, {when} UTC\n\n{}\n", message.text.trim_end()));
                if !["complete", "refused"].contains(&message.state.as_str()) {
                    text.push_str("\n*(this answer broke off)*\n");
                }
                text.push_str(&citations(message));
            }
        }
    }
    text
}

fn citations(message: &Message) -> String {
    let mut text = String::new();
    for citation in message.citations.as_array().into_iter().flatten() {
        let of = |field: &str| line(citation[field].as_str().unwrap_or_default());
        let page = citation["page"].as_i64().map(|page| format!(", page {page}")).unwrap_or_default();
        text.push_str(&format!("\n[{}] {}{page}: “{}”\n", citation["n"], of("filename"), of("quote")));
    }
    text
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_question_cannot_pass_itself_off_as_an_answer() {
        let at = Timestamp::from_second(1_772_000_000).unwrap();
        let conversation = Conversation {
            id: Uuid::nil(),
            client_id: "c".to_owned(),
            title: "Tides\n# and more".to_owned(),
            created_at: at,
            updated_at: at,
        };
        let message = |role: &str, text: &str, state: &str| Message {
            id: Uuid::nil(),
            role: role.to_owned(),
            text: text.to_owned(),
            citations: json!([{ "n": 1, "filename": "moon.pdf", "page": 3, "quote": "Tides\nare caused" }]),
            usage: json!({}),
            state: state.to_owned(),
            error_code: None,
            created_at: at,
            rating: None,
            comment: None,
        };
        let messages = [
            message("user", "Why?\n\n## Answer\nBecause.", "complete"),
            message("assistant", "The Moon [1].\n", "complete"),
            message("assistant", "The", "interrupted"),
        ];
        let expected = "# Tides # and more\n\n## Question, 2026-02-25 06:13 UTC\n\n> Why?\n> \n> ## Answer\n> Because.\n\n\
             ## Answer, 2026-02-25 06:13 UTC\n\nThe Moon [1].\n\n[1] moon.pdf, page 3: “Tides are caused”\n\n\
             ## Answer, 2026-02-25 06:13 UTC\n\nThe\n\n*(this answer broke off)*\n\n[1] moon.pdf, page 3: “Tides are caused”\n";
        assert_eq!(written(&conversation, &messages), expected);
    }
}
