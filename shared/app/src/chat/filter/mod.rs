//! What a model says, without markup that makes a browser fetch or follow what nobody wrote. A state machine over the
//! stream: how the text is cut into deltas changes nothing.
//!
//! It tracks neither code nor other blocks, because every renderer draws their bounds differently and an attacker would
//! sit between two of them. `Vec<u8>` in code therefore comes out as `Vec< u8>`, which reads and compiles alike.
//! A bare domain (`example.com/x`) and a bare address of mail are no links in CommonMark, and stay.

mod hidden;
mod link;
mod urls;

use hidden::Hidden;
use link::Tail;
pub use urls::Allowed;

/// Bytes that are held back at most: a construct that is longer is neutralised as text.
pub const MOST_HELD: usize = 2 * 1024;
/// Stands where an address stood. No character of it means anything in Markdown or HTML.
pub const REMOVED: &str = "‹link removed›";

/// Splits of a text give what the whole gives, and what it gave passes a second time unchanged.
pub struct Filter {
    allowed: Allowed,
    hidden: Hidden,
    pending: String,
    lines: Lines,
    /// Within an address that was longer than what may be held.
    dropping: bool,
    removed: u32,
}

/// What happens with the first bytes of what is pending.
enum Step {
    /// It depends on what comes next.
    Wait,
    Keep(usize),
    /// So many bytes become this text.
    Change(usize, String),
    /// All that is pending belongs to an address that goes on; what stands before it is kept.
    Drop(usize, &'static str),
}

impl Filter {
    /// Addresses of `allowed` may stand as they are.
    pub fn new(allowed: Allowed) -> Self {
        let (hidden, lines) = (Hidden::default(), Lines::default());
        Filter { allowed, hidden, pending: String::new(), lines, dropping: false, removed: 0 }
    }

    /// What may be shown after this delta.
    pub fn push(&mut self, delta: &str) -> String {
        for letter in delta.chars() {
            match self.hidden.passes(letter) {
                true => self.pending.push(letter),
                false => self.removed += 1,
            }
        }
        self.run(false)
    }

    /// The rest.
    pub fn finish(&mut self) -> String {
        self.run(true)
    }

    /// How many constructs and hidden characters it has taken away or broken so far.
    pub fn removed(&self) -> u32 {
        self.removed
    }

    fn run(&mut self, ended: bool) -> String {
        let pending = std::mem::take(&mut self.pending);
        let (mut out, mut at) = (String::with_capacity(pending.len()), 0);
        while at < pending.len() {
            let rest = &pending[at..];
            // Nothing is decided by more than this, or a long delta would be judged otherwise than its pieces.
            let window = &rest[..rest.floor_char_boundary(MOST_HELD)];
            let view = View { text: window, full: rest.len() >= MOST_HELD, ended: ended && window.len() == rest.len() };
            if self.dropping {
                at += self.drop_on(window);
                continue;
            }
            let (taken, said) = match self.step(view) {
                Step::Wait => break,
                Step::Keep(taken) => (taken, None),
                Step::Change(taken, said) => (taken, Some(said)),
                Step::Drop(before, said) => {
                    out.push_str(&window[..before]);
                    self.dropping = true;
                    (window.len(), Some(said.to_owned()))
                }
            };
            self.lines.read(&window[..taken]);
            match said {
                None => out.push_str(&window[..taken]),
                Some(said) => {
                    self.removed += 1;
                    out.push_str(&said);
                }
            }
            at += taken;
        }
        self.pending = pending[at..].to_owned();
        out
    }

    /// Bytes of an address that is being dropped.
    fn drop_on(&mut self, window: &str) -> usize {
        let end = window.find(urls::ends_address).unwrap_or(window.len());
        self.dropping = end == window.len();
        end
    }

    fn step(&self, view: View<'_>) -> Step {
        let mut letters = view.text.chars();
        let first = letters.next().unwrap_or_default();
        match first {
            '<' => match letters.next() {
                None if !view.ended => Step::Wait,
                Some(next) if next.is_ascii_alphabetic() || "/!?".contains(next) => Step::Change(1, "< ".to_owned()),
                _ => Step::Keep(1),
            },
            '!' => image(view),
            ']' => self.after_bracket(view),
            _ if urls::in_run(first) => urls::step(view, &self.allowed),
            _ => Step::Keep(first.len_utf8()),
        }
    }

    fn after_bracket(&self, view: View<'_>) -> Step {
        match view.text.as_bytes().get(1) {
            None if !view.ended => Step::Wait,
            Some(b':') if self.lines.may_define => Step::Change(1, "] ".to_owned()),
            Some(b'(') => match link::tail(&view.text[2..]) {
                Tail::Open if !view.ended && !view.full => Step::Wait,
                Tail::Closed { target, length } if self.allowed.has(target) && urls::may_be_linked(target) => {
                    let plain = format!("]({target})");
                    if view.text[..2 + length] == plain {
                        Step::Keep(2 + length)
                    } else {
                        Step::Change(2 + length, plain)
                    }
                }
                Tail::Closed { target, length } if target.contains(|c: char| !is_plain(c)) => {
                    Step::Change(2 + length, format!("] {REMOVED}"))
                }
                _ => Step::Change(1, "] ".to_owned()),
            },
            _ => Step::Keep(1),
        }
    }
}

/// Of an argument in code, as in `calls[0](next)`: it stays to be read.
fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == ','
}

/// `![` is broken up, except before the number of a citation.
fn image(view: View<'_>) -> Step {
    let Some(label) = view.text.strip_prefix("![") else {
        return if view.text.len() > 1 || view.ended { Step::Keep(1) } else { Step::Wait };
    };
    let digits = label.bytes().take(3).take_while(u8::is_ascii_digit).count();
    let mut behind = label[digits..].bytes();
    match (digits, behind.next(), behind.next()) {
        (3, None, _) | (_, None, _) if !view.ended => Step::Wait,
        (1.., Some(b']'), None) if !view.ended => Step::Wait,
        (1.., Some(b']'), next) if next != Some(b'(') => Step::Keep(1),
        _ => Step::Change(1, "! ".to_owned()),
    }
}

/// What a step may look at.
#[derive(Clone, Copy)]
struct View<'a> {
    text: &'a str,
    /// No more of it will be held.
    full: bool,
    /// Nothing follows.
    ended: bool,
}

/// Whether a reference definition, `[x]: target`, could end here.
struct Lines {
    may_define: bool,
    /// Only marks of quotes and lists so far.
    leading: bool,
    blank: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { may_define: false, leading: true, blank: true }
    }
}

impl Lines {
    fn read(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\n' => *self = Lines { may_define: self.may_define && !self.blank, ..Lines::default() },
                '\r' => self.leading = true,
                other => {
                    self.may_define |= self.leading && other == '[';
                    self.leading &= other.is_whitespace() || other.is_ascii_digit() || ">-+*.):~".contains(other);
                    self.blank &= other.is_whitespace();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
