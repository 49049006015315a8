//! Hits that say nearly the same, such as a boilerplate page of twenty contracts, give their places to others. Pure.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::Hit;

/// Hits fetched for so many wanted, to fill the places of near duplicates; both legs together give no more than 100.
pub fn candidates(limit: i32) -> i32 {
    (2 * limit + 16).min(100)
}

/// The share of runs of words that two texts have in common (their Jaccard index) from which on they are near
/// duplicates (Broder 1997, <https://doi.org/10.1109/SEQUEN.1997.666900>).
pub const NEAR: f64 = 0.9;

/// Words of one run.
const RUN: usize = 3;

/// The best `limit` hits of which no two are near duplicates, in their order.
pub fn distinct(hits: Vec<Hit>, limit: usize) -> Vec<Hit> {
    let mut kept: Vec<(Hit, Words)> = Vec::new();
    for hit in hits {
        if kept.len() == limit {
            break;
        }
        let words = Words::of(&hit.text);
        // What holds more of the question is not the same to whoever asked it.
        let doubled = |(other, others): &(Hit, Words)| hit.coverage <= other.coverage && words.nearly(others);
        if !kept.iter().any(doubled) {
            kept.push((hit, words));
        }
    }
    kept.into_iter().map(|(hit, _)| hit).collect()
}

struct Words {
    runs: HashSet<u64>,
    /// Two leases that differ in nothing but the rent are two.
    numbers: BTreeSet<String>,
}

impl Words {
    fn of(text: &str) -> Words {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let runs = match words.len() {
            0..RUN => HashSet::from([hasher.hash_one(&words)]),
            _ => words.windows(RUN).map(|run| hasher.hash_one(run)).collect(),
        };
        Words { runs, numbers: words.into_iter().filter(|word| word.contains(char::is_numeric)).collect() }
    }

    fn nearly(&self, other: &Words) -> bool {
        let both = self.runs.intersection(&other.runs).count();
        let jaccard = both as f64 / (self.runs.len() + other.runs.len() - both) as f64;
        jaccard >= NEAR && self.numbers == other.numbers
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hits(texts: &[&str]) -> Vec<Hit> {
        let hit = |(at, text): (usize, &&str)| Hit {
            document: Uuid::from_u128(at as u128),
            text: (*text).to_owned(),
            ..Hit::default()
        };
        texts.iter().enumerate().map(hit).collect()
    }

    fn kept(texts: &[&str], limit: usize) -> Vec<u128> {
        distinct(hits(texts), limit).iter().map(|hit| hit.document.as_u128()).collect()
    }

    #[test]
    fn what_differs_in_a_number_or_holds_more_of_the_question_stays() {
        let lease = |who: &str, rent: &str| {
            let clause =
                "on the first day of each month to the account that the landlord names in writing, and ".repeat(4);
            format!("{who} pays {rent} {clause} nothing else.")
        };
        let (acme, bolt, carl) = (lease("Acme", "500"), lease("Bolt", "700"), lease("Carl", "500"));
        assert_eq!(kept(&[&acme, &bolt, &acme], 8), [0, 1], "another rent");
        let mut all = hits(&[&acme, &carl]);
        assert_eq!(distinct(all.clone(), 8).len(), 1, "nobody asked who pays");
        all[0].coverage = Some(0.5);
        all[1].coverage = Some(0.9);
        assert_eq!(distinct(all, 8).len(), 2, "the question names the second one");
    }

    #[test]
    fn the_better_of_two_near_duplicates_stays() {
        let long = "The tenant pays the rent on the first day of each month to the account that the landlord names.";
        let nearly = "the tenant pays the rent, on the first day of each month, to the account that the landlord names";
        let other =
            "The tenant pays the rent on the last day of each quarter in cash, and the landlord gives a receipt.";
        assert_eq!(kept(&[long, nearly, other], 8), [0, 2]);
        assert_eq!(kept(&[long, nearly, other], 2), [0, 2], "another takes the place");
        assert_eq!(kept(&[long, other, nearly], 2), [0, 1], "the best two");
        assert_eq!(kept(&["Yes.", "yes", "No."], 8), [0, 2], "texts shorter than a run");
        assert_eq!(kept(&["", "", "a"], 8), [0, 2]);
        assert_eq!(kept(&["一二三", "一二三", "四五六"], 8), [0, 2], "a script without spaces");
    }
}
