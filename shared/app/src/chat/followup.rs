//! What a follow-up is about: the questions before it, as far back as each leans on the one before. No model is asked.

use docent_llm::{Role, Turn};

/// Earlier questions that a search may draw on.
const MOST: usize = 3;
/// Characters of each.
const LONGEST: usize = 300;

/// The newest of the earlier messages, as many as the bot is to remember.
pub fn recalled(mut history: Vec<Turn>, most: i32) -> Vec<Turn> {
    history.drain(..history.len().saturating_sub(usize::try_from(most).unwrap_or_default()));
    history
}

/// The questions that this one leans on, oldest first, one a line; nothing for one that stands by itself.
pub fn earlier(question: &str, history: &[Turn]) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut leaning = question;
    for turn in history.iter().rev().filter(|turn| turn.role == Role::User).take(MOST) {
        if !docent_text::refers_back(leaning) {
            break;
        }
        found.push(turn.text.chars().take(LONGEST).collect());
        leaning = &turn.text;
    }
    found.reverse();
    found.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_draws_on_those_that_it_leans_on() {
        let said = |texts: &[&str]| -> Vec<Turn> {
            let both = |text: &&str| {
                [(Role::User, *text), (Role::Assistant, "Because it was.")]
                    .map(|(role, text)| Turn { role, text: text.into() })
            };
            texts.iter().flat_map(both).collect()
        };
        let bridge = "Why was the bridge at Oster closed?";
        for (before, question, expected) in [
            (vec![], "And when?", ""),
            (vec![bridge], "And when?", bridge),
            (vec![bridge], "What is the refund policy?", ""),
            (vec!["What is a heron?", bridge], "And when?", bridge),
            (vec![bridge, "And when?"], "By whom?", "Why was the bridge at Oster closed?\nAnd when?"),
            (vec![bridge, "And when?", "By whom?", "And why?"], "Since when?", "And when?\nBy whom?\nAnd why?"),
        ] {
            assert_eq!(earlier(question, &said(&before)), expected, "{before:?} {question}");
        }
        assert_eq!(earlier("Why?", &said(&[&"é".repeat(5_000)])).chars().count(), LONGEST);
    }
}
