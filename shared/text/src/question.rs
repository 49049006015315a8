//! What a question asks for: its terms by weight, and its language. Words that frame a question ("what", "please tell
//! me") are rare in documents, so their rarity alone would make them the most telling ones.

use std::collections::{BTreeMap, HashSet};

use crate::analyzer::Analyzer;
use crate::language;

/// What a framing word counts in a question that has others. Not nothing: it still tells "to be" from "to have been".
const FRAMING_WEIGHT: f64 = 0.1;

/// English words that frame what is asked, besides the small words of [`language`].
const FRAMING: &str = "about above across after again against all along already also although always am among an and any \
    anybody anyone anything available because been before being below beside between both but could describe did \
    different discuss do does doing done down during each either else ever every everyone exist explain far few find \
    further gave get give given gives got has have having her here him his however if information into just kind know \
    known made make many me mean means might more most much must my neither never nor now obtained off once one \
    only onto other our out over own particular please possible regarding related same several shall she should show \
    since so some someone something such sort sure take taken tell than then there therefore these thing things those \
    though through thus to too toward under until up upon us use used using various very via want was way ways were \
    whatever where whether while who whom whose why within without would yet your";

/// The terms of a question, each once and in order, with what each of them counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    pub terms: Vec<String>,
    /// Of each term, 0 to 1.
    pub weights: Vec<f64>,
    /// ISO 639-1, where the question shows it.
    pub language: Option<&'static str>,
}

/// Reads a question: by the same rules as a document, so that its terms are the document's.
pub fn question(text: &str) -> Question {
    let mut weights = weighed(text, |_, _| {});
    // "Who is who?" is all that there is to go by.
    if weights.values().all(|weight| *weight < 1.0) {
        weights.values_mut().for_each(|weight| *weight = 1.0);
    }
    let (terms, weights) = weights.into_iter().unzip();
    Question { terms, weights, language: language::shown(text) }
}

/// How many words say what a question is about; none where all of them only frame one.
pub fn telling(text: &str) -> usize {
    telling_but(text, |_| false)
}

/// The same without some words, which are shown in small letters.
pub(crate) fn telling_but(text: &str, left_out: impl Fn(&str) -> bool) -> usize {
    let mut words: Vec<String> = Vec::new();
    weighed(text, |word, weight| {
        let lower = word.to_lowercase();
        if weight >= 1.0 && !words.contains(&lower) && !left_out(&lower) {
            words.push(lower);
        }
    });
    words.len()
}

/// Each term with what it counts; `heard` is told of every word.
fn weighed(text: &str, mut heard: impl FnMut(&str, f64)) -> BTreeMap<String, f64> {
    let mut analyzer = Analyzer::default();
    let found = analyzer.words(text);
    let framing: HashSet<&str> = FRAMING.split_whitespace().collect();
    // "Who joined the WHO, and does it work for IT in the US?": among small letters, capitals name something.
    let mixed = text.chars().any(char::is_lowercase);
    let names = |word: &str| mixed && word.chars().nth(1).is_some() && word.chars().all(char::is_uppercase);
    let frames = |word: &str| {
        let lower = word.to_lowercase();
        let small = language::small_in(&lower) >> found.language & 1 == 1;
        !names(word) && (small || (found.language == language::ENGLISH && framing.contains(lower.as_str())))
    };
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for (word, terms) in &found.words {
        let weight = if frames(word) { FRAMING_WEIGHT } else { 1.0 };
        heard(word, weight);
        for term in terms {
            let most = weights.entry(term.clone()).or_insert(weight);
            *most = most.max(weight);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms;

    fn heavy(text: &str) -> Vec<String> {
        let question = question(text);
        let both = question.terms.into_iter().zip(question.weights);
        both.filter(|(_, weight)| *weight == 1.0).map(|(term, _)| term).collect()
    }

    #[test]
    fn what_frames_a_question_counts_little() {
        for (text, expected) in [
            ("What is the refund policy?", ["polici", "refund"].as_slice()),
            ("Could you please tell me about invoices", &["invoic"]),
            ("Wie lange ist die Garantie?", &["garanti", "lang"]),
            ("Who is who?", &["is", "who"]),
            ("Who pays the WHO in the US?", &["pay", "us", "who"]),
            ("WHAT IS THE REFUND POLICY", &["polici", "refund"]),
            ("What may I list by the due date in May?", &["date", "due", "list", "may"]),
            ("What is die casting?", &["cast", "die"]),
            ("退款需要多久", &["多久", "款需", "要多", "退款", "需要"]),
            ("", &[]),
        ] {
            assert_eq!(heavy(text), expected, "{text}");
        }
    }

    #[test]
    fn its_terms_are_those_of_a_text() {
        for text in
            ["What did getUserName return in v2.1?", "Où est la gare de l'Est ?", "東京 offices ในไทย", "the a of"]
        {
            let mut expected = terms(text);
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(question(text).terms, expected, "{text}");
        }
    }

    #[test]
    fn a_language_is_named_where_it_shows() {
        for (text, expected) in [
            ("What is the refund policy?", Some("en")),
            ("refund policy", None),
            ("Wie lange dauert die Lieferung?", Some("de")),
            ("Rückerstattung", Some("other")),
            ("Cuánto cuesta el envío", Some("es")),
            ("Phí vận chuyển là bao nhiêu", Some("other")),
            ("Сколько стоит доставка?", Some("ru")),
            ("退款需要多久", Some("zh")),
            ("返金は何日かかりますか", Some("ja")),
            ("การคืนเงินใช้เวลากี่วัน", Some("th")),
            ("वापसी में कितने दिन लगते हैं", Some("hi")),
            ("ERR-4711", None),
        ] {
            assert_eq!(question(text).language, expected, "{text}");
        }
    }
}
