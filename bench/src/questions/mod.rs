//! Questions whose documents and pages were fixed before the first run, asked of the whole system over HTTP.

mod judge;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use docent_local::system::EmbedderChoice;
use serde::Deserialize;

use crate::system::{Client, with};
use crate::table::{self, Table};
use crate::{Outcome, pdf, samples};
use judge::{Reply, Verdict};

#[derive(Args)]
pub struct Options {
    #[arg(long, value_enum, default_value = "minilm")]
    embedder: EmbedderChoice,
    /// The folder that holds the documents [default: ../shared/data beside the project]
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Deserialize)]
pub struct Question {
    pub question: String,
    /// Any of these answers it; none: a refusal is right.
    pub answers: Vec<Place>,
}

#[derive(Deserialize)]
pub struct Place {
    pub file: String,
    /// Absent where the format has no pages.
    pub pages: Option<Vec<u64>>,
}

const QUESTIONS: &str = include_str!("../../questions.jsonl");

pub fn run(options: &Options) -> Outcome<()> {
    let folder = samples(options.data.as_deref())?;
    let questions: Vec<Question> = QUESTIONS.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let files = documents(&folder)?;
    let replies = with(options.embedder, async |client| {
        let names = ingest(&client, &folder, &files).await?;
        let mut replies = Vec::new();
        for (number, question) in questions.iter().enumerate() {
            table::note(&format!("asking {} of {}", number + 1, questions.len()));
            replies.push(judge::reply(&client.ask(&question.question).await?, &names));
        }
        Ok(replies)
    })?;
    print(&questions, &replies);
    verify::print(&folder, &replies)
}

/// Everything that others made and that the questions' documents lie among.
fn documents(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = pdf::files(&folder.join("pypdf_samples"))?;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = pdf::name(&path);
            if path.is_dir() {
                open.push(path);
            } else if name == "README.md" || name == "spec.txt" || name.ends_with(".docx") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The path of each document that became ready, by its id.
async fn ingest(client: &Client, folder: &Path, files: &[PathBuf]) -> Outcome<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    let mut failed = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let name = file.strip_prefix(folder)?.display().to_string();
        let ended = client.ingest(&pdf::name(file), std::fs::read(file)?).await?;
        table::note(&format!("ingested {} of {}: {name}", number + 1, files.len()));
        match ended.document["error"]["code"].as_str() {
            None => drop(names.insert(ended.id, name)),
            Some(code) => failed.push(format!("{name} ({code})")),
        }
    }
    table::line(&format!(
        "\n{} documents are ready; {} were refused: {}",
        names.len(),
        failed.len(),
        failed.join(", ")
    ));
    Ok(names)
}

fn print(questions: &[Question], replies: &[Reply]) {
    let head = ["question", "cited", "first", "source", "expected", "citations"];
    let mut table = Table::new(
        "Each question: is the right page among the citations, is it the first one, is it among the sources?",
        &head,
    );
    let mut sums: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for (question, reply) in questions.iter().zip(replies) {
        let Verdict { kind, cited, first, source } = judge::verdict(question, reply);
        let mark = |right: bool| if right { "yes" } else { "MISS" }.to_owned();
        for name in [kind, if question.answers.is_empty() { "all without an answer" } else { "all with an answer" }] {
            let sum = sums.entry(name).or_default();
            for (count, right) in sum.iter_mut().zip([true, cited, first, source]) {
                *count += usize::from(right);
            }
        }
        let citations: Vec<String> = reply.citations.iter().map(judge::Citation::to_string).collect();
        let shown = if reply.refused { "refused".to_owned() } else { citations.join(", ") };
        table.row(vec![
            question.question.clone(),
            mark(cited),
            mark(first),
            mark(source),
            judge::expected(question),
            shown,
        ]);
    }
    table.print();
    let mut table = Table::new(
        "Right",
        &["kind of document", "questions", "cited", "cited first", "among the sources", "cited, %"],
    );
    for (kind, [asked, cited, first, source]) in sums {
        let part = format!("{:.0}", 100.0 * cited as f64 / asked as f64);
        table.row(
            [kind.to_owned()]
                .into_iter()
                .chain([asked, cited, first, source].map(|count| count.to_string()))
                .chain([part])
                .collect(),
        );
    }
    table.print();
}
