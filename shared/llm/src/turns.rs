//! What the strict providers take for a conversation: sides in turn, nothing empty, the user first and last.

use crate::{Error, ErrorKind, Role, Turn};

/// What one side said twice in a row becomes one turn. An answer without its question before it, or with no question
/// after it, is left out: Anthropic and Gemini refuse the whole request for it.
/// <https://docs.anthropic.com/en/api/messages>, <https://ai.google.dev/api/caching#Content>
pub(crate) fn alternating(turns: &[Turn]) -> Result<Vec<Turn>, Error> {
    let mut legal: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns.iter().filter(|turn| !turn.text.trim().is_empty()) {
        match legal.last_mut() {
            Some(last) if last.role == turn.role => {
                last.text.push_str("\n\n");
                last.text.push_str(&turn.text);
            }
            None if turn.role == Role::Assistant => {}
            _ => legal.push(turn.clone()),
        }
    }
    legal.pop_if(|last| last.role == Role::Assistant);
    if legal.is_empty() {
        return Err(Error::new(ErrorKind::Rejected, "The request holds no question."));
    }
    Ok(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_made_legal() {
        // U and A are the sides; a lower-case letter is a turn of white space alone.
        let table = [
            ("U", "U"),
            ("UAU", "UAU"),
            ("AU", "U"),
            ("AAUAU", "UAU"),
            ("UUAUU", "UAU"),
            ("UaU", "U"),
            ("uAU", "U"),
            ("UAuAU", "UAU"),
            ("UA", "U"),
            ("UAu", "U"),
        ];
        let side = |letter: char| if letter.eq_ignore_ascii_case(&'U') { Role::User } else { Role::Assistant };
        for (sides, expected) in table {
            let said = |letter: char| if letter.is_lowercase() { " \n" } else { "said" }.to_owned();
            let turns: Vec<Turn> =
                sides.chars().map(|letter| Turn { role: side(letter), text: said(letter) }).collect();
            let legal = alternating(&turns).unwrap();
            assert_eq!(
                legal.iter().map(|turn| turn.role).collect::<Vec<_>>(),
                expected.chars().map(side).collect::<Vec<_>>(),
                "{sides}"
            );
        }
        let twice = ["one", "two"].map(|text| Turn { role: Role::User, text: text.into() });
        assert_eq!(alternating(&twice).unwrap()[0].text, "one\n\ntwo");
        for nothing in [vec![], vec![Turn { role: Role::Assistant, text: "Hello".into() }]] {
            assert_eq!(alternating(&nothing).unwrap_err().code(), "provider_rejected");
        }
    }
}
