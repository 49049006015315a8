//! The answerer that needs no key: the best sentences of the passages, verbatim, each with its citation.

use std::collections::{BTreeMap, BTreeSet};

use crate::search::Hit;

/// How it is labelled wherever an answer is shown.
pub const LABEL: &str = "extractive";

/// More would be a list of passages rather than an answer.
const SENTENCES: usize = 3;

/// Sentences longer than this are cut at a word: some "sentences" are whole tables.
const LONGEST: usize = 400;

/// What all terms together count that only earlier questions name.
const EARLIER: f64 = 0.5;

/// Quotes the sentences that say most about `question`, and after that about what it leans on; `[n]` is the n-th hit.
/// Empty when there is nothing to quote.
pub fn answer(question: &str, earlier: &str, hits: &[Hit]) -> String {
    let asked = weights(question, earlier);
    let sentences = sentences(hits);
    let rarity = rarity(&asked, &sentences);
    let mut scored: Vec<(f64, usize)> =
        sentences.iter().enumerate().map(|(index, sentence)| (score(sentence, &rarity), index)).collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    let mut chosen: Vec<&Sentence> = Vec::new();
    for (score, index) in scored {
        let sentence = &sentences[index];
        let repeated = chosen.iter().any(|other| other.text == sentence.text);
        // A sentence with less than half of the best one's weight pads the answer more than it tells.
        if chosen.len() < SENTENCES && score * 2.0 >= best && !repeated {
            chosen.push(sentence);
        }
    }
    chosen
        .iter()
        .map(|sentence| format!("“{}” [{}]", shortened(sentence.text), sentence.hit + 1))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// What each term counts: those of the question, and behind them those of the questions before, the later ones more.
fn weights(question: &str, earlier: &str) -> BTreeMap<String, f64> {
    // "And how long does it last?" must not find what "does not".
    let docent_text::Question { terms, weights, .. } = docent_text::question(question);
    let mut asked: BTreeMap<String, f64> = terms.into_iter().zip(weights).collect();
    let mut before: BTreeMap<String, f64> = BTreeMap::new();
    for (age, line) in earlier.lines().rev().enumerate() {
        let docent_text::Question { terms, weights, .. } = docent_text::question(line);
        let telling =
            terms.into_iter().zip(weights).filter(|(term, weight)| *weight >= 1.0 && !asked.contains_key(term));
        for (term, _) in telling {
            before.entry(term).or_insert(1.0 / (1 + age) as f64);
        }
    }
    let sum: f64 = before.values().sum();
    asked.extend(before.into_iter().map(|(term, weight)| (term, EARLIER * weight / sum)));
    asked
}

struct Sentence<'a> {
    text: &'a str,
    hit: usize,
    place: usize,
    terms: BTreeSet<String>,
}

fn sentences(hits: &[Hit]) -> Vec<Sentence<'_>> {
    let mut all = Vec::new();
    for (hit, found) in hits.iter().enumerate() {
        for (place, range) in docent_text::sentences(&found.text).into_iter().enumerate() {
            let text = &found.text[range];
            let terms: BTreeSet<String> = docent_text::terms(text).into_iter().collect();
            if terms.len() >= 2 {
                all.push(Sentence { text, hit, place, terms });
            }
        }
    }
    all
}

/// A question's rarest words among the candidates weigh most, as in BM25's idf.
fn rarity(asked: &BTreeMap<String, f64>, sentences: &[Sentence<'_>]) -> BTreeMap<String, f64> {
    let total = sentences.len() as f64;
    let weigh = |(term, weight): (&String, &f64)| {
        let df = sentences.iter().filter(|sentence| sentence.terms.contains(term)).count() as f64;
        (term.clone(), weight * (1.0 + (total - df + 0.5) / (df + 0.5)).ln())
    };
    asked.iter().map(weigh).collect()
}

fn score(sentence: &Sentence<'_>, rarity: &BTreeMap<String, f64>) -> f64 {
    let shared: f64 = sentence.terms.iter().filter_map(|term| rarity.get(term)).sum();
    // The search's own order breaks near ties, and a very long sentence does not win by its length.
    let order = 0.15 / (1 + sentence.hit) as f64 + 0.01 / (1 + sentence.place) as f64;
    shared / (1.0 + (sentence.terms.len() as f64 / 60.0)) + order
}

fn shortened(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.len() <= LONGEST {
        return flat;
    }
    let cut = flat
        .char_indices()
        .take_while(|(at, _)| *at <= LONGEST)
        .filter(|(_, c)| *c == ' ')
        .last()
        .map_or(LONGEST, |(at, _)| at);
    let cut = (0..=cut).rev().find(|at| flat.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &flat[..cut])
}
