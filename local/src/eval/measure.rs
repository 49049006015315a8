//! What the rankings of a set are worth: the usual measures, over documents in the order of their best passage.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::methods::{Bench, Method, Passage};
use super::{Place, Question, Set};

/// The depth of recall and nDCG.
const DEPTH: usize = 10;

/// What was found for one question.
#[derive(Default)]
pub struct Found {
    pub passages: Vec<Passage>,
    pub seconds: Option<f64>,
    /// Whether an answer would have been given.
    pub relevant: Option<bool>,
}

/// The sums of one set under one configuration.
pub struct Account {
    pub set: String,
    pub method: Method,
    pub label: String,
    ndcg: Mean,
    recall: Mean,
    reciprocal: Mean,
    cited: Mean,
    answered: Mean,
    refused: Mean,
    seconds: Vec<f64>,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What a table shows; nothing where the set or the method has no such thing.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    pub questions: usize,
    pub ndcg: Option<f64>,
    pub recall: Option<f64>,
    pub mrr: Option<f64>,
    /// How often the first passage is one that holds the expected words.
    pub citations: Option<f64>,
    /// The mean of two shares: answerable questions that were answered, unanswerable ones that were refused.
    pub refusals: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

impl Account {
    pub fn new(set: &Set, method: Method, bench: &Bench<'_>) -> Account {
        let label = match method {
            Method::Dense | Method::Hybrid => format!("{} {}", method.name(), bench.model),
            Method::Template | Method::Lexical => method.name().to_owned(),
        };
        Account::labelled(&set.name, method, label)
    }

    pub fn labelled(set: &str, method: Method, label: String) -> Account {
        let [ndcg, recall, reciprocal, cited, answered, refused] = std::array::from_fn(|_| Mean::default());
        let set = set.to_owned();
        Account { set, method, label, ndcg, recall, reciprocal, cited, answered, refused, seconds: Vec::new() }
    }

    pub fn count(&mut self, question: &Question, found: &Found) {
        self.seconds.extend(found.seconds);
        if let Some(relevant) = found.relevant {
            let (share, right) = match question.expected.is_empty() {
                true => (&mut self.refused, !relevant),
                false => (&mut self.answered, relevant),
            };
            share.add(f64::from(u8::from(right)));
        }
        if question.expected.is_empty() {
            return;
        }
        let expected: BTreeSet<usize> = question.expected.iter().map(|place| place.document).collect();
        let ranked = documents(&found.passages);
        let hits = |depth: usize| ranked.iter().take(depth).filter(|document| expected.contains(document)).count();
        self.ndcg.add(ndcg(&ranked, &expected));
        self.recall.add(hits(DEPTH) as f64 / expected.len() as f64);
        let first = ranked.iter().position(|document| expected.contains(document));
        self.reciprocal.add(first.map_or(0.0, |place| 1.0 / (place as f64 + 1.0)));
        if question.expected.iter().any(|place| place.quote.is_some() || place.span.is_some() || place.page.is_some()) {
            let right = |passage: &Passage| question.expected.iter().any(|place| holds(passage, place));
            self.cited.add(f64::from(u8::from(found.passages.first().is_some_and(right))));
        }
    }

    pub fn scores(&self) -> Scores {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds.get((seconds.len() as f64 * share) as usize).map(|seconds| seconds * 1000.0);
        let both = self.answered.value().zip(self.refused.value());
        Scores {
            questions: self.ndcg.count,
            ndcg: self.ndcg.value(),
            recall: self.recall.value(),
            mrr: self.reciprocal.value(),
            citations: self.cited.value(),
            refusals: both.map(|(answered, refused)| (answered + refused) / 2.0),
            p50: at(0.5),
            p95: at(0.95),
        }
    }

