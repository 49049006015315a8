//! A tenant's own questions: JSON Lines of `{"question", "expected": [{"document", "quote"?, "span"?, "page"?}]}`, asked of
//! a running system, or of documents in a folder.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reqwest::Method as Verb;
use serde::Deserialize;
use serde_json::{Value, json};

use super::measure::{Account, Found};
use super::methods::{Method, Passage};
use super::sets::{broken, read};
use super::{Document, Place, Question};
use crate::client::Client;
use crate::command::Failure;
use crate::terminal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    question: String,
    /// None: a refusal is right.
    #[serde(default)]
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Its file's name.
    document: String,
    quote: Option<String>,
    /// Bytes of the extracted text.
    span: Option<[usize; 2]>,
    /// Judged where pages are known: of a running system's answers.
    page: Option<i32>,
}

/// A file of questions, with the documents that they name.
pub struct Golden {
    lines: Vec<Line>,
    name: String,
}

pub fn questions(path: &Path) -> Result<Golden, Failure> {
    let mut lines = Vec::new();
    for (number, line) in read(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        lines.push(serde_json::from_str(line).map_err(|error| {
            let hint = "Write {\"question\": \"…\", \"expected\": [{\"document\": \"file name\", \"quote\": \"…\"}]}, one a line.";
            Failure::new(format!("{}, line {}: {error}.", path.display(), number + 1), hint)
        })?);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match lines.is_empty() {
        true => Err(broken(path, "it holds no questions")),
        false => Ok(Golden { lines, name }),
    }
}

/// The folder's files as a set of these questions.
pub fn documents(golden: &Golden, folder: &Path) -> Result<super::Set, Failure> {
    let files: Vec<PathBuf> = crate::command::files(&[folder.to_path_buf()])?;
    let mut documents = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        documents.push(Document { name, title: None, text: read(file)? });
    }
    let names: Vec<String> = documents.iter().map(|document| document.name.clone()).collect();
    let questions = golden.lines.iter().map(|line| line.question(&names)).collect::<Result<_, _>>()?;
    Ok(super::Set { name: golden.name.clone(), documents, questions })
}

/// Asks a running system, whose search decides how.
pub async fn remote(golden: &Golden, client: &Client) -> Result<Account, Failure> {
    let mut names: Vec<String> = Vec::new();
    for expected in golden.lines.iter().flat_map(|line| &line.expected) {
        if !names.contains(&expected.document) {
            names.push(expected.document.clone());
        }
    }
    let mut account = Account::labelled(&golden.name, Method::Hybrid, "the system".to_owned());
    let bar = terminal::bar(golden.lines.len() as u64, "questions");
    for line in &golden.lines {
        let began = Instant::now();
        let body = json!({ "query": line.question, "limit": docent::search::MOST });
        let reply = client.json(Verb::POST, "/api/search", Some(body)).await?;
        let mut found = Found { seconds: Some(began.elapsed().as_secs_f64()), ..Found::default() };
        for hit in reply["hits"].as_array().unwrap_or(&Vec::new()) {
            found.passages.push(passage(hit, &mut names));
        }
        account.count(&line.question(&names)?, &found);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(account)
}

fn passage(hit: &Value, names: &mut Vec<String>) -> Passage {
    let filename = hit["filename"].as_str().unwrap_or_default();
    let document = names.iter().position(|name| name == filename).unwrap_or_else(|| {
        names.push(filename.to_owned());
        names.len() - 1
    });
    let number = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
    let page = number(&hit["page"]).map(|first| (first, number(&hit["pageLast"]).unwrap_or(first)));
    let at = |place: usize| hit["span"][place].as_i64().unwrap_or(0);
    let text = hit["quote"].as_str().unwrap_or_default().to_owned();
    Passage { document, text, span: (at(0), at(1)), page }
}

impl Line {
    fn question(&self, names: &[String]) -> Result<Question, Failure> {
        let place = |expected: &Expected| {
            let document = names.iter().position(|name| *name == expected.document).ok_or_else(|| {
                let message =
                    format!("“{}” expects the document {}, which is not there.", self.question, expected.document);
                Failure::new(message, "Name a file as it is called in --documents.")
            })?;
            let span = expected.span.map(|[start, end]| Range { start, end });
            Ok(Place { document, quote: expected.quote.clone(), span, page: expected.page })
        };
        let expected = self.expected.iter().map(place).collect::<Result<_, Failure>>()?;
        Ok(Question { text: self.question.clone(), expected })
    }
}
