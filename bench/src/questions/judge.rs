//! What an answer cites, and whether that is where the answer stands.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{Place, Question};

/// An answer as its stream told it.
#[derive(Default)]
pub struct Reply {
    pub refused: bool,
    pub citations: Vec<Citation>,
    sources: Vec<Source>,
}

#[derive(Clone)]
struct Source {
    id: String,
    file: String,
    pages: Option<(u64, u64)>,
}

pub struct Citation {
    pub file: String,
    pub page: Option<u64>,
    pub quote: String,
}

pub struct Verdict {
    pub kind: &'static str,
    pub cited: bool,
    pub first: bool,
    pub source: bool,
}

impl fmt::Display for Citation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(formatter, &self.file, self.page.as_slice())
    }
}

fn place(formatter: &mut impl fmt::Write, file: &str, pages: &[u64]) -> fmt::Result {
    let short: Vec<&str> = file.rsplit('/').take(if file.ends_with(".md") { 2 } else { 1 }).collect();
    formatter.write_str(&short.into_iter().rev().collect::<Vec<_>>().join("/"))?;
    pages
        .iter()
        .enumerate()
        .try_for_each(|(number, page)| write!(formatter, "{}{page}", if number == 0 { ":" } else { "," }))
}

pub fn expected(question: &Question) -> String {
    let mut text = String::new();
    for answer in &question.answers {
        if !text.is_empty() {
            text.push_str(" or ");
        }
        let _ = place(&mut text, &answer.file, answer.pages.as_deref().unwrap_or_default());
    }
    if text.is_empty() { "refusal".to_owned() } else { text }
}

/// `names` gives the path of each document by its id.
pub fn reply(chunks: &[Value], names: &BTreeMap<String, String>) -> Reply {
    let mut reply = Reply::default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for chunk in chunks {
        match chunk["type"].as_str().unwrap_or_default() {
            "data-refusal" => reply.refused = true,
            "source-document" => {
                let stands = &chunk["providerMetadata"]["docent"];
                let file = names.get(stands["documentId"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
                let pages = stands["page"].as_u64().map(|page| (page, stands["pageLast"].as_u64().unwrap_or(page)));
                reply.sources.push(Source { id: text(&chunk["sourceId"]), file, pages });
            }
            "data-citations" => {
                for cited in chunk["data"].as_array().into_iter().flatten() {
                    let source = reply.sources.iter().find(|source| cited["sourceId"] == source.id);
                    let file = source.map(|source| source.file.clone()).unwrap_or_default();
                    reply.citations.push(Citation { file, page: cited["page"].as_u64(), quote: text(&cited["quote"]) });
                }
            }
            _ => {}
        }
    }
    reply
}

pub fn verdict(question: &Question, reply: &Reply) -> Verdict {
    let Some(answer) = question.answers.first() else {
        let refused = reply.refused;
        return Verdict { kind: "nothing answers it", cited: refused, first: refused, source: refused };
    };
    let right = |citation: &Citation| stands(question, &citation.file, citation.page.map(|page| (page, page)));
    Verdict {
        kind: kind(answer),
        cited: reply.citations.iter().any(right),
        first: reply.citations.first().is_some_and(right),
        source: reply.sources.iter().any(|source| stands(question, &source.file, source.pages)),
    }
}

/// A citation of the right document without a page is right only where the format has none.
fn stands(question: &Question, file: &str, pages: Option<(u64, u64)>) -> bool {
    question.answers.iter().filter(|answer| answer.file == file).any(|answer| match (&answer.pages, pages) {
        (None, _) => true,
        (Some(expected), Some((first, last))) => expected.iter().any(|page| (first..=last).contains(page)),
        (Some(_), None) => false,
    })
}

fn kind(answer: &Place) -> &'static str {
    match answer.file.rsplit('.').next().unwrap_or_default() {
        "pdf" if answer.file.contains("GeoTopo") => "PDF, German, 117 pages",
        "pdf" => "PDF, others",
        "docx" => "DOCX",
        "md" => "Markdown",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_right_document_on_the_wrong_page_is_a_miss() {
        let names = BTreeMap::from([("d1".to_owned(), "a/x.pdf".to_owned())]);
        let chunks = [
            json!({"type": "source-document", "sourceId": "s1", "providerMetadata": {"docent": {"documentId": "d1", "page": 2, "pageLast": 4}}}),
            json!({"type": "data-citations", "data": [{"n": 1, "sourceId": "s1", "page": 4, "quote": "q"}]}),
        ];
        let reply = reply(&chunks, &names);
        for (page, cited, source) in [(4, true, true), (3, false, true), (5, false, false)] {
            let answers = vec![Place { file: "a/x.pdf".into(), pages: Some(vec![page]) }];
            let verdict = verdict(&Question { question: String::new(), answers }, &reply);
            assert_eq!((verdict.cited, verdict.first, verdict.source), (cited, cited, source), "page {page}");
        }
        let none = Question { question: String::new(), answers: Vec::new() };
        assert!(!verdict(&none, &reply).cited, "an answer where a refusal was right");
        assert_eq!(reply.citations.iter().map(Citation::to_string).collect::<Vec<_>>(), ["x.pdf:4"]);
    }
}
