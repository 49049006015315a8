//! Public sets as their authors publish them: Cranfield (TREC XML), SQuAD 2.0 and XQuAD (JSON).

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::{Document, Place, Question, Set};
use crate::command::Failure;

/// What `--set` may name, besides `chroma_chunking`; `xquad` stands for all its languages.
pub const NAMES: [&str; 3] = ["cranfield", "squad_dev", "xquad"];

/// The sets of that name that the folder holds.
pub fn load(folder: &Path, name: &str) -> Result<Vec<Set>, Failure> {
    let folder = folder.join(name);
    match name {
        "cranfield" => Ok(vec![cranfield(&folder)?]),
        "squad_dev" => Ok(vec![squad("squad_dev", &folder.join("dev-v2.0.json"))?]),
        _ => xquad(&folder),
    }
}

pub fn read(path: &Path) -> Result<String, Failure> {
    let hint = "Give --data the folder that holds the sets, each in a folder of its own name.";
    std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}.", path.display()), hint))
}

pub fn broken(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {why}.", path.display()), "Fetch the file again.")
}

fn xquad(folder: &Path) -> Result<Vec<Set>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| broken(folder, error))?;
    let mut languages: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_prefix("xquad.")?.strip_suffix(".json")?.to_owned()))
        .collect();
    languages.sort();
    languages
        .iter()
        .map(|language| squad(&format!("xquad {language}"), &folder.join(format!("xquad.{language}.json"))))
        .collect()
}

/// Each paragraph is a document; a question is answered by its own.
fn squad(name: &str, path: &Path) -> Result<Set, Failure> {
    let set: Value = serde_json::from_str(&read(path)?).map_err(|error| broken(path, error))?;
    let (mut documents, mut questions) = (Vec::new(), Vec::new());
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    for paragraph in list(&set, "data").iter().flat_map(|article| list(article, "paragraphs")) {
        for asked in list(&paragraph, "qas") {
            let quote = list(&asked, "answers").first().and_then(|answer| answer["text"].as_str().map(str::to_owned));
            let place = Place { document: documents.len(), quote, span: None, page: None };
            let expected = if asked["is_impossible"] == true { Vec::new() } else { vec![place] };
            questions.push(Question { text: asked["question"].as_str().unwrap_or_default().to_owned(), expected });
        }
        let text = paragraph["context"].as_str().unwrap_or_default().to_owned();
        documents.push(Document { name: format!("{}.txt", documents.len()), title: None, text });
    }
    match documents.is_empty() {
        true => Err(broken(path, "it holds no paragraphs")),
        false => Ok(Set { name: name.to_owned(), documents, questions }),
    }
}

/// The judgements count the questions from 1 in their order; the numbers in the questions' file are others.
fn cranfield(folder: &Path) -> Result<Set, Failure> {
    let path = folder.join("cran.all.1400.xml");
    let (mut documents, mut places) = (Vec::new(), HashMap::new());
    for part in read(&path)?.split("<doc>").skip(1) {
        let number = element(part, "docno").to_owned();
        let title = element(part, "title").replace('\n', " ");
        places.insert(number.clone(), documents.len());
        let text = element(part, "text").to_owned();
        documents.push(Document { name: format!("{number}.txt"), title: Some(title), text });
    }
    let asked = read(&folder.join("cran.qry.xml"))?;
    let asked = asked.split("<top>").skip(1).map(|part| element(part, "title").to_owned());
    let mut questions: Vec<Question> = asked.map(|text| Question { text, expected: Vec::new() }).collect();
    for line in read(&folder.join("cranqrel.trec.txt"))?.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[question, _, document, grade] = fields.as_slice() else { continue };
        let question = question.parse::<usize>().ok().and_then(|number| questions.get_mut(number.checked_sub(1)?));
        if let (Some(question), Some(&document), false) =
            (question, places.get(document), grade.starts_with(['0', '-']))
        {
            question.expected.push(Place { document, quote: None, span: None, page: None });
        }
    }
    questions.retain(|question| !question.expected.is_empty());
    match documents.is_empty() {
        true => Err(broken(&path, "it holds no documents")),
        false => Ok(Set { name: "cranfield".to_owned(), documents, questions }),
    }
}

fn element<'t>(text: &'t str, name: &str) -> &'t str {
    let inside = text.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
    inside.split_once(&format!("</{name}>")).map_or(inside, |(inside, _)| inside).trim()
}
