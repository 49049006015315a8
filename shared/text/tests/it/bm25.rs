//! A plain BM25 index over `term_counts`, to measure terms and chunks with.

use std::collections::{BTreeMap, HashMap};

use docent_text::term_counts;

/// BM25 parameters as in most published runs.
const K1: f64 = 1.2;
const B: f64 = 0.75;

pub struct Index {
    postings: HashMap<String, Vec<(usize, u32)>>,
    lengths: Vec<f64>,
    mean: f64,
}

impl Index {
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut postings: HashMap<String, Vec<(usize, u32)>> = HashMap::new();
        let mut lengths = Vec::new();
        for (index, text) in texts.enumerate() {
            let counted = term_counts(text);
            lengths.push(f64::from(counted.length));
            for (term, count) in counted.counts {
                postings.entry(term).or_default().push((index, count));
            }
        }
        let mean = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        Self { postings, lengths, mean }
    }

    pub fn search(&self, question: &str, limit: usize) -> Vec<usize> {
        let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
        let total = self.lengths.len() as f64;
        for term in term_counts(question).counts.keys() {
            let Some(postings) = self.postings.get(term) else { continue };
            let frequency = postings.len() as f64;
            let rarity = (1.0 + (total - frequency + 0.5) / (frequency + 0.5)).ln();
            for &(index, count) in postings {
                let count = f64::from(count);
                let length = 1.0 - B + B * self.lengths[index] / self.mean;
                *scores.entry(index).or_default() += rarity * count * (K1 + 1.0) / (count + K1 * length);
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1));
        ranked.into_iter().take(limit).map(|(index, _)| index).collect()
    }
}
