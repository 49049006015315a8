//! The second half of an inline link, `target "title")`, as CommonMark 0.31 § 6.3 reads it.

/// What stands behind `](`.
pub enum Tail<'a> {
    /// It may yet be closed.
    Open,
    Closed {
        target: &'a str,
        /// Bytes, with the closing parenthesis.
        length: usize,
    },
    /// No link.
    Broken,
}

pub fn tail(text: &str) -> Tail<'_> {
    let Some(start) = after_space(text, 0) else { return Tail::Broken };
    let (target, end) = if text[start..].starts_with('<') {
        match text[start + 1..].find(['>', '\n']) {
            None => return Tail::Open,
            Some(end) => (&text[start + 1..start + 1 + end], start + end + 2),
        }
    } else {
        let end = start + bare(&text[start..]);
        (&text[start..end], end)
    };
    let Some(next) = after_space(text, end) else { return Tail::Broken };
    match text[next..].chars().next() {
        None => Tail::Open,
        Some(')') => Tail::Closed { target, length: next + 1 },
        Some(quote @ ('"' | '\'' | '(')) if next > end => titled(text, target, next + 1, quote),
        Some(_) => Tail::Broken,
    }
}

/// The bytes of a target that stands without angle brackets: no white space, parentheses in pairs.
fn bare(text: &str) -> usize {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if letter.is_whitespace() => return at,
            _ if escaped => {}
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

fn titled<'a>(text: &'a str, target: &'a str, start: usize, quote: char) -> Tail<'a> {
    let closing = if quote == '(' { ')' } else { quote };
    let mut escaped = false;
    for (at, letter) in text[start..].char_indices() {
        if letter == closing && !escaped {
            let Some(next) = after_space(text, start + at + 1) else { return Tail::Broken };
            return match text[next..].chars().next() {
                None => Tail::Open,
                Some(')') => Tail::Closed { target, length: next + 1 },
                Some(_) => Tail::Broken,
            };
        }
        escaped = letter == '\\' && !escaped;
    }
    Tail::Open
}

/// Past white space with at most one line end.
fn after_space(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let space = &rest[..rest.len() - rest.trim_start().len()];
    (space.matches('\n').count() <= 1).then_some(from + space.len())
}
