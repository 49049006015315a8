//! One batch of chunks: which vectors the cache has, which the model must make, and that all of them are whole. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use docent_llm::EmbedLimits;
use pgvector::Vector;
use sha2::{Digest, Sha256};

use super::plan::Row;
use crate::error::{Error, Kind, Result};

/// Something that is embedded.
pub trait Input {
    fn input(&self) -> &str;
}

impl Input for Row {
    fn input(&self) -> &str {
        &self.input
    }
}

/// Rows with their vectors, and which of the vectors the cache does not know yet.
pub struct Batch<R = Row> {
    pub rows: Vec<R>,
    /// Each once, however many rows have it.
    vectors: Vec<Vector>,
    /// Of each row, where its vector is.
    places: Vec<usize>,
    /// What was embedded, by its hash, with the row that it first stands in.
    pub fresh: BTreeMap<Vec<u8>, usize>,
}

/// What the cache had, and what must be asked of the model.
pub struct Asked {
    hashes: Vec<Vec<u8>>,
    cached: HashMap<Vec<u8>, Vector>,
    fresh: BTreeMap<Vec<u8>, usize>,
}

/// What names an embedded text in the cache: title and headings are part of it, since they change the vector.
pub fn hashes(rows: &[impl Input]) -> Vec<Vec<u8>> {
    rows.iter().map(|row| Sha256::digest(row.input().as_bytes()).to_vec()).collect()
}

impl<R> Batch<R> {
    /// One for each row.
    pub fn vectors(&self) -> impl Iterator<Item = &Vector> {
        self.places.iter().filter_map(|place| self.vectors.get(*place))
    }
}

impl Batch {
    /// One term after another, each with its postings in the order of the chunks: `migrations/0007_postings.sql` says
    /// how they are packed.
    pub fn postings(&self) -> BTreeMap<&str, Vec<i64>> {
        let mut blocks: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for row in &self.rows {
            for (term, count) in &row.terms.counts {
                blocks.entry(term).or_default().push(packed(row.ordinal, *count, row.terms.length));
            }
        }
        blocks
    }
}

fn packed(ordinal: i32, count: u32, length: u32) -> i64 {
    let small = |number: u32| i64::from(number.min(u32::from(u16::MAX)));
    i64::from(ordinal) << 32 | small(count) << 16 | small(length)
}

impl Asked {
    pub fn new(hashes: Vec<Vec<u8>>, cached: HashMap<Vec<u8>, Vector>) -> Asked {
        let mut fresh = BTreeMap::new();
        for (place, hash) in hashes.iter().enumerate() {
            if !cached.contains_key(hash) {
                fresh.entry(hash.clone()).or_insert(place);
            }
        }
        Asked { hashes, cached, fresh }
    }

    /// How many rows fill one request: as many as have inputs for it.
    pub fn fill(&self, rows: &[impl Input], limits: &EmbedLimits) -> usize {
        // In the order of the rows: those that are new with their text, all others cost nothing.
        let fresh: Vec<usize> = sorted(self.fresh.values().copied().collect());
        let texts = fresh.iter().filter_map(|place| rows.get(*place)).map(Input::input);
        match fresh.get(limits.fill(texts)) {
            Some(first_too_many) => *first_too_many,
            None => rows.len(),
        }
    }

    /// The same of the first rows alone.
    pub fn first(mut self, count: usize) -> Asked {
        self.hashes.truncate(count);
        self.fresh.retain(|_, place| *place < count);
        let wanted: HashSet<&Vec<u8>> = self.hashes.iter().collect();
        self.cached.retain(|hash, _| wanted.contains(hash));
        self
    }

    /// What the model is asked for, each text once.
    pub fn inputs(&self, rows: &[impl Input]) -> Vec<String> {
        self.fresh.values().filter_map(|place| rows.get(*place)).map(|row| row.input().to_owned()).collect()
    }

