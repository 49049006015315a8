//! Hits that say nearly the same, such as a boilerplate page of twenty contracts, give their places to others. Pure.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::Hit;

/// Hits fetched beyond what was asked for, to fill the places of near duplicates.
pub const SPARE: i32 = 10;

/// The share of runs of words that two texts have in common (their Jaccard index) from which on they are near
/// duplicates (Broder 1997, <https://doi.org/10.1109/SEQUEN.1997.666900>).
pub const NEAR: f64 = 0.85;

/// Words of one run.
const RUN: usize = 3;

/// The best `limit` hits of which no two are near duplicates, in their order.
pub fn distinct(hits: Vec<Hit>, limit: usize) -> Vec<Hit> {
    let mut kept: Vec<(Hit, HashSet<u64>)> = Vec::new();
    for hit in hits {
        if kept.len() == limit {
            break;
        }
        let runs = runs(&hit.text);
        if !kept.iter().any(|(_, others)| jaccard(&runs, others) >= NEAR) {
            kept.push((hit, runs));
        }
    }
    kept.into_iter().map(|(hit, _)| hit).collect()
}

fn runs(text: &str) -> HashSet<u64> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    match words.len() {
        0..RUN => HashSet::from([hasher.hash_one(&words)]),
        _ => words.windows(RUN).map(|run| hasher.hash_one(run)).collect(),
    }
}

fn jaccard(one: &HashSet<u64>, other: &HashSet<u64>) -> f64 {
    let both = one.intersection(other).count();
    both as f64 / (one.len() + other.len() - both) as f64
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
