//! Numbers, units, codes and names: each must stand in the evidence, and beside what it stands beside in the claim.

use super::words::{Token, Word};
use super::{NEAR, clauses, telling};

/// What the beginning of another clause adds to the distance of two words.
const CLAUSE_DISTANCE: usize = 6;

/// Whether every number, code and name of the claim stands in the window, numbers with their unit.
pub fn stand(claim: &[Word], window: &[Word]) -> bool {
    // In German every noun has a capital: there coverage and slots judge them.
    let nouns = claim.iter().filter(|word| word.named && word.tells()).count();
    let names = nouns * 3 <= telling(claim).len().max(3) || !is_german(claim);
    claim.iter().enumerate().all(|(at, word)| match &word.token {
        Token::Number(_) => has_number(claim, at, window),
        Token::Code => window.iter().any(|other| other.is_kin(word)),
        Token::Plain if word.named && names => window.iter().any(|other| other.is_kin(word)),
        Token::Unit(unit) => {
            let known = |other: &Word| matches!(other.token, Token::Unit(_));
            !window.iter().any(known) || window.iter().any(|other| other.token == Token::Unit(unit))
        }
        _ => true,
    })
}

fn is_german(claim: &[Word]) -> bool {
    let small =
        ["der", "die", "das", "den", "dem", "und", "ist", "ein", "eine", "im", "von", "für", "wird", "nicht", "am"];
    claim.iter().any(|word| small.contains(&word.text.as_str()))
}

fn has_number(claim: &[Word], at: usize, window: &[Word]) -> bool {
    let wanted = unit_beside(claim, at);
    let mut same = window.iter().enumerate().filter(|(_, other)| other.is_kin(&claim[at])).peekable();
    same.peek().is_some()
        && same.any(|(place, _)| match (wanted, unit_beside(window, place)) {
            (Some(wanted), Some(found)) => wanted == found,
            (Some(wanted), None) => {
                !(0..window.len()).any(|at| window[at].number().is_some() && unit_beside(window, at) == Some(wanted))
            }
            _ => true,
        })
}

fn unit_beside(words: &[Word], at: usize) -> Option<&'static str> {
    let unit = |word: &Word| if let Token::Unit(unit) = word.token { Some(unit) } else { None };
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    // "85 million euros": the unit stands behind the magnitude.
    let magnitude =
        usize::from(words.get(at + 1).is_some_and(|word| word.number().is_some_and(|number| number.ends_with("000"))));
    words.get(at + 1 + magnitude).and_then(unit).or_else(|| before.and_then(unit))
}

/// Whether each number and name of the claim stands, in one sentence of the source, with the words that it stands beside
/// in the claim, and no other number or name stands closer to them.
pub fn belong(claim: &[Word], sentences: &[Vec<Word>]) -> bool {
    let names = !is_german(claim);
    let together = clauses(claim).into_iter().all(|clause| {
        let holds = |words: &Vec<Word>| {
            clause
                .iter()
                .filter(|word| word.number().is_some())
                .all(|word| words.iter().any(|other| other.is_kin(word)))
        };
        sentences.iter().any(holds)
    });
    together
        && (0..claim.len()).all(|at| match &claim[at].token {
            Token::Number(_) => counts_the_same(claim, at, sentences) && placed(claim, at, sentences),
            Token::Plain if claim[at].named && names => placed(claim, at, sentences),
            _ => true,
        })
}

/// Whether the word behind a number does not stand behind another number alone.
fn counts_the_same(claim: &[Word], at: usize, sentences: &[Vec<Word>]) -> bool {
    let Some(counted) = claim.get(at + 1).filter(|word| word.token == Token::Plain) else { return true };
    let mut before = sentences
        .iter()
        .flat_map(|words| words.windows(2))
        .filter(|two| two[1].is_kin(counted))
        .map(|two| &two[0])
        .filter(|word| word.number().is_some())
        .peekable();
    before.peek().is_none() || before.any(|word| word.is_kin(&claim[at]))
}

