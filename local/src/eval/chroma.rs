//! Chroma's evaluation of chunking: how much of the expected excerpts the first passages hold, counted in characters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::library;
use super::methods::Bench;
use super::sets::{broken, read};
use super::{Document, Set, evenly};
use crate::command::Failure;
use crate::terminal;

/// As many passages as the published table counts.
const PASSAGES: usize = 5;

/// Shares of characters, in percent, as <https://research.trychroma.com/evaluating-chunking> defines them.
#[derive(Default)]
pub struct Passages {
    pub recall: f64,
    pub precision: f64,
    /// Precision of all chunks that touch an excerpt: what a perfect search could reach.
    pub omega: f64,
    pub mean_characters: f64,
    pub questions: usize,
}

/// As the file has it; the excerpts are JSON, counted in characters.
#[derive(Deserialize)]
struct Row {
    question: String,
    references: String,
    corpus_id: String,
}

#[derive(Deserialize)]
struct Excerpt {
    start_index: usize,
    end_index: usize,
}

struct Asked {
    text: String,
    excerpts: Vec<Range<usize>>,
}

pub async fn run(bench: &Bench<'_>, folder: &Path, most: Option<usize>) -> Result<Passages, Failure> {
    let folder = folder.join("chroma_chunking");
    let path = folder.join("questions_df.csv");
    let mut corpora: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    let text = read(&path)?;
    for row in csv::Reader::from_reader(text.as_bytes()).deserialize() {
        let row: Row = row.map_err(|error| broken(&path, error))?;
        let excerpts: Vec<Excerpt> = serde_json::from_str(&row.references).map_err(|error| broken(&path, error))?;
        let excerpts = excerpts.iter().map(|excerpt| excerpt.start_index..excerpt.end_index).collect();
        corpora.entry(row.corpus_id).or_default().push(Asked { text: row.question, excerpts });
    }
    let mut sums = Passages::default();
    let (mut chunks, mut characters) = (0, 0);
    for (name, questions) in corpora {
        let questions = evenly(questions, most);
        let text = read(&folder.join("corpora").join(format!("{name}.md")))?;
        let corpus = Corpus::of(&text).map_err(|error| broken(&folder, format!("{name}: {error}")))?;
        chunks += corpus.chunks.len();
        characters += corpus.chunks.iter().map(ExactSizeIterator::len).sum::<usize>();
        let document = Document { name: format!("{name}.txt"), title: None, text };
        let set = Set { name: format!("chroma {name}"), documents: vec![document], questions: Vec::new() };
        let library = library::fill(bench.app, bench.tenant, &set, &bench.model).await?;
        let bar = terminal::bar(questions.len() as u64, &set.name);
        for question in &questions {
            let hits = super::methods::lexical(bench, &library, &question.text, PASSAGES).await?;
            let hits: Vec<Range<usize>> = hits.iter().map(|span| corpus.characters(span)).collect();
            sums.count(&hits, &corpus.chunks, &question.excerpts);
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    sums.mean_characters = characters as f64 / chunks.max(1) as f64;
    Ok(sums)
}

/// The excerpts are counted in characters, the product's spans in bytes.
struct Corpus {
    at: Vec<usize>,
    chunks: Vec<Range<usize>>,
}

impl Corpus {
    fn of(text: &str) -> Result<Corpus, docent_text::Error> {
        let extract = docent_text::extract(text.as_bytes(), "corpus.txt", None, &docent_text::Budget::default())?;
        let mut at = vec![0; extract.text.len() + 1];
        let mut count = 0;
        for (place, byte) in extract.text.bytes().enumerate() {
            count += usize::from(byte & 0xC0 != 0x80);
            at[place + 1] = count;
        }
        let mut corpus = Corpus { at, chunks: Vec::new() };
        let cut = docent_text::chunk(&extract, &docent_text::ChunkOptions::default());
        corpus.chunks = cut.iter().map(|chunk| corpus.characters(&(chunk.start..chunk.end))).collect();
        Ok(corpus)
    }

    fn characters(&self, bytes: &Range<usize>) -> Range<usize> {
        let at = |place: usize| self.at.get(place).copied().unwrap_or(0);
        at(bytes.start)..at(bytes.end)
    }
}

impl Passages {
    fn count(&mut self, hits: &[Range<usize>], chunks: &[Range<usize>], excerpts: &[Range<usize>]) {
        let length = |ranges: &[Range<usize>]| ranges.iter().map(ExactSizeIterator::len).sum::<usize>().max(1) as f64;
        let found = shared(hits, excerpts);
        let touches = |chunk: &&Range<usize>| excerpts.iter().any(|one| one.start < chunk.end && chunk.start < one.end);
        let touched: Vec<Range<usize>> = chunks.iter().filter(touches).cloned().collect();
        let shares = [found / length(excerpts), found / length(hits), shared(&touched, excerpts) / length(&touched)];
        let before = self.questions as f64;
        self.questions += 1;
        for (mean, share) in [&mut self.recall, &mut self.precision, &mut self.omega].into_iter().zip(shares) {
            *mean = (*mean * before + 100.0 * share) / (before + 1.0);
        }
    }
}

fn shared(spans: &[Range<usize>], excerpts: &[Range<usize>]) -> f64 {
    let common =
        |one: &Range<usize>, other: &Range<usize>| one.end.min(other.end).saturating_sub(one.start.max(other.start));
    excerpts.iter().flat_map(|excerpt| spans.iter().map(move |span| common(span, excerpt))).sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_in_characters() {
        let mut sums = Passages::default();
        let excerpt = 5..15;
        sums.count(&[0..10, 20..30], &[0..10, 10..20, 20..30], &[excerpt]);
        assert_eq!((sums.recall, sums.precision, sums.omega), (50.0, 25.0, 50.0));
        let corpus = Corpus::of("Grüße. Ende").unwrap();
        assert_eq!(corpus.characters(&(0.."Grüße".len())), 0..5);
    }
}
