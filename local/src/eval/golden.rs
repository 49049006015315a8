//! A tenant's own questions: JSON Lines of `{"question", "expected": [{"document", "quote"?, "span"?, "page"?}]}`, asked of
//! a running system, or of documents in a folder.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use reqwest::Method as Verb;
use serde::Deserialize;
use serde_json::{Value, json};

use super::measure::{Account, Found};
use super::methods::{Method, Passage};
use super::sets::broken;
use super::{Document, Place, Question};
use crate::client::{Client, Named};
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
    let hint = "Name a file of questions, one a line; `docent eval --help` shows one.";
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}.", path.display()), hint))?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        lines.push(serde_json::from_str(line).map_err(|error| {
            let hint = "Write {\"question\": \"…\", \"expected\": [{\"document\": \"path below the folder\", \"quote\": \"…\"}]}, one a line.";
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
    let mut documents = Vec::new();
    for Named { path, name } in crate::command::files(&[folder.to_path_buf()])? {
        documents.push(Document { text: text_of(&path, &name)?, title: None, name });
    }
    let names: Vec<String> = documents.iter().map(|document| document.name.clone()).collect();
    let questions = golden.lines.iter().map(|line| line.question(&names)).collect::<Result<_, _>>()?;
    Ok(super::Set { name: golden.name.clone(), documents, questions })
}

/// A text as it is, so that its structure counts; of any other format what can be read of it.
fn text_of(path: &Path, name: &str) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unread(path, error))?;
    String::from_utf8(bytes).or_else(|error| {
        let extract = docent_text::extract(error.as_bytes(), name, None, &docent_text::Budget::default());
        extract.map(|extract| extract.text).map_err(|error| unread(path, error))
    })
}

fn unread(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()), "Correct the file, or take it out of --documents.")
}

/// Asks a running system, whose search decides how.
pub async fn remote(golden: &Golden, client: &Client) -> Result<Account, Failure> {
    let mut names = golden.names();
    let mut account = Account::labelled(&golden.name, Method::Hybrid, "the system".to_owned());
    let bar = terminal::bar(golden.lines.len() as u64, "questions");
    for line in &golden.lines {
        let found = line.ask(client, &mut names, false).await?;
        account.count(&line.question(&names)?, &found);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(account)
}

/// The readers' model and the other one of a migration, asked the same.
pub struct Compared {
    pub accounts: [Account; 2],
    pub questions: usize,
    /// The share of questions whose first passage is the same.
    pub same_first: f64,
    /// The mean share of the first ten passages that both give.
    pub overlap: f64,
}

pub async fn compare(golden: &Golden, client: &Client, [used, other]: [&str; 2]) -> Result<Compared, Failure> {
    let mut names = golden.names();
    let account = |label: &str| Account::labelled(&golden.name, Method::Hybrid, label.to_owned());
    let mut accounts = [account(used), account(other)];
    let (mut same_first, mut overlap) = (0.0, 0.0);
    let bar = terminal::bar(golden.lines.len() as u64, "questions");
    for line in &golden.lines {
        let found = [line.ask(client, &mut names, false).await?, line.ask(client, &mut names, true).await?];
        let question = line.question(&names)?;
        for (account, found) in accounts.iter_mut().zip(&found) {
            account.count(&question, found);
        }
        let [one, another] = found.map(|found| {
            let places = found.passages.iter().take(OVERLAP).map(|passage| (passage.document, passage.span));
            places.collect::<Vec<_>>()
        });
        let both = one.iter().filter(|place| another.contains(place)).count();
        same_first += f64::from(u8::from(one.first() == another.first()));
        overlap += both as f64 / one.len().max(another.len()).max(1) as f64;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let questions = golden.lines.len();
    let share = |sum: f64| sum / questions.max(1) as f64;
    Ok(Compared { accounts, questions, same_first: share(same_first), overlap: share(overlap) })
}

/// Passages of which two models' answers are compared.
const OVERLAP: usize = 10;

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

impl Golden {
    /// Of the documents that are expected.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for expected in self.lines.iter().flat_map(|line| &line.expected) {
            if !names.contains(&expected.document) {
                names.push(expected.document.clone());
            }
        }
        names
    }
}

impl Line {
    async fn ask(&self, client: &Client, names: &mut Vec<String>, shadow: bool) -> Result<Found, Failure> {
        let began = Instant::now();
        let body = json!({ "query": self.question, "limit": docent::search::MOST, "shadow": shadow });
        let reply = client.json(Verb::POST, "/api/search", Some(body)).await?;
        let mut found = Found { seconds: Some(began.elapsed().as_secs_f64()), ..Found::default() };
        for hit in reply["hits"].as_array().unwrap_or(&Vec::new()) {
            found.passages.push(passage(hit, names));
        }
        Ok(found)
    }

    fn question(&self, names: &[String]) -> Result<Question, Failure> {
        let place = |expected: &Expected| {
            let document = names.iter().position(|name| *name == expected.document).ok_or_else(|| {
                let message =
                    format!("“{}” expects the document {}, which is not there.", self.question, expected.document);
                Failure::new(message, "Name a file by its path below --documents.")
            })?;
            let span = expected.span.map(|[start, end]| Range { start, end });
            Ok(Place { document, quote: expected.quote.clone(), span, page: expected.page })
        };
        let expected = self.expected.iter().map(place).collect::<Result<_, Failure>>()?;
        Ok(Question { text: self.question.clone(), expected })
    }
}
