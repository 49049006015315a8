//! Addresses that stand in running text, as GitHub's and other renderers turn them into links.

use std::collections::BTreeSet;

use super::hidden::is_ignored;
use super::{MOST_HELD, REMOVED, Step, View};

/// The longest beginning of an address, each character written as an entity: so much of a long run stays held.
const LONGEST_OPENING: usize = 256;
/// Schemes that work without `//`.
const BARE_SCHEMES: [&str; 4] = ["javascript:", "vbscript:", "livescript:", "mailto:"];

/// The addresses that stand in what an answer is made from.
#[derive(Default)]
pub struct Allowed(BTreeSet<String>);

impl Allowed {
    /// Every address of a text, each only as a whole.
    pub fn read(&mut self, text: &str) {
        for word in text.split(|c: char| c.is_whitespace() || c == '<') {
            let mut rest = word;
            while let Some(start) = opening(rest) {
                let address = &rest[start..];
                let end = extent(address);
                self.0.insert(plain(trimmed(&address[..end])));
                rest = &address[end.max(1)..];
            }
        }
    }

    pub fn has(&self, address: &str) -> bool {
        self.0.contains(&plain(address))
    }
}

/// A prompt shows `&` as `&amp;`, and models copy either.
fn plain(address: &str) -> String {
    address.replace("&amp;", "&")
}