    pub fn with<R>(self, rows: Vec<R>, answers: Vec<Vec<f32>>) -> Result<Batch<R>> {
        if answers.len() != self.fresh.len() {
            return Err(odd_vectors());
        }
        let (mut vectors, mut place) = (Vec::new(), HashMap::new());
        let answers = self.fresh.keys().cloned().zip(answers.into_iter().map(Vector::from));
        for (hash, vector) in self.cached.into_iter().chain(answers) {
            place.insert(hash, vectors.len());
            vectors.push(vector);
        }
        let places: Option<Vec<usize>> = self.hashes.iter().map(|hash| place.get(hash).copied()).collect();
        let places = places.ok_or_else(odd_vectors)?;
        let dimensions = vectors.first().map_or(0, |vector| vector.as_slice().len());
        let odd = |vector: &[f32]| vector.len() != dimensions || vector.iter().any(|x| !x.is_finite());
        if dimensions == 0 || vectors.iter().any(|vector| odd(vector.as_slice())) {
            return Err(odd_vectors());
        }
        Ok(Batch { rows, vectors, places, fresh: self.fresh })
    }
}

fn sorted(mut places: Vec<usize>) -> Vec<usize> {
    places.sort_unstable();
    places
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
        let cached = HashMap::from([(hashes[1].clone(), vector("three").into())]);
        let asked = Asked::new(hashes, cached);
        let mut inputs = asked.inputs(&rows);
        let answers = inputs.iter().map(|input| vector(input)).collect();
        let batch = asked.with(rows, answers).unwrap();
        let vectors: Vec<Vec<f32>> = batch.vectors().map(Vector::to_vec).collect();
        assert_eq!(vectors, ["one", "three", "one", "fifteen"].map(vector));
        inputs.sort();
        assert_eq!(inputs, ["fifteen", "one"]);
        assert_eq!(batch.fresh.len(), 2);
    }

    #[test]
    fn a_batch_ends_where_its_request_is_full() {
        let rows = rows(&["one", "two", "two", "three", "one", "four", "five"]);
        let hashes = hashes(&rows);
        let cached = HashMap::from([(hashes[0].clone(), vector("one").into())]);
        let limits = |inputs| EmbedLimits { inputs, input_tokens: 9, tokens: 99, pace: None };
        for (inputs, expected) in [(1, 3), (2, 5), (3, 6), (4, 7), (9, 7)] {
            let asked = Asked::new(hashes.clone(), cached.clone());
            assert_eq!(asked.fill(&rows, &limits(inputs)), expected, "{inputs}");
            let first = asked.first(expected);
            assert_eq!(first.inputs(&rows).len(), inputs.min(4));
            let answers = first.inputs(&rows).iter().map(|input| vector(input)).collect();
            let batch = first.with(rows[..expected].to_vec(), answers).unwrap();
            assert_eq!(batch.vectors().count(), expected);
        }
        assert_eq!(Asked::new(Vec::new(), HashMap::new()).fill(&Vec::<Row>::new(), &limits(1)), 0);
    }

    #[test]
    fn postings_are_packed_by_term_in_the_order_of_the_chunks() {
        let mut rows = rows(&["pump valve pump", "valve", "pump"]);
        rows[2].ordinal = i32::MAX;
        rows[2].terms = docent_text::TermCounts { counts: [("pump".to_owned(), 70_000)].into(), length: 70_001 };
        let batch = Asked::new(hashes(&rows), HashMap::new()).with(rows, vec![vec![1.0]; 3]).unwrap();
        let unpacked = |posting: &i64| [posting >> 32, posting >> 16 & 0xffff, posting & 0xffff];
        let blocks: Vec<(&str, Vec<[i64; 3]>)> =
            batch.postings().into_iter().map(|(term, block)| (term, block.iter().map(unpacked).collect())).collect();
        let (last, most) = (i64::from(i32::MAX), i64::from(u16::MAX));
        assert_eq!(blocks, [("pump", vec![[0, 2, 3], [last, most, most]]), ("valv", vec![[0, 1, 3], [1, 1, 1]])]);
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
