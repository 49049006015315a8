//! One batch of chunks: which vectors the cache has, which the model must make, and that all of them are whole. Pure.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::plan::Row;
use crate::error::{Error, Kind, Result};

/// Chunks per transaction: small enough that a killed worker loses seconds, large enough for a provider's batch.
pub const SIZE: usize = 64;

/// Rows with their vectors, and which of the vectors the cache does not know yet.
pub struct Batch {
    pub rows: Vec<Row>,
    pub vectors: Vec<Vec<f32>>,
    /// What was embedded, by its hash, with the row that it first stands in.
    pub fresh: BTreeMap<Vec<u8>, usize>,
}

/// What the cache had, and what must be asked of the model.
pub struct Asked {
    hashes: Vec<Vec<u8>>,
    cached: HashMap<Vec<u8>, Vec<f32>>,
    fresh: BTreeMap<Vec<u8>, usize>,
}

/// What names an embedded text in the cache.
pub fn hashes(rows: &[Row]) -> Vec<Vec<u8>> {
    rows.iter().map(|row| Sha256::digest(row.input.as_bytes()).to_vec()).collect()
}

impl Asked {
    pub fn new(hashes: Vec<Vec<u8>>, cached: HashMap<Vec<u8>, Vec<f32>>) -> Asked {
        let mut fresh = BTreeMap::new();
        for (place, hash) in hashes.iter().enumerate() {
            if !cached.contains_key(hash) {
                fresh.entry(hash.clone()).or_insert(place);
            }
        }
        Asked { hashes, cached, fresh }
    }

    /// What the model is asked for, each text once.
    pub fn inputs(&self, rows: &[Row]) -> Vec<String> {
        self.fresh.values().filter_map(|place| rows.get(*place)).map(|row| row.input.clone()).collect()
    }

    pub fn with(mut self, rows: Vec<Row>, answers: Vec<Vec<f32>>) -> Result<Batch> {
        if answers.len() != self.fresh.len() {
            return Err(odd_vectors());
        }
        self.cached.extend(self.fresh.keys().cloned().zip(answers));
        let vectors: Option<Vec<Vec<f32>>> = self.hashes.iter().map(|hash| self.cached.get(hash).cloned()).collect();
        let vectors = vectors.ok_or_else(odd_vectors)?;
        let dimensions = vectors.first().map_or(0, Vec::len);
        if dimensions == 0
            || vectors.iter().any(|vector| vector.len() != dimensions || vector.iter().any(|x| !x.is_finite()))
        {
            return Err(odd_vectors());
        }
        Ok(Batch { rows, vectors, fresh: self.fresh })
    }
}

fn odd_vectors() -> Error {
    Error::new(Kind::Provider("provider_protocol"), "The embedding model did not give one whole vector for each text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(inputs: &[&str]) -> Vec<Row> {
        let row = |(ordinal, input): (usize, &&str)| Row {
            ordinal: ordinal as i32,
            text: (*input).to_owned(),
            page_first: None,
            page_last: None,
            span: (0, 0),
            heading_path: Vec::new(),
            tokens: 1,
            input: (*input).to_owned(),
            terms: docent_text::term_counts(input),
        };
        inputs.iter().enumerate().map(row).collect()
    }

    fn vector(input: &str) -> Vec<f32> {
        vec![input.len() as f32, 1.0]
    }

    #[test]
    fn each_text_is_asked_for_once_and_lands_where_it_stands() {
        let rows = rows(&["one", "three", "one", "fifteen"]);
        let hashes = hashes(&rows);
        let cached = HashMap::from([(hashes[1].clone(), vector("three"))]);
        let asked = Asked::new(hashes, cached);
        let mut inputs = asked.inputs(&rows);
        let answers = inputs.iter().map(|input| vector(input)).collect();
        let batch = asked.with(rows, answers).unwrap();
        assert_eq!(batch.vectors, ["one", "three", "one", "fifteen"].map(vector));
        inputs.sort();
        assert_eq!(inputs, ["fifteen", "one"]);
        assert_eq!(batch.fresh.len(), 2);
    }

    #[test]
    fn vectors_that_are_not_whole_are_refused() {
        for answers in [
            vec![],
            vec![vector("a")],
            vec![vec![], vec![]],
            vec![vec![1.0], vec![1.0, 2.0]],
            vec![vec![1.0], vec![f32::NAN]],
        ] {
            let rows = rows(&["a", "bb"]);
            let asked = Asked::new(hashes(&rows), HashMap::new());
            assert_eq!(asked.with(rows, answers).err().unwrap().code(), "provider_protocol");
        }
    }
}