/// A target that may stay, if it is allowed: never a scheme that runs code.
pub fn may_be_linked(target: &str) -> bool {
    let lower = target.to_ascii_lowercase();
    ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

/// A character of the words in which an address may begin.
pub fn in_run(letter: char) -> bool {
    is_ignored(letter) || letter.is_ascii_graphic() && !"<>[]()!\"`*|{}".contains(letter)
}

/// No address goes past it.
pub fn ends_address(letter: char) -> bool {
    letter.is_whitespace() || "<>[]\"`|{}”’»」）。，、‹›".contains(letter)
}

/// Judges the run of characters at the beginning.
pub fn step(view: View<'_>, allowed: &Allowed) -> Step {
    let end = view.text.find(|c| !in_run(c)).unwrap_or(view.text.len());
    let run = &view.text[..end];
    let open = end == view.text.len() && !view.ended;
    let Some(start) = beginning(run) else {
        return match (open, view.full) {
            (false, _) => Step::Keep(end),
            (true, false) => Step::Wait,
            (true, true) => Step::Keep(view.text.floor_char_boundary(MOST_HELD - LONGEST_OPENING)),
        };
    };
    let address = &view.text[start..];
    // What a renderer takes for the address: it stops at white space and `<` alone.
    let wide = address.find(|c: char| c.is_whitespace() || c == '<');
    if wide.is_none() && !view.ended && !view.full {
        return Step::Wait;
    }
    let narrow = extent(address);
    let named = trimmed(&address[..narrow]);
    if allowed.has(named) && (may_be_linked(named) || named.to_ascii_lowercase().starts_with("www.")) {
        return kept(view, start, named.len(), wide);
    }
    if narrow == address.len() && !view.ended {
        return Step::Drop(start, REMOVED);
    }
    Step::Change(start + named.len().max(1), format!("{}{REMOVED}", &view.text[..start]))
}

/// Where in a run an address begins: with it, where its beginning is disguised.
fn beginning(run: &str) -> Option<usize> {
    match opening(run) {
        Some(start) if run[..start].trim_start_matches(is_ignored).contains(is_ignored) => Some(0),
        Some(start) => Some(start),
        None => disguised(run).then_some(0),
    }
}

/// An allowed address; what would lengthen it for some renderer is set apart by a space.
fn kept(view: View<'_>, start: usize, length: usize, wide: Option<usize>) -> Step {
    let end = start + length;
    let behind = &view.text[end..wide.map_or(view.text.len(), |wide| start + wide)];
    let closed = wide.is_some() || view.ended;
    if closed && behind.chars().all(|c| ".,:;!?*_~'\")]".contains(c)) {
        return Step::Keep(end);
    }
    Step::Change(end, format!("{} ", &view.text[..end]))
}

/// The bytes of the address that a text begins with.
fn extent(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if ends_address(letter) => return at,
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Without the punctuation of the sentence that it ends.
fn trimmed(address: &str) -> &str {
    address.trim_end_matches(['.', ',', ':', ';', '!', '?', '*', '_', '~', '\''])
}

/// Where an address begins that is written without disguise.
fn opening(run: &str) -> Option<usize> {
    let lower = run.to_ascii_lowercase();
    let before = |at: usize| lower[..at].chars().next_back();
    let authority = lower.match_indices("://").filter_map(|(at, _)| scheme_start(&lower, at)).next();
    let www = lower.find("www.");
    let relative = lower.match_indices("//").map(|(at, _)| at).find(|at| {
        let host = lower[at + 2..].split(['/', '?', '#', ':']).next().unwrap_or_default();
        let dotted = host.trim_end_matches('.').contains('.');
        dotted && host.starts_with(char::is_alphanumeric) && !before(*at).is_some_and(|c| c == ':' || c == '/')
    });
    let bare = BARE_SCHEMES.iter().filter_map(|scheme| lower.find(scheme).filter(|at| lower.len() > at + scheme.len()));
    let data = lower.match_indices("data:").map(|(at, _)| at).find(|at| {
        let media = lower[at + 5..].bytes().take_while(u8::is_ascii_alphabetic).count();
        media > 0 && lower[at + 5 + media..].starts_with('/')
    });
    [authority, www, relative, data].into_iter().flatten().chain(bare).min()
}

/// Where the scheme before `://` begins. A single letter is a drive of Windows.
fn scheme_start(lower: &str, at: usize) -> Option<usize> {
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+-".contains(c);
    let start = lower[..at]
        .rfind(|c| !scheme(c))
        .map_or(0, |found| found + lower[found..].chars().next().map_or(1, char::len_utf8));
    (at - start >= 2).then_some(start)
}

/// An address whose beginning is hidden by entities, backslashes or characters without width.
fn disguised(run: &str) -> bool {
    if !run.contains(|c: char| c == '&' || c == '\\' || is_ignored(c)) {
        return false;
    }
    let plain = decoded(run);
    let bare = plain.replace('\\', "");
    opening(&bare).is_some() || opening(&plain.replace('\\', "/")).is_some()
}

/// With entities read as HTML does, also without their semicolon, and without what has no width.
fn decoded(run: &str) -> String {
    let mut plain = String::with_capacity(run.len());
    let mut rest = run;
    while let Some(letter) = rest.chars().next() {
        match entity(rest) {
            Some((read, length)) => {
                plain.push(read);
                rest = &rest[length..];
            }
            None => {
                if !is_ignored(letter) {
                    plain.push(letter);
                }
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    // What an entity spelled may have no width either.
    plain.retain(|letter| !is_ignored(letter) && super::Hidden::default().passes(letter) && !letter.is_whitespace());
    plain
}

/// Named entities that spell a part of an address.
const NAMED: [(&str, char); 7] = [
    ("colon", ':'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("period", '.'),
    ("tab", '\t'),
    ("newline", '\n'),
    ("shy", '\u{ad}'),
];

fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    if let Some(number) = body.strip_prefix('#') {
        let hex = number.starts_with(['x', 'X']);
        let digits = &number[usize::from(hex)..];
        let count = digits.chars().take_while(|c| c.is_digit(if hex { 16 } else { 10 })).count();
        let read = u32::from_str_radix(&digits[..count], if hex { 16 } else { 10 }).ok().and_then(char::from_u32)?;
        let length = 2 + usize::from(hex) + count;
        return Some((read, length + usize::from(text[length..].starts_with(';'))));
    }
    let (name, read) = NAMED.iter().find(|(name, _)| {
        body.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && body[name.len()..].starts_with(';')
    })?;
    Some((*read, name.len() + 2))
}
