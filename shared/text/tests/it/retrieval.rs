//! The chunker's default sizes against a public benchmark: 472 questions with exact answer spans.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;

use docent_text::{ChunkOptions, chunk, term_counts};

use crate::support::{data, read};

/// BM25 parameters as in most published runs.
const K1: f64 = 1.2;
const B: f64 = 0.75;
const HITS: usize = 5;

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

#[derive(Default, Debug)]
struct Score {
    recall: f64,
    precision: f64,
    omega: f64,
    mean_chars: f64,
}

fn overlap(spans: &[Range<usize>], references: &[Range<usize>]) -> (usize, usize) {
    let covered = |reference: &Range<usize>| -> usize {
        spans.iter().map(|span| span.end.min(reference.end).saturating_sub(span.start.max(reference.start))).sum()
    };
    (references.iter().map(covered).sum(), spans.iter().map(|span| span.len()).sum())
}

fn measure(folder: &std::path::Path, options: &ChunkOptions) -> Score {
    let questions = fs::read_to_string(folder.join("questions_df.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(questions.as_bytes());
    let mut corpora: HashMap<String, (Vec<Range<usize>>, Index)> = HashMap::new();
    let mut score = Score::default();
    let (mut chunks_total, mut chars_total, mut asked) = (0, 0, 0);
    for record in reader.records() {
        let record = record.unwrap();
        let (spans, index) = corpora.entry(record[2].to_owned()).or_insert_with(|| {
            let bytes = fs::read(folder.join("corpora").join(format!("{}.md", &record[2]))).unwrap();
            let extract = read("corpus.txt", bytes).unwrap();
            let chunks = chunk(&extract, options);
            let index = Index::new(chunks.iter().map(|chunk| &extract.text[chunk.start..chunk.end]));
            let mut chars_at = vec![0usize; extract.text.len() + 1];
            let mut chars = 0;
            for (at, character) in extract.text.char_indices() {
                chars_at[at] = chars;
                chars += 1;
                chars_at[at + character.len_utf8()] = chars;
            }
            let spans: Vec<_> = chunks.iter().map(|chunk| chars_at[chunk.start]..chars_at[chunk.end]).collect();
            chunks_total += spans.len();
            chars_total += spans.iter().map(|span| span.len()).sum::<usize>();
            (spans, index)
        });
        let references: Vec<serde_json::Value> = serde_json::from_str(&record[1]).unwrap();
        let place = |reference: &serde_json::Value, key: &str| reference[key].as_u64().unwrap() as usize;
        let references: Vec<_> =
            references.iter().map(|found| place(found, "start_index")..place(found, "end_index")).collect();
        let wanted: usize = references.iter().map(|reference| reference.len()).sum();
        let hits: Vec<_> = index.search(&record[0], HITS).into_iter().map(|hit| spans[hit].clone()).collect();
        let (found, returned) = overlap(&hits, &references);
        score.recall += found as f64 / wanted as f64;
        score.precision += found as f64 / returned.max(1) as f64;
        let touching = |span: &&Range<usize>| references.iter().any(|r| r.start < span.end && span.start < r.end);
        let touched: Vec<_> = spans.iter().filter(touching).cloned().collect();
        let (found, returned) = overlap(&touched, &references);
        score.omega += found as f64 / returned.max(1) as f64;
        asked += 1;
    }
    let percent = 100.0 / f64::from(asked);
    Score {
        recall: score.recall * percent,
        precision: score.precision * percent,
        omega: score.omega * percent,
        mean_chars: chars_total as f64 / chunks_total as f64,
    }
}

#[test]
fn default_chunks_beat_the_published_front() {
    let Some(folder) = data("chroma_chunking", "default_chunks_beat_the_published_front") else { return };
    let sizes = std::env::var("SIZES").unwrap_or_default();
    for pair in sizes.split(',').filter(|p| !p.is_empty()) {
        let (target_chars, max_chars) =
            pair.split_once('/').map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap();
        println!("{pair} {:?}", measure(&folder, &ChunkOptions { target_chars, max_chars }));
    }
    let score = measure(&folder, &ChunkOptions::default());
    println!("{score:?}");
}