    pub fn json(&self) -> Value {
        let Scores { questions, ndcg, recall, mrr, citations, refusals, p50, p95 } = self.scores();
        json!({
            "set": self.set, "configuration": self.label, "questions": questions, "ndcg10": ndcg, "recall10": recall,
            "mrr": mrr, "citationPrecision": citations, "refusalAccuracy": refusals, "p50Ms": p50, "p95Ms": p95,
        })
    }
}

/// Each document once, where its best passage stands.
fn documents(passages: &[Passage]) -> Vec<usize> {
    let mut ranked = Vec::new();
    for passage in passages {
        if !ranked.contains(&passage.document) {
            ranked.push(passage.document);
        }
    }
    ranked
}

/// nDCG@10 with binary relevance (Järvelin and Kekäläinen 2002, <https://doi.org/10.1145/582415.582418>).
fn ndcg(ranked: &[usize], expected: &BTreeSet<usize>) -> f64 {
    let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let places = ranked.iter().take(DEPTH).enumerate().filter(|(_, document)| expected.contains(document));
    let gain: f64 = places.map(|(place, _)| discount(place)).sum();
    let ideal: f64 = (0..expected.len().min(DEPTH)).map(discount).sum();
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}

fn holds(passage: &Passage, place: &Place) -> bool {
    let quoted = |quote: &String| squeezed(&passage.text).contains(&squeezed(quote));
    let spanned = |span: &std::ops::Range<usize>| {
        passage.span.0 < i64::try_from(span.end).unwrap_or(i64::MAX)
            && i64::try_from(span.start).unwrap_or(i64::MAX) < passage.span.1
    };
    passage.document == place.document
        && place.quote.as_ref().is_none_or(quoted)
        && place.span.as_ref().is_none_or(spanned)
        && place.page.zip(passage.page).is_none_or(|(page, (first, last))| (first..=last).contains(&page))
}

/// A quote that was wrapped is the same quote.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(document: usize, text: &str) -> Passage {
        Passage { document, text: text.to_owned(), span: (10, 20), page: None }
    }

    fn place(document: usize, quote: Option<&str>) -> Place {
        Place { document, quote: quote.map(str::to_owned), span: None, page: None }
    }

    #[test]
    fn measures_are_those_of_the_textbook() {
        let mut account = Account::labelled("s", Method::Lexical, "lexical".to_owned());
        let question = Question { text: String::new(), expected: vec![place(3, Some("b c")), place(5, None)] };
        let passages = vec![passage(1, "x"), passage(1, "y"), passage(3, "a b\n c"), passage(4, "")];
        account.count(&question, &Found { passages, seconds: Some(0.002), relevant: Some(true) });
        let nothing = Question { text: String::new(), expected: Vec::new() };
        account.count(&nothing, &Found { passages: Vec::new(), seconds: Some(0.001), relevant: Some(true) });
        let scores = account.scores();
        let ideal = 1.0 + 1.0 / 3f64.log2();
        assert!((scores.ndcg.unwrap() - (1.0 / 3f64.log2()) / ideal).abs() < 1e-12);
        assert_eq!((scores.recall, scores.mrr, scores.citations), (Some(0.5), Some(0.5), Some(0.0)));
        assert_eq!((scores.refusals, scores.questions, scores.p95), (Some(0.5), 1, Some(2.0)));
    }

    #[test]
    fn a_citation_is_right_when_it_holds_what_was_expected() {
        for (passage, place, right) in [
            (passage(3, "a b\n c d"), place(3, Some("b c")), true),
            (passage(3, "a b"), place(3, Some("b c")), false),
            (passage(2, "a b c"), place(3, Some("b c")), false),
            (passage(3, ""), Place { span: Some(19..30), ..place(3, None) }, true),
            (passage(3, ""), Place { span: Some(20..30), ..place(3, None) }, false),
            (Passage { page: Some((6, 7)), ..passage(3, "") }, Place { page: Some(7), ..place(3, None) }, true),
            (Passage { page: Some((6, 7)), ..passage(3, "") }, Place { page: Some(8), ..place(3, None) }, false),
            (passage(3, ""), Place { page: Some(8), ..place(3, None) }, true),
        ] {
            assert_eq!(holds(&passage, &place), right);
        }
    }
}
