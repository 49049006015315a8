//! Chroma's evaluation of chunking: how much of the expected excerpts the first passages hold, counted in characters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use super::library;
use super::methods::Bench;
use super::sets::{broken, read};
use super::{Document, Set};
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

struct Asked {
    text: String,
    excerpts: Vec<Range<usize>>,
}

pub async fn run(bench: &Bench<'_>, folder: &Path, most: Option<usize>) -> Result<Passages, Failure> {
    let folder = folder.join("chroma_chunking");
    let path = folder.join("questions_df.csv");
    let mut corpora: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for record in rows(&read(&path)?) {
        let [question, excerpts, corpus] = record.as_slice() else { continue };
        let excerpts: Vec<Value> = serde_json::from_str(excerpts).map_err(|error| broken(&path, error))?;
        let at =
            |excerpt: &Value, key: &str| excerpt[key].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        let excerpts = excerpts.iter().map(|excerpt| at(excerpt, "start_index")..at(excerpt, "end_index")).collect();
        corpora.entry(corpus.clone()).or_default().push(Asked { text: question.clone(), excerpts });
    }
    let mut sums = Passages::default();
    let (mut chunks, mut characters) = (0, 0);
    for (name, mut questions) in corpora {
        questions.truncate(most.unwrap_or(usize::MAX));
        let text = read(&folder.join("corpora").join(format!("{name}.md")))?;
        let corpus = Corpus::of(&text);
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
    fn of(text: &str) -> Corpus {
        let read = docent_text::extract(text.as_bytes(), "corpus.txt", None, &docent_text::Budget::default());
        let Ok(extract) = read else { return Corpus { at: Vec::new(), chunks: Vec::new() } };
        let mut at = vec![0; extract.text.len() + 1];
        let mut count = 0;
        for (place, byte) in extract.text.bytes().enumerate() {
            count += usize::from(byte & 0xC0 != 0x80);
            at[place + 1] = count;
        }
        let mut corpus = Corpus { at, chunks: Vec::new() };
        let cut = docent_text::chunk(&extract, &docent_text::ChunkOptions::default());
        corpus.chunks = cut.iter().map(|chunk| corpus.characters(&(chunk.start..chunk.end))).collect();
        corpus
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

/// The rows of a file of comma-separated values after its head, quotes doubled inside quotes (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows.into_iter().skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_commas_quotes_and_line_ends() {
        let text = "a,b\r\n\"one, \"\"two\"\"\",3\n\"x\ny\",\n4,5";
        assert_eq!(rows(text), [["one, \"two\"", "3"], ["x\ny", ""], ["4", "5"]]);
    }

    #[test]
    fn shares_are_counted_in_characters() {
        let mut sums = Passages::default();
        let excerpt = 5..15;
        sums.count(&[0..10, 20..30], &[0..10, 10..20, 20..30], &[excerpt]);
        assert_eq!((sums.recall, sums.precision, sums.omega), (50.0, 25.0, 50.0));
        let corpus = Corpus::of("Grüße. Ende");
        assert_eq!(corpus.characters(&(0.."Grüße".len())), 0..5);
    }
}
