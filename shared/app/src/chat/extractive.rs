//! The answerer that needs no key: the best sentences of the passages, verbatim, each with its citation.

use std::collections::{BTreeMap, BTreeSet};

use crate::search::Hit;

/// How it is labelled wherever an answer is shown.
pub const LABEL: &str = "extractive";

/// More would be a list of passages rather than an answer.
const SENTENCES: usize = 3;

/// Sentences longer than this are cut at a word: some "sentences" are whole tables.
const LONGEST: usize = 400;

/// Quotes the sentences that say most about `question`; `[n]` is the n-th hit. Empty when there is nothing to quote.
pub fn answer(question: &str, hits: &[Hit]) -> String {
    let asked: BTreeSet<String> = docent_text::terms(question).into_iter().collect();
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
fn rarity(asked: &BTreeSet<String>, sentences: &[Sentence<'_>]) -> BTreeMap<String, f64> {
    let total = sentences.len() as f64;
    let weigh = |term: &String| {
        let df = sentences.iter().filter(|sentence| sentence.terms.contains(term)).count() as f64;
        (term.clone(), (1.0 + (total - df + 0.5) / (df + 0.5)).ln())
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
