//! What a bot had no answer to: refused questions, those that ask for the same taken together.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// Questions that one report looks at, the newest first.
pub const MOST_QUESTIONS: usize = 1000;
/// Other wordings that a gap shows.
pub const EXAMPLES: usize = 5;
/// How many days a report goes back when nobody says.
pub const DEFAULT_DAYS: i64 = 30;

/// Two questions ask for the same when they share so much of their telling terms (Jaccard's index).
const SAME: f64 = 0.5;

/// A question that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    pub question: String,
    pub at: Timestamp,
}

/// Questions of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// As it was asked last.
    pub question: String,
    pub asked: usize,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Other wordings, the newest first.
    pub examples: Vec<String>,
}

/// Those that are asked for most first. The questions come newest first.
pub fn gaps(refused: &[Refused]) -> Vec<Gap> {
    let mut found: Vec<(BTreeSet<String>, Gap)> = Vec::new();
    for Refused { question, at } in refused {
        let terms = telling(question);
        let near = found.iter_mut().map(|(other, gap)| (alike(&terms, other), gap));
        let nearest = near.filter(|(alike, _)| *alike >= SAME).max_by(|one, other| one.0.total_cmp(&other.0));
        match nearest {
            Some((_, gap)) => gap.add(question, *at),
            None => {
                let gap = Gap { question: question.clone(), asked: 1, first: *at, last: *at, examples: Vec::new() };
                found.push((terms, gap));
            }
        }
    }
    let mut gaps: Vec<Gap> = found.into_iter().map(|(_, gap)| gap).collect();
    gaps.sort_by_key(|gap| std::cmp::Reverse((gap.asked, gap.last)));
    gaps
}

impl Gap {
    fn add(&mut self, question: &str, at: Timestamp) {
        self.asked += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        let known = self.question == question || self.examples.iter().any(|example| example == question);
        if !known && self.examples.len() < EXAMPLES {
            self.examples.push(question.to_owned());
        }
    }
}

/// The terms that carry a question, or all of them where it has none that do.
fn telling(question: &str) -> BTreeSet<String> {
    let docent_text::Question { terms, weights, .. } = docent_text::question(question);
    terms.into_iter().zip(weights).filter(|(_, weight)| *weight >= 1.0).map(|(term, _)| term).collect()
}

fn alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let both = one.intersection(other).count();
    both as f64 / (one.len() + other.len() - both).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(questions: &[&str]) -> Vec<Refused> {
        let at = |place: usize| Timestamp::from_second(1_000_000 - place as i64).unwrap();
        questions
            .iter()
            .enumerate()
            .map(|(place, text)| Refused { question: (*text).to_owned(), at: at(place) })
            .collect()
    }

    #[test]
    fn questions_for_the_same_are_one_gap() {
        let found = gaps(&refused(&[
            "Do you ship to Norway?",
            "What does the warranty cover?",
            "what is covered by the warranty",
            "Shipping to Norway",
            "What does the warranty cover?",
            "Wer hat die Brücke gebaut?",
        ]));
        let told: Vec<(&str, usize, usize)> =
            found.iter().map(|gap| (gap.question.as_str(), gap.asked, gap.examples.len())).collect();
        assert_eq!(
            told,
            [
                ("What does the warranty cover?", 3, 1),
                ("Do you ship to Norway?", 2, 1),
                ("Wer hat die Brücke gebaut?", 1, 0)
            ]
        );
        assert_eq!((found[0].first.as_second(), found[0].last.as_second()), (999_996, 999_999));
    }

    #[test]
    fn what_has_no_words_is_no_trouble() {
        assert_eq!(gaps(&refused(&["?", "!", ""])).len(), 3);
        assert!(gaps(&[]).is_empty());
        let many: Vec<String> = (0..20).map(|n| format!("warranty {}", "x".repeat(n + 1))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(gaps(&refused(&many)).iter().all(|gap| gap.examples.len() <= EXAMPLES));
    }
}
