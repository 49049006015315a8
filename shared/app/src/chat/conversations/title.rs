//! A conversation's title: made from its first question, without a model. Pure.

/// Characters of a title that somebody gives.
pub const TITLE_LIMIT: usize = 200;
/// Characters of one that is made.
const LONGEST: usize = 80;
/// A cut at a word leaves at least so much of it; scripts without spaces are cut between letters.
const SHORTEST: usize = 40;

/// The question on one line, without markup, cut at a word.
pub fn of_question(question: &str) -> String {
    let plain = folded(&without_markup(question));
    let title = match plain.is_empty() {
        true => folded(question),
        false => plain,
    };
    cut(&title)
}

/// One space where there were some, and none of the characters that show nothing or turn a line around.
fn folded(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !is_hidden(*c));
    shown.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks of direction, joins of nothing, and the tags that no font draws (Unicode's `Cf`, as far as it can be misused);
/// what joins the letters of a word or the parts of an emoji stays.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Without Markdown's signs and HTML's tags; a link keeps its words, an image its description.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches(['#', '>']);
        let mut rest = line;
        while let Some(letter) = rest.chars().next() {
            let after = &rest[letter.len_utf8()..];
            rest = match letter {
                '<' => tag(after).unwrap_or_else(|| keep(&mut plain, letter, after)),
                ']' => address(after).unwrap_or_else(|| keep(&mut plain, letter, after)),
                '!' if after.starts_with('[') && address_follows(after) => &after[1..],
                '[' if address_follows(rest) => after,
                '*' | '`' => after,
                '_' if !between_letters(&plain, after) => after,
                _ => keep(&mut plain, letter, after),
            };
        }
        plain.push('\n');
    }
    plain
}

fn keep<'a>(plain: &mut String, letter: char, after: &'a str) -> &'a str {
    plain.push(letter);
    after
}

/// What stands behind a tag, if this is the inside of one: `a < b` is none.
fn tag(inside: &str) -> Option<&str> {
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!');
    inside.split_once('>').filter(|_| begins).map(|(_, after)| after)
}

/// What stands behind a link's address.
fn address(behind: &str) -> Option<&str> {
    behind.strip_prefix('(')?.split_once(')').map(|(_, after)| after)
}

fn address_follows(link: &str) -> bool {
    link.split_once(']').is_some_and(|(_, behind)| address(behind).is_some())
}

/// `snake_case` is a name, `_so_` is emphasis.
fn between_letters(before: &str, after: &str) -> bool {
    before.chars().next_back().is_some_and(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let room: Vec<(usize, char)> = text.char_indices().take(LONGEST + 1).collect();
    let word = room.iter().skip(SHORTEST).rev().find(|(_, letter)| *letter == ' ').map(|(at, _)| *at);
    // A mark belongs to the letter before it, and what a joiner joins is one sign.
    let joins = |letter: char| matches!(letter, '\u{300}'..='\u{36f}' | '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let whole = |at: &usize| {
        let before = text[..*at].chars().next_back().is_some_and(|letter| letter == '\u{200d}');
        !before && !text[*at..].starts_with(joins)
    };
    let letter = room.iter().map(|(at, _)| *at).rev().find(whole);
    let end = word.or(letter).unwrap_or_default();
    format!("{}…", text[..end].trim_end_matches([' ', ',', ';', ':', '.', '、', '，']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_plain_line() {
        for (question, title) in [
            ("What is the refund policy?", "What is the refund policy?"),
            ("  What\n\tis \u{a0} this?\r\n", "What is this?"),
            ("# **Refunds**: how do _they_ work in `snake_case`?", "Refunds: how do they work in snake_case?"),
            ("> see [the page](https://evil.example/x) and ![a picture](http://a/b.png)", "see the page and a picture"),
            ("<script>alert(1)</script><b>Is</b> a < b > c?", "alert(1)Is a < b > c?"),
            ("a[0] = b[1](2", "a[0] = b[1](2"),
            ("\u{202e}Why\u{200b} not\u{feff}?", "Why not?"),
            ("***", "***"),
            ("<b></b>", "<b></b>"),
            ("退款需要多久？", "退款需要多久？"),
            ("", ""),
        ] {
            assert_eq!(of_question(question), title, "{question}");
        }
    }

    #[test]
    fn a_long_title_is_cut_at_a_word_or_else_between_letters() {
        let words = of_question(&"Tell me about the lighthouse, please. ".repeat(10));
        assert_eq!(words, "Tell me about the lighthouse, please. Tell me about the lighthouse, please. Tell…");
        assert_eq!(of_question(&"退款".repeat(100)), format!("{}…", "退款".repeat(40)));
        assert_eq!(of_question(&"x".repeat(200)), format!("{}…", "x".repeat(80)));
        assert_eq!(of_question(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
        // Eleven characters that are one sign.
        let title = of_question(&"👨‍👩‍👧‍👦".repeat(30));
        assert_eq!(title, format!("{}…", "👨‍👩‍👧‍👦".repeat(11)));
        for length in 0..200 {
            assert!(of_question(&"é\u{301}a ".repeat(length)).chars().count() <= LONGEST + 1);
        }
    }
}
