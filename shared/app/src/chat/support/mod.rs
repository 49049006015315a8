//! Whether a passage says what a sentence claims, without a model: the sentence's words, numbers and names stand
//! together in one place of the passage, and nothing there says the opposite.
//!
//! It is a measure of words, so it errs: a paraphrase in other words throughout is dropped, and a fact that is exchanged
//! for a synonym of another fact may pass. The shares of both are measured in `tests.rs`.

mod facts;
mod rivals;
mod words;

use words::{Token, Word};

/// The share of a sentence's telling words that must stand in its evidence. Less, and it speaks of something else.
pub const LEAST_COVERAGE: f64 = 0.6;
/// Claims of so few telling words must be covered whole: each of them is the fact.
pub const SHORT: usize = 3;
/// Sentences of a passage that may carry a claim together: answers merge neighbours.
pub const MOST_SENTENCES: usize = 2;
/// The share of a clause's telling words that a sentence must repeat before the clause's negation concerns it.
pub const CLAUSE_OVERLAP: f64 = 0.6;
/// Words between a number and what it counts, at most.
pub const NEAR: usize = 3;
/// Sentences of a passage that are looked at; a chunk has far fewer.
const MOST_READ: usize = 400;

/// Whether some place of `passage` supports `claim`. A claim without telling words claims nothing and is not supported.
pub fn supports(claim: &str, passage: &str) -> bool {
    let bare = plain(claim);
    if !quotes(&bare).all(|quote| stands(quote, passage)) {
        return false;
    }
    let abroad = foreign(&bare, passage);
    let claim = words::read(&bare);
    if !claim.iter().any(|word| word.tells()) {
        return false;
    }
    let sentences = sentences(passage);
    // Short texts may seem to be of a language that they are not of: what shares enough is judged by its words.
    if abroad && coverage(&claim, &sentences.concat()) < LEAST_COVERAGE {
        let windows = (0..sentences.len()).map(|first| sentences.iter().skip(first).take(MOST_SENTENCES));
        return windows.into_iter().any(|window| counts(&claim, window.flatten()));
    }
    (0..sentences.len()).any(|first| {
        let (earlier, rest) = sentences.split_at(first);
        carries(&claim, &rest[..1], earlier)
            || rest.get(..MOST_SENTENCES).is_some_and(|some| {
                // A neighbour that adds nothing only brings words that belong elsewhere.
                let alone = some.iter().map(|words| coverage(&claim, words)).fold(0.0, f64::max);
                coverage(&claim, &some.concat()) > alone && carries(&claim, some, earlier)
            })
    })
}

/// Whether claim and passage seem to be of two languages: then no word of the one is to be looked for in the
/// other, and what can be judged are the numbers.
fn foreign(claim: &str, passage: &str) -> bool {
    let [claim, passage] = [claim, passage].map(|text| docent_text::question(text).language);
    matches!((claim, passage), (Some(claim), Some(passage)) if claim != passage)
}

/// Whether all the claim's numbers stand there.
fn counts<'w>(claim: &[Word], window: impl Iterator<Item = &'w Word>) -> bool {
    let there: Vec<&str> = window.filter_map(Word::number).collect();
    claim.iter().filter_map(Word::number).all(|number| there.contains(&number))
}

/// The sentences of a passage. A number with a full stop ends none where a day of a month does: "am 1. Mai".
fn sentences(passage: &str) -> Vec<Vec<Word>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for range in docent_text::sentences(passage).into_iter().take(MOST_READ) {
        let ordinal = |last: &std::ops::Range<usize>| {
            let word = passage[last.clone()].split_whitespace().next_back().unwrap_or_default();
            let digits = word.strip_suffix('.').unwrap_or_default();
            (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        match ranges.last_mut() {
            Some(last) if ordinal(last) => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges.into_iter().map(|range| words::read(&passage[range])).collect()
}

/// Without the markers of citations and the number of a list's item, which are no facts.
fn plain(claim: &str) -> String {
    let mut bare = String::with_capacity(claim.len());
    for piece in claim.trim_start().split_inclusive(']') {
        match piece.rsplit_once('[') {
            Some((before, number)) if number.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit()) => {
                bare.push_str(before);
            }
            _ => bare.push_str(piece),
        }
    }
    match bare.split_once(['.', ')']) {
        Some((item, rest))
            if !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with(' ') =>
        {
            rest.trim_start().to_owned()
        }
        _ => bare,
    }
}

/// What stands between quotation marks.
fn quotes(claim: &str) -> impl Iterator<Item = &str> {
    let marks = [('“', '”'), ('„', '“'), ('«', '»'), ('"', '"')];
    marks.into_iter().flat_map(move |(open, close)| {
        claim.split(open).skip(1).step_by(if open == close { 2 } else { 1 }).filter_map(move |rest| {
            match rest.split_once(close) {
                Some((quote, _)) => Some(quote),
                None if open == close => Some(rest),
                None => None,
            }
        })
    })
}

/// Whether a quotation stands in the passage, whatever the case and the spaces.
fn stands(quote: &str, passage: &str) -> bool {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    flat(passage).contains(flat(quote).trim_end_matches(['.', ',', '!', '?']))
}

/// Whether neighbouring sentences carry the claim.
fn carries(claim: &[Word], sentences: &[Vec<Word>], earlier: &[Vec<Word>]) -> bool {
    let window: Vec<Word> = sentences.concat();
    coverage(claim, &window) >= LEAST_COVERAGE
        && is_whole(claim, &window, earlier)
        && facts::stand(claim, &window)
        && facts::belong(claim, sentences)
        && rivals::agree(claim, &window)
        && rivals::same_sign(claim, &window)
        && rivals::same_order(claim, &window)
        && rivals::same_way(claim, &window)
        && rivals::same_slots(claim, &window)
}

/// Whether a short claim is covered whole, but for one word that earlier sentences spoke of: "it" in the source.
fn is_whole(claim: &[Word], window: &[Word], earlier: &[Vec<Word>]) -> bool {
    let stands = |word: &Word, words: &[Word]| words.iter().any(|other| word.is_kin(other));
    let telling = telling(claim);
    let missing: Vec<&&Word> = telling.iter().filter(|word| !stands(word, window)).collect();
    let spoken_of = |word: &Word| earlier.iter().any(|words| stands(word, words));
    telling.len() > SHORT || missing.len() <= 1 && missing.iter().all(|word| spoken_of(word))
}

/// The share of the claim's telling words that stand in the window.
fn coverage(claim: &[Word], window: &[Word]) -> f64 {
    let telling: Vec<&Word> = claim.iter().filter(|word| word.tells()).collect();
    let found = telling.iter().filter(|word| window.iter().any(|other| word.is_kin(other))).count();
    found as f64 / telling.len().max(1) as f64
}

fn clauses(words: &[Word]) -> Vec<&[Word]> {
    let mut bounds: Vec<usize> = (0..words.len()).filter(|at| *at == 0 || words[*at].opens).collect();
    bounds.push(words.len());
    bounds.windows(2).map(|pair| &words[pair[0]..pair[1]]).collect()
}

/// Only words that tell something, in order.
fn telling(words: &[Word]) -> Vec<&Word> {
    words.iter().filter(|word| word.tells()).collect()
}

impl Word {
    fn number(&self) -> Option<&str> {
        if let Token::Number(value) = &self.token { Some(value) } else { None }
    }
}

#[cfg(test)]
mod tests;