fn placed(claim: &[Word], at: usize, sentences: &[Vec<Word>]) -> bool {
    let stands = |words: &[Word], word: &Word| words.iter().any(|other| other.is_kin(word));
    let holding: Vec<&Vec<Word>> = sentences.iter().filter(|words| stands(words, &claim[at])).collect();
    let beside = beside(claim, at);
    let elsewhere = |word: &Word| {
        sentences.iter().any(|words| stands(words, word)) && !holding.iter().any(|words| stands(words, word))
    };
    let number = claim[at].number().is_some();
    let torn = beside
        .words
        .iter()
        .enumerate()
        .any(|(place, word)| (place == 0 || word.named || word.token == Token::Code) && elsewhere(word));
    // A date is no rival of a price.
    let unit =
        |words: &[Word]| words.iter().position(|word| word.is_kin(&claim[at])).and_then(|at| unit_beside(words, at));
    let rival = |words: &[Word], at: usize| {
        let word = &words[at];
        let alike = match number {
            true => word.number().is_some() && unit_beside(words, at) == unit(words),
            false => word.named && word.token == Token::Plain,
        };
        alike && !stands(claim, word)
    };
    // A name may stand in a sentence and be meant by "it" in the next.
    holding.is_empty()
        || !(number && torn)
            && holding.iter().any(|words| {
                let own: Vec<usize> = (0..words.len()).filter(|place| words[*place].is_kin(&claim[at])).collect();
                let rivals: Vec<usize> = (0..words.len()).filter(|place| rival(words, *place)).collect();
                closer(&own, &rivals, &beside, words)
            })
}

/// The telling words closest to a place that are neither numbers nor units, the closest first.
pub struct Beside<'a> {
    pub words: Vec<&'a Word>,
    leads: Option<&'a Word>,
    /// A capital says more than the language's custom.
    names: bool,
}

/// Words that tell what a number or a name belongs to.
const MOST_BESIDE: usize = 3;

pub fn beside(words: &[Word], at: usize) -> Beside<'_> {
    let plain = |word: &Word| matches!(word.token, Token::Plain | Token::Code);
    let close = |other: &usize| {
        *other != at
            && plain(&words[*other])
            && !(words[at].named && words[*other].named)
            && distance(words, at, *other) <= 2 * NEAR
    };
    let mut near: Vec<usize> = (0..words.len()).filter(close).collect();
    near.sort_by_key(|other| distance(words, at, *other));
    let leads = at.checked_sub(1).and_then(|before| words.get(before));
    Beside {
        words: near.into_iter().take(MOST_BESIDE).map(|other| &words[other]).collect(),
        leads,
        names: !is_german(words),
    }
}

pub fn distance(words: &[Word], left: usize, right: usize) -> usize {
    let (first, last) = (left.min(right), left.max(right));
    last - first + CLAUSE_DISTANCE * words[first + 1..=last].iter().filter(|word| word.opens).count()
}

/// How much closer a rival must stand to a word before the word speaks for it.
const MARGIN: usize = 3;

/// How far a word stands from the own places and from the rivals'.
struct Vote {
    mine: usize,
    theirs: usize,
    capital: bool,
    /// Directly before the thing in the claim.
    leads: bool,
}

/// Whether no word of `beside` speaks for one of the rivals. A word may be left out where it comes again ("bicycles cost
/// 4 euros, cars 28"), so one that stands closer to the own places excuses another; a name is excused only by the word
/// that leads.
pub fn closer(own: &[usize], rivals: &[usize], beside: &Beside<'_>, words: &[Word]) -> bool {
    let vote = |word: &&Word| {
        let places: Vec<usize> = (0..words.len()).filter(|at| words[*at].is_kin(word)).collect();
        let least =
            |from: &[usize]| from.iter().flat_map(|from| places.iter().map(|to| distance(words, *from, *to))).min();
        let leads = beside.leads.is_some_and(|lead| std::ptr::eq(lead, *word));
        Some(Vote { mine: least(own)?, theirs: least(rivals)?, capital: word.capital && beside.names, leads })
    };
    let votes: Vec<Vote> = beside.words.iter().filter_map(vote).collect();
    let named = votes.iter().any(|vote| vote.capital && vote.mine < vote.theirs);
    votes.iter().filter(|vote| vote.theirs + MARGIN <= vote.mine).all(|against| {
        let excuses =
            |vote: &Vote| vote.mine < vote.theirs && vote.mine <= against.theirs && (!against.capital || vote.leads);
        !against.capital && named || votes.iter().any(excuses)
    })
}
